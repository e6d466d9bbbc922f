/* vfork: the parent waits, memory is shared, a failed exec is seen by the parent, a good one runs. */
/* test: layouts */
#include "check.h"

static volatile int shared;

int main(void)
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		shared = 1;
		execl("/nonexistent/program", "program", NULL);
		shared = errno;
		_exit(3);
	}
	NEED(waitpid(pid, &status, 0) == pid);
	SHOW(shared == ENOENT);
	show_status("failed exec", status);

	pid = vfork();
	if (pid == 0) {
		execl("/bin/echo", "echo", "from", "vfork", NULL);
		_exit(4);
	}
	NEED(waitpid(pid, &status, 0) == pid);
	show_status("echo", status);

	pid = vfork();
	if (pid == 0)
		_exit(5);
	reap("plain", pid);
	return 0;
}
