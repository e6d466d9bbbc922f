/* SIGIO: O_ASYNC with and without F_SETSIG, who gets it, what it carries; SIGURG; SIGPIPE in all its ways; SIGXFSZ, SIGXCPU. */
#include <sys/ioctl.h>
#include <sys/resource.h>
#include "check.h"

static volatile sig_atomic_t got[65], fd_of, band_of;

static void count(int sig, siginfo_t *info, void *context)
{
	(void)context;
	got[sig]++;
	if (info->si_code == POLL_IN || info->si_code == POLL_HUP) {
		fd_of = info->si_fd;
		band_of = info->si_band & POLLIN;
	}
}

static void handle(int sig, int flags)
{
	struct sigaction sa = { .sa_sigaction = count, .sa_flags = SA_SIGINFO | flags };

	NEED(sigaction(sig, &sa, NULL) == 0);
}

static void await(int sig, int n)
{
	while (got[sig] < n)
		sleep_ms(5);
	SHOW(got[sig] == n);
}

static int late(int fd)
{
	pid_t pid = fork();

	NEED(pid >= 0);
	if (pid == 0) {
		sleep_ms(50);
		send_byte(fd);
		_exit(0);
	}
	return pid;
}

static void io(void)
{
	int fds[2];
	char c;
	pid_t pid;

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	handle(SIGIO, SA_RESTART);
	handle(SIGRTMIN + 2, SA_RESTART);
	SHOW(fcntl(fds[0], F_SETOWN, getpid()));
	SHOW(fcntl(fds[0], F_GETOWN) == getpid());
	SHOW(fcntl(fds[0], F_SETFL, O_ASYNC | O_NONBLOCK));
	send_byte(fds[1]);
	await(SIGIO, 1);
	SHOW(read(fds[0], &c, 1));
	SHOW(fcntl(fds[0], F_SETSIG, SIGRTMIN + 2));
	SHOW(fcntl(fds[0], F_GETSIG) == SIGRTMIN + 2);
	pid = late(fds[1]);
	await(SIGRTMIN + 2, 1);
	SHOW(fd_of == fds[0]);
	SHOW(band_of != 0);
	reap("writer", pid);
	SHOW(read(fds[0], &c, 1));
	close(fds[0]);
	close(fds[1]);
}

static void broken(void)
{
	int fds[2], sv[2];
	struct msghdr m = { 0 };
	struct iovec iov = { "x", 1 };

	handle(SIGPIPE, 0);
	NEED(pipe(fds) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0);
	close(fds[0]);
	close(sv[0]);
	OUTCOME(write(fds[1], "x", 1));
	SHOW(got[SIGPIPE]);
	OUTCOME(writev(fds[1], &iov, 1));
	SHOW(got[SIGPIPE]);
	OUTCOME(send(sv[1], "x", 1, 0));
	SHOW(got[SIGPIPE]);
	OUTCOME(send(sv[1], "x", 1, MSG_NOSIGNAL));
	m.msg_iov = &iov;
	m.msg_iovlen = 1;
	OUTCOME(sendmsg(sv[1], &m, 0));
	SHOW(got[SIGPIPE]);
}

static void limits(void)
{
	struct rlimit size, cpu = { 1, 20 };
	int fd = open("file", O_WRONLY | O_CREAT, 0600), first, second, error;
	volatile unsigned long n = 0;

	/* The limit is for standard output, too. */
	NEED(fd >= 0 && getrlimit(RLIMIT_FSIZE, &size) == 0);
	handle(SIGXFSZ, 0);
	size.rlim_cur = 10;
	NEED(setrlimit(RLIMIT_FSIZE, &size) == 0);
	first = (int)write(fd, "0123456789", 10);
	second = (int)write(fd, "x", 1);
	error = errno;
	size.rlim_cur = size.rlim_max;
	NEED(setrlimit(RLIMIT_FSIZE, &size) == 0);
	SHOW(first);
	SHOW(second);
	SHOW(error == EFBIG);
	SHOW(got[SIGXFSZ]);
	handle(SIGXCPU, 0);
	NEED(setrlimit(RLIMIT_CPU, &cpu) == 0);
	while (!got[SIGXCPU])
		n++;
	SHOW(got[SIGXCPU] > 0);
}

int main(void)
{
	io();
	broken();
	limits();
	return 0;
}
