/* Pipes: order, partial reads, end of file, non-blocking, capacity, flags. */
#include "check.h"

int main(void)
{
	int fds[2];
	char buf[16] = "";

	NEED(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
	OUTCOME(read(fds[0], buf, sizeof(buf)));
	SHOW(write(fds[1], "abcdef", 6));
	SHOW(read(fds[0], buf, 4));
	puts(buf);
	SHOW(read(fds[0], buf, 16));
	SHOW(fcntl(fds[0], F_GETFL) == O_NONBLOCK);
	SHOW(fcntl(fds[0], F_GETFD));
	SHOW(fcntl(fds[1], F_SETPIPE_SZ, 4096));
	SHOW(fcntl(fds[1], F_GETPIPE_SZ));
	char page[4096];
	memset(page, 'p', sizeof(page));
	SHOW(write(fds[1], page, sizeof(page)));
	OUTCOME(write(fds[1], page, 1));
	SHOW(close(fds[1]));
	SHOW(read(fds[0], page, sizeof(page)));
	SHOW(read(fds[0], page, sizeof(page)));
	SHOW(close(fds[0]));
	OUTCOME(close(fds[0]));
	OUTCOME(pipe(NULL));
	OUTCOME(pipe2(fds, 0x40000000));
	return 0;
}
