/* Processes three levels deep, several at once; every id is what its parent was told. */
/* test: layouts heap */
#include "check.h"

static int grow(int depth)
{
	int sum = 1;

	if (depth == 0)
		return 1;
	for (int i = 0; i < 3; i++) {
		pid_t me = getpid(), pid = fork();
		int status;

		NEED(pid >= 0);
		if (pid == 0)
			_exit(getppid() == me ? grow(depth - 1) : 100);
		NEED(waitpid(pid, &status, 0) == pid);
		sum += WEXITSTATUS(status);
	}
	return sum;
}

int main(void)
{
	pid_t pids[8];

	SHOW(grow(3));
	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		NEED(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(i * 3);
	}
	for (int i = 7; i >= 0; i--)
		reap("child", pids[i]);
	return 0;
}
