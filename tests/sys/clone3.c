/* test: heap */
/* clone and clone3 by hand: ids written to parent and child, a pidfd, exit signal, bad arguments. */
#include <linux/sched.h>
#include <sched.h>
#include "check.h"

int main(void)
{
	pid_t parent_tid = 0, child_tid = 0;
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_PIDFD,
		.pidfd = (uintptr_t)&pidfd,
		.parent_tid = (uintptr_t)&parent_tid,
		.child_tid = (uintptr_t)&child_tid,
		.exit_signal = SIGCHLD,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	siginfo_t info;

	NEED(pid >= 0);
	if (pid == 0)
		_exit(child_tid == getpid() ? 21 : 22);
	SHOW(parent_tid == pid);
	SHOW(child_tid);
	memset(&info, 0, sizeof(info));
	NEED(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0);
	SHOW(info.si_pid == pid);
	SHOW(info.si_status);
	SHOW(close(pidfd));

	pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &parent_tid, &child_tid, 0);
	NEED(pid >= 0);
	if (pid == 0)
		_exit(child_tid == getpid() ? 23 : 24);
	SHOW(parent_tid == pid);
	reap("clone", (pid_t)pid);

	OUTCOME(syscall(SYS_clone3, &args, (size_t)8));
	args.flags = CLONE_SIGHAND;
	OUTCOME(syscall(SYS_clone3, &args, sizeof(args)));
	OUTCOME(syscall(SYS_clone3, NULL, sizeof(args)));
	return 0;
}
