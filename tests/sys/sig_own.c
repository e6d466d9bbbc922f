/* Signals that a call of the thread's own sends to it: their handlers have run when the call returns. */
#include <mqueue.h>
#include <pty.h>
#include <sys/ioctl.h>
#include "check.h"

static volatile sig_atomic_t came, last;

static void count(int sig)
{
	came++;
	last = sig;
}

/* How often did it come with the call, and what? */
#define COMES(e) do { \
	came = last = 0; \
	NEED((e) >= 0); \
	printf("%s: %d, SIG%s\n", #e, (int)came, last ? sigabbrev_np(last) : "NONE"); \
} while (0)

static void by_files(void)
{
	struct iovec v = { "ab", 2 };
	char c[8];
	int s[2];

	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
	NEED(fcntl(s[0], F_SETOWN, getpid()) == 0 && fcntl(s[0], F_SETFL, O_ASYNC) == 0);
	COMES(write(s[1], "a", 1));
	COMES(writev(s[1], &v, 1));
	COMES(send(s[1], "a", 1, 0));
	/* Room for more to write. */
	COMES(fcntl(s[1], F_SETOWN, getpid()));
	COMES(fcntl(s[1], F_SETFL, O_ASYNC));
	COMES(read(s[0], c, sizeof(c)));
	COMES(recv(s[0], c, sizeof(c), 0));
	close(s[0]);
	close(s[1]);
}

static void by_queue(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 8 };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	char name[32];
	mqd_t q;

	snprintf(name, sizeof(name), "/sig_own-%d", getpid());
	NEED((q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attr)) >= 0);
	mq_unlink(name);
	NEED(mq_notify(q, &event) == 0);
	COMES(mq_send(q, "a", 1, 0));
	COMES(mq_send(q, "a", 1, 0));
	mq_close(q);
}

static int by_terminal(void)
{
	struct winsize size = { .ws_row = 10, .ws_col = 20 };
	int master, slave;

	on_signal(SIGWINCH, count, 0);
	on_signal(SIGHUP, count, 0);
	NEED(setsid() > 0 && openpty(&master, &slave, NULL, NULL, NULL) == 0 && ioctl(slave, TIOCSCTTY, 0) == 0);
	COMES(ioctl(slave, TIOCSWINSZ, &size));
	close(slave);
	COMES(close(master));
	return 0;
}

int main(void)
{
	on_signal(SIGIO, count, 0);
	on_signal(SIGUSR1, count, 0);
	by_files();
	by_queue();
	reap("terminal", spawn(by_terminal));
	return 0;
}
