/* A program is executed by a process that has become another user, with finite limits of memory and of the stack. */
#include <sys/resource.h>
#include "check.h"

int main(void)
{
	struct rlimit stack = { 4 << 20, 8 << 20 };
	int status;
	pid_t child;

	NEED(!setrlimit(RLIMIT_STACK, &stack));
	child = fork();
	if (!child) {
		if (!geteuid())
			NEED(!setresgid(65534, 65534, 65534) && !setresuid(65534, 65534, 65534));
		execl("/bin/sh", "sh", "-c", "ulimit -s; exit 7", NULL);
		_exit(1);
	}
	NEED(waitpid(child, &status, 0) == child);
	show_status("child", status);
	return 0;
}
