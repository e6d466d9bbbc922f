/* getpid through libc and raw; a child sees its parent. */
/* test: n1 */
#include "check.h"

static pid_t parent;

static int child(void)
{
	SHOW(getppid() == parent);
	SHOW(getpid() == syscall(SYS_getpid));
	SHOW(getpid() != parent);
	return 0;
}

int main(void)
{
	parent = getpid();
	SHOW(getpid() == syscall(SYS_getpid));
	SHOW(getppid() == syscall(SYS_getppid));
	reap("child", spawn(child));
	return 0;
}
