/* Which calls a handler interrupts, with SA_RESTART and without. */
#include <sys/epoll.h>
#include "check.h"

static volatile sig_atomic_t ticks;
static pid_t parent;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

/* A signal after 100 ms; if the call is restarted it ends by a byte (or a child's end) after 250 ms. */
static pid_t disturb(int fd)
{
	pid_t pid = fork();

	NEED(pid >= 0);
	if (pid == 0) {
		sleep_ms(100);
		kill(parent, SIGUSR1);
		sleep_ms(150);
		if (fd >= 0)
			send_byte(fd);
		_exit(0);
	}
	return pid;
}

static void all(int flags)
{
	int fds[2], s[2], ep = epoll_create1(0), status;
	struct epoll_event ev = { .events = EPOLLIN };
	struct pollfd p = { .events = POLLIN };
	char c;
	pid_t pid;

	on_signal(SIGUSR1, tick, flags);
	NEED(pipe(fds) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	NEED(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &ev) == 0);
	p.fd = fds[0];
	ticks = 0;
	pid = disturb(fds[1]);
	OUTCOME(read(fds[0], &c, 1));
	waitpid(pid, NULL, 0);
	pid = disturb(s[1]);
	OUTCOME(recv(s[0], &c, 1, 0));
	waitpid(pid, NULL, 0);
	pid = disturb(-1);
	OUTCOME(poll(&p, 1, 3000) == 0 ? 0 : -1);
	waitpid(pid, NULL, 0);
	pid = disturb(-1);
	OUTCOME(epoll_wait(ep, &ev, 1, 3000));
	waitpid(pid, NULL, 0);
	pid = disturb(-1);
	OUTCOME(waitpid(pid, &status, 0));
	waitpid(pid, NULL, 0);
	SHOW(ticks);
}

int main(void)
{
	parent = getpid();
	all(0);
	all(SA_RESTART);
	return 0;
}
