/* Bad pointers are EFAULT, for the program as for the kernel; nothing else happens. */
/* test: layouts */
#include <sys/resource.h>
#include <sys/utsname.h>
#include "check.h"

int main(void)
{
	static char *const bad[] = { NULL, (char *)8, (char *)-4096, (char *)0x0000700000000000 };
	int fd = open("f", O_RDWR | O_CREAT, 0600), fds[2];
	char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(fd >= 0 && edge != MAP_FAILED && mprotect(edge + 4096, 4096, PROT_NONE) == 0 && pipe(fds) == 0);
	NEED(write(fd, "some text", 9) == 9);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		printf("pointer %u\n", i);
		OUTCOME(write(fd, bad[i], 5));
		OUTCOME(pread(fd, bad[i], 5, 0));
		OUTCOME(open(bad[i], O_RDONLY));
		OUTCOME(stat(bad[i], (struct stat *)(void *)edge));
		OUTCOME(fstat(fd, (struct stat *)(void *)bad[i]));
		OUTCOME(uname((struct utsname *)(void *)bad[i]));
		OUTCOME(pipe((int *)(void *)bad[i]));
		OUTCOME(getcwd(edge, 4096) ? 0 : -1);
		OUTCOME(write(fds[1], bad[i], 1));
		OUTCOME(rename("f", bad[i]));
		OUTCOME(access(bad[i], F_OK));
		OUTCOME(getrlimit(RLIMIT_CORE, (struct rlimit *)(void *)bad[i]));
		OUTCOME(poll((struct pollfd *)(void *)bad[i], 1, 0));
	}
	OUTCOME(write(fd, NULL, 0));
	OUTCOME(read(fd, (void *)8, 0));
	strcpy(edge + 4092, "abc");
	SHOW(pwrite(fd, edge + 4092, 4, 0));
	SHOW(pwrite(fd, edge + 4092, 8, 0));
	SHOW(pread(fd, edge + 4090, 9, 0));
	OUTCOME(pread(fd, edge + 4096, 4, 0));
	memcpy(edge + 4092, "a/bc", 4);
	OUTCOME(open(edge + 4092, O_RDONLY));
	memcpy(edge + 4094, "f", 2);
	OUTCOME(open(edge + 4094, O_RDONLY));
	OUTCOME(sigaction(SIGUSR1, (struct sigaction *)8, NULL));
	OUTCOME(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8, 0, 8));
	OUTCOME(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, 0, 128));
	OUTCOME(nanosleep((struct timespec *)8, NULL));
	OUTCOME(syscall(SYS_gettimeofday, 8, 0));
	OUTCOME(syscall(SYS_clock_gettime, CLOCK_REALTIME, 8));
	return 0;
}
