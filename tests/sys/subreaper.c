/* A program that collects its orphans itself. */
#include <sys/prctl.h>
#include "check.h"

int main(void)
{
	int status, codes = 0;
	pid_t pid;

	NEED(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		pid_t me = getpid();

		if (fork() == 0) {
			while (getppid() == me)
				sleep_ms(5);
			_exit(20);
		}
		_exit(3);
	}
	reap("child", pid);
	pid = wait(&status);
	SHOW(pid > 0);
	codes = WEXITSTATUS(status);
	SHOW(codes);
	OUTCOME(wait(&status));
	return 0;
}
