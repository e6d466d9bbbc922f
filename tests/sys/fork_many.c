/* A thousand children one after the other, two hundred at once, and each tells that it is another. */
/* test: timeout=120 corners */
#include "check.h"

static int quick(void)
{
	return getpid() > 0 ? 0 : 1;
}

int main(void)
{
	static pid_t pids[200];
	int bad = 0, twice = 0, fds[2];

	for (int i = 0; i < 1000; i++) {
		int status = -1;
		pid_t pid = spawn(quick);

		NEED(waitpid(pid, &status, 0) == pid);
		bad += status != 0;
	}
	SHOW(bad);
	NEED(pipe(fds) == 0);
	for (int i = 0; i < 200; i++) {
		pids[i] = fork();
		NEED(pids[i] >= 0);
		if (pids[i] == 0) {
			wait_byte(fds[0]);
			_exit(i % 100);
		}
		for (int k = 0; k < i; k++)
			twice += pids[k] == pids[i];
	}
	SHOW(twice);
	for (int i = 0; i < 200; i++)
		send_byte(fds[1]);
	for (int i = 0; i < 200; i++) {
		int status = -1;

		NEED(waitpid(pids[i], &status, 0) == pids[i]);
		bad += !WIFEXITED(status) || WEXITSTATUS(status) != i % 100;
	}
	SHOW(bad);
	OUTCOME(wait(NULL));
	return 0;
}
