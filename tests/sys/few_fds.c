/* A program that may have 32 descriptors: it gets as many as natively, starts others, and is told when there are no more. */
#include <sys/resource.h>
#include "check.h"

static int child(void)
{
	int fds[2];

	NEED(pipe(fds) == 0);
	SHOW(fds[1]);
	return 3;
}

int main(int argc, char **argv)
{
	struct rlimit few = { 32, 32 };
	int n = 0, last = -1, fd;

	if (argc == 1) {
		NEED(setrlimit(RLIMIT_NOFILE, &few) == 0);
		execl(argv[0], argv[0], "again", NULL);
		return 98;
	}
	NEED(getrlimit(RLIMIT_NOFILE, &few) == 0);
	SHOW(few.rlim_cur);
	reap("child", spawn(child));
	while ((fd = open("/dev/null", O_RDONLY)) >= 0) {
		n++;
		last = fd;
	}
	SHOW(errno == EMFILE);
	SHOW(n);
	SHOW(last);
	OUTCOME(dup(0));
	OUTCOME(socket(AF_UNIX, SOCK_STREAM, 0));
	OUTCOME(dup2(0, 32));
	/* Two free ones are enough to start a program, which opens its libraries. */
	close(last);
	close(last - 1);
	return system("echo started");
}
