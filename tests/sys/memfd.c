/* memfd: written, mapped, sealed, seen by a child, opened again through /proc. */
#include "check.h"

int main(void)
{
	int fd = memfd_create("test", MFD_ALLOW_SEALING), again;
	char *p, buf[16] = "", path[64];
	pid_t pid;

	NEED(fd >= 0);
	SHOW(ftruncate(fd, 4096));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(p != MAP_FAILED);
	strcpy(p, "by parent");
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		puts(p);
		strcpy(p, "by child");
		_exit(0);
	}
	reap("child", pid);
	puts(p);
	SHOW(pread(fd, buf, 8, 0));
	puts(buf);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY);
	NEED(again >= 0);
	SHOW(pread(again, buf, 2, 0));
	puts(buf);
	OUTCOME(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	NEED(munmap(p, 4096) == 0);
	SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK));
	SHOW(fcntl(fd, F_GET_SEALS) == (F_SEAL_WRITE | F_SEAL_SHRINK));
	OUTCOME(pwrite(fd, "x", 1, 0));
	OUTCOME(ftruncate(fd, 0));
	return 0;
}
