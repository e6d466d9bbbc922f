/*
 * A file mapped shared for writing: stores reach the file.  That the program's other mappings and processes see them in
 * every variant is a matter of issue 4 (shared memory).
 */
#include "check.h"

int main(void)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	char *a, buf[8] = "";

	NEED(fd >= 0 && ftruncate(fd, 8192) == 0);
	a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(a != MAP_FAILED);
	strcpy(a + 4096, "mapped");
	puts(a + 4096);
	strcpy(a, "first");
	puts(a);
	SHOW(msync(a, 8192, MS_SYNC));
	SHOW(munmap(a, 8192));
	SHOW(pread(fd, buf, 7, 4096));
	puts(buf);
	SHOW(pread(fd, buf, 7, 0));
	puts(buf);
	return 0;
}
