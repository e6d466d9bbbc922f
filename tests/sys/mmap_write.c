/* A file mapped shared for writing: stores reach the file, other mappings and children see them. */
#include "check.h"

int main(void)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	char *a, *b, buf[8] = "";
	pid_t pid;

	NEED(fd >= 0 && ftruncate(fd, 8192) == 0);
	a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
	NEED(a != MAP_FAILED && b != MAP_FAILED);
	strcpy(a + 4096, "mapped");
	puts(b);
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		strcpy(a, "child");
		_exit(0);
	}
	reap("child", pid);
	puts(a);
	SHOW(msync(a, 8192, MS_SYNC));
	SHOW(munmap(a, 8192));
	SHOW(pread(fd, buf, 7, 4096));
	puts(buf);
	SHOW(pread(fd, buf, 7, 0));
	puts(buf);
	return 0;
}
