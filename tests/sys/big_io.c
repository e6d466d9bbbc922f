/* test: heap */
/* 8 MiB through a pipe and through a file, in one write each. */
#include "check.h"

#define SIZE (8UL << 20)

int main(void)
{
	unsigned char *data = malloc(SIZE), *back = malloc(SIZE);
	uint32_t sum = 1;
	int fds[2], fd = open("f", O_RDWR | O_CREAT, 0600), status;
	size_t got = 0;
	ssize_t n;
	pid_t pid;

	NEED(data && back && fd >= 0 && pipe(fds) == 0);
	for (size_t i = 0; i < SIZE; i++) {
		sum = sum * 1664525 + 1013904223;
		data[i] = (unsigned char)(sum >> 24);
	}
	SHOW(write(fd, data, SIZE));
	SHOW(pread(fd, back, SIZE, 0));
	SHOW(memcmp(data, back, SIZE));
	SHOW(pread(fd, back, SIZE, SIZE - 10));
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		_exit(write(fds[1], data, SIZE) != (ssize_t)SIZE);
	}
	close(fds[1]);
	memset(back, 0, SIZE);
	while ((n = read(fds[0], back + got, SIZE - got)) > 0)
		got += (size_t)n;
	SHOW(got);
	SHOW(memcmp(data, back, SIZE));
	NEED(waitpid(pid, &status, 0) == pid);
	show_status("writer", status);
	return 0;
}
