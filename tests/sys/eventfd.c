/* eventfd: counter, semaphore, overflow, between processes. */
#include <sys/eventfd.h>
#include "check.h"

int main(void)
{
	int fd = eventfd(3, EFD_NONBLOCK), sem = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK), block = eventfd(0, 0);
	uint64_t n = 5;
	pid_t pid;

	SHOW(write(fd, &n, 8));
	SHOW(read(fd, &n, 8));
	SHOW(n);
	OUTCOME(read(fd, &n, 8));
	SHOW(read(sem, &n, 8));
	SHOW(n);
	SHOW(read(sem, &n, 8));
	OUTCOME(read(sem, &n, 8));
	n = UINT64_MAX - 1;
	SHOW(write(fd, &n, 8));
	n = 1;
	OUTCOME(write(fd, &n, 8));
	n = UINT64_MAX;
	OUTCOME(write(fd, &n, 8));
	OUTCOME(read(fd, &n, 4));
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		n = 77;
		sleep_ms(20);
		_exit(write(block, &n, 8) != 8);
	}
	SHOW(read(block, &n, 8));
	SHOW(n);
	reap("child", pid);
	return 0;
}
