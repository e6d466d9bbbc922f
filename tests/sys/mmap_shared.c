/* Anonymous shared memory seen by parent and child; private memory is not. */
/* test: layouts */
#include "check.h"

int main(void)
{
	volatile int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile int *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	NEED(shared != MAP_FAILED && private != MAP_FAILED);
	*private = 10;
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		*shared = *private + 1;
		*private = 99;
		shared[1] = getpid();
		_exit(0);
	}
	reap("child", pid);
	SHOW(*shared);
	SHOW(*private);
	SHOW(shared[1] == pid);
	return 0;
}
