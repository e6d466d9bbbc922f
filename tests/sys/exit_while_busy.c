/*
 * A thread ends the process while others get results all the time, which then have no effect any more.
 * test: timeout=60
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

#define CHILDREN 60
#define THREADS 3

static int busy[2];

static void *pass_on(void *arg)
{
	char c;

	(void)arg;
	while (read(busy[0], &c, 1) == 1)
		if (write(busy[1], &c, 1) != 1)
			break;
	return NULL;
}

static void *end(void *arg)
{
	char c;

	for (int i = 0; i < *(int *)arg % 7; i++)
		if (read(busy[0], &c, 1) != 1 || write(busy[1], &c, 1) != 1)
			_exit(1);
	_exit(7);
}

static void child(int n)
{
	pthread_t t;

	if (pipe(busy) || write(busy[1], "abcdef", 6) != 6)
		_exit(2);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t, NULL, pass_on, NULL);
	pthread_create(&t, NULL, end, &n);
	pass_on(NULL);
}

int main(void)
{
	int sevens = 0, status;

	for (int n = 0; n < CHILDREN; n++) {
		pid_t pid = fork();

		if (!pid)
			child(n);
		if (waitpid(pid, &status, 0) != pid)
			return 99;
		sevens += status == 7 << 8;
	}
	SHOW(sevens);
	return 0;
}
