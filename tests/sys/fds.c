/* Descriptor numbers are the lowest free; dup, dup2, dup3, F_DUPFD; errors on closed ones. */
#include <sys/resource.h>
#include "check.h"

int main(void)
{
	int a, b, c;
	struct rlimit few = { 20, 20 };

	SHOW(a = open("/dev/null", O_RDWR));
	SHOW(b = open("/dev/null", O_RDWR));
	SHOW(c = dup(a));
	SHOW(close(a));
	SHOW(dup(b) == a);
	SHOW(dup2(b, 17));
	SHOW(dup2(17, 17));
	SHOW(dup3(b, 18, O_CLOEXEC));
	SHOW(fcntl(18, F_GETFD));
	OUTCOME(dup3(b, b, 0));
	SHOW(fcntl(b, F_DUPFD, 10));
	SHOW(fcntl(b, F_DUPFD_CLOEXEC, 10));
	SHOW(fcntl(11, F_GETFD));
	SHOW(fcntl(11, F_SETFD, 0));
	SHOW(fcntl(11, F_GETFD));
	SHOW(close(0));
	SHOW(open("/dev/zero", O_RDONLY));
	OUTCOME(dup(99));
	OUTCOME(dup2(99, 5));
	OUTCOME(dup2(a, -1));
	OUTCOME(dup2(99, 99));
	OUTCOME(close(99));
	OUTCOME(close(-1));
	OUTCOME(fcntl(99, F_GETFL));
	OUTCOME(fcntl(a, 9999));
	OUTCOME(read(99, &a, 1));
	OUTCOME(write(-1, &a, 1));
	OUTCOME(lseek(99, 0, SEEK_SET));
	SHOW((fcntl(a, F_GETFL) & O_ACCMODE) == O_RDWR);
	NEED(setrlimit(RLIMIT_NOFILE, &few) == 0);
	while ((c = dup(a)) >= 0)
		b = c;
	SHOW(b);
	SHOW(errno == EMFILE);
	OUTCOME(open("/dev/null", O_RDONLY));
	OUTCOME(socket(AF_UNIX, SOCK_STREAM, 0));
	OUTCOME(dup2(a, 20));
	OUTCOME(syscall(SYS_close_range, 10, 15, 0));
	SHOW(dup(a));
	return 0;
}
