/* SIGPIPE: kills by default, ignored gives EPIPE, MSG_NOSIGNAL. */
#include "check.h"

static int write_closed(void)
{
	int fds[2];

	NEED(pipe(fds) == 0);
	close(fds[0]);
	OUTCOME(write(fds[1], "x", 1));
	return 3;
}

static volatile sig_atomic_t count;

static void handler(int sig)
{
	(void)sig;
	count++;
}

int main(void)
{
	int fds[2];

	reap("default", spawn(write_closed));
	signal(SIGPIPE, SIG_IGN);
	reap("ignored", spawn(write_closed));
	on_signal(SIGPIPE, handler, 0);
	write_closed();
	SHOW(count);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	close(fds[0]);
	OUTCOME(send(fds[1], "x", 1, MSG_NOSIGNAL));
	SHOW(count);
	OUTCOME(send(fds[1], "x", 1, 0));
	SHOW(count);
	return 0;
}
