/* poll, select, ppoll, pselect: results, time-outs, bits beyond the set, masks that open for the call. */
#include <sys/select.h>
#include "check.h"

static volatile sig_atomic_t signals;

static void handler(int sig)
{
	(void)sig;
	signals++;
}

int main(void)
{
	int fds[2], high;
	struct pollfd p[3] = { { .events = POLLIN }, { .events = POLLOUT }, { .fd = 99, .events = POLLIN } };
	struct timeval tv = { 0, 20000 };
	struct timespec ts = { 0, 20000000 }, zero = { 0, 0 };
	fd_set in, out;
	sigset_t set, empty;

	NEED(pipe(fds) == 0);
	p[0].fd = fds[0];
	p[1].fd = fds[1];
	SHOW(poll(p, 3, 1000));
	SHOW(p[0].revents);
	SHOW(p[1].revents == POLLOUT);
	SHOW(p[2].revents == POLLNVAL);
	SHOW(poll(p, 1, 20));
	SHOW(poll(NULL, 0, 5));
	FD_ZERO(&in);
	FD_SET(fds[0], &in);
	SHOW(select(fds[0] + 1, &in, NULL, NULL, &tv));
	SHOW(tv.tv_sec + tv.tv_usec);
	SHOW(FD_ISSET(fds[0], &in) != 0);
	high = fcntl(fds[1], F_DUPFD, 200);
	SHOW(high);
	FD_ZERO(&out);
	FD_SET(high, &out);
	FD_SET(fds[0], &in);
	send_byte(fds[1]);
	SHOW(select(high + 1, &in, &out, NULL, NULL));
	SHOW(FD_ISSET(fds[0], &in) != 0);
	SHOW(FD_ISSET(high, &out) != 0);
	wait_byte(fds[0]);
	close(high);
	FD_SET(high, &in);
	OUTCOME(select(high + 1, &in, NULL, NULL, &tv));

	on_signal(SIGUSR1, handler, 0);
	sigemptyset(&empty);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	raise(SIGUSR1);
	OUTCOME(ppoll(p, 1, &ts, &empty));
	SHOW(signals);
	raise(SIGUSR1);
	FD_ZERO(&in);
	FD_SET(fds[0], &in);
	OUTCOME(pselect(fds[0] + 1, &in, NULL, NULL, &ts, &empty));
	SHOW(signals);
	raise(SIGUSR1);
	SHOW(ppoll(p, 1, &zero, &set));
	SHOW(signals);
	close(fds[1]);
	SHOW(poll(p, 1, 1000));
	SHOW(p[0].revents == POLLHUP);
	return 0;
}
