/* Children that close all descriptors, forked while another thread opens and closes files. */
#include <pthread.h>
#include "check.h"

static volatile bool over;

static void *opener(void *arg)
{
	while (!over) {
		int fd = open("/dev/null", O_RDONLY);

		NEED(fd >= 0);
		close(fd);
	}
	return arg;
}

static int child(void)
{
	for (int fd = 3; fd < 12; fd++)
		close(fd);
	return open("/dev/null", O_RDONLY) == 3 ? 5 : 6;
}

int main(void)
{
	pthread_t threads[2];
	int sum = 0, status;

	for (int i = 0; i < 2; i++)
		NEED(pthread_create(&threads[i], NULL, opener, NULL) == 0);
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		NEED(pid >= 0);
		if (pid == 0)
			_exit(child());
		NEED(waitpid(pid, &status, 0) == pid);
		sum += WEXITSTATUS(status);
	}
	over = true;
	for (int i = 0; i < 2; i++)
		NEED(pthread_join(threads[i], NULL) == 0);
	SHOW(sum);
	return 0;
}
