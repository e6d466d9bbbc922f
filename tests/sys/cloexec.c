/* What descriptors a new program has. */
#include "check.h"

int main(int argc, char **argv)
{
	if (argc > 1) {
		for (int fd = 3; fd < 12; fd++)
			if (fcntl(fd, F_GETFD) >= 0)
				printf("%d open\n", fd);
		SHOW(lseek(5, 0, SEEK_CUR));
		return 0;
	}
	NEED(open("/dev/null", O_RDONLY) == 3);
	NEED(open("/dev/null", O_RDONLY | O_CLOEXEC) == 4);
	NEED(open("f", O_RDWR | O_CREAT, 0600) == 5);
	NEED(write(5, "12345", 5) == 5);
	NEED(dup2(3, 6) == 6);
	NEED(fcntl(6, F_SETFD, FD_CLOEXEC) == 0);
	NEED(dup(6) == 7);
	NEED(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) == 8);
	NEED(socket(AF_UNIX, SOCK_STREAM, 0) == 9);
	NEED(dup3(3, 10, O_CLOEXEC) == 10);
	execl(argv[0], argv[0], "again", NULL);
	return 98;
}
