/* A file of code that is another one, or holds other code, by the time its calls may be rewritten. */
#include "calls.h"

#define TIMES 300	/* calls until a process is rewritten, and some */

static struct calls calls;

static int all_are(long nr)
{
	int n = 0;

	for (int i = 0; i < TIMES; i++)
		n += calls.getppid() == syscall(nr) && calls.any(SYS_getpmsg) == -1;
	return n == TIMES;
}

static char *library(size_t *size)
{
	char path[PATH_MAX], *bytes;
	struct stat st;
	int fd;

	calls_path(path);
	fd = open(path, O_RDONLY);
	NEED(fd >= 0 && fstat(fd, &st) == 0);
	*size = (size_t)st.st_size;
	bytes = malloc(*size);
	NEED(bytes && read(fd, bytes, *size) == st.st_size);
	close(fd);
	return bytes;
}

static void write_file(const char *name, const char *bytes, size_t size, int flags)
{
	int fd = open(name, O_WRONLY | flags, 0755);

	NEED(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

/* Where "mov $110, %eax; syscall" sets the number. */
static char *number_in(char *bytes, size_t size)
{
	char *at = memmem(bytes, size, "\xb8\x6e\0\0\0\x0f\x05", 7);

	NEED(at);
	return at + 1;
}

int main(void)
{
	struct timespec times[2];
	char *bytes, *number;
	struct stat st;
	size_t size;

	bytes = library(&size);
	number = number_in(bytes, size);
	write_file("a.so", bytes, size, O_CREAT | O_EXCL);
	*number = SYS_getpid;
	write_file("b.so", bytes, size, O_CREAT | O_EXCL);

	calls_open_file(&calls, "./a.so");
	NEED(rename("b.so", "a.so") == 0);
	SHOW(all_are(SYS_getppid));
	SHOW(dlclose(calls.handle));
	calls_open_file(&calls, "./a.so");
	SHOW(all_are(SYS_getpid));
	SHOW(dlclose(calls.handle));

	/* Other code in the same file, of the same size and with the same time.  A chdir ends when all variants are there. */
	NEED(chdir(".") == 0);
	NEED(stat("a.so", &st) == 0);
	*number = SYS_getpgrp;
	write_file("a.so", bytes, size, 0);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	NEED(utimensat(AT_FDCWD, "a.so", times, 0) == 0);
	calls_open_file(&calls, "./a.so");
	SHOW(all_are(SYS_getpgrp));
	SHOW(dlclose(calls.handle));
	free(bytes);
	return 0;
}
