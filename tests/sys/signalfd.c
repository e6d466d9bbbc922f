/* signalfd: blocked signals are read as records. */
#include <sys/signalfd.h>
#include "check.h"

int main(void)
{
	sigset_t set;
	struct signalfd_siginfo info[4];
	struct pollfd p = { .events = POLLIN };
	pid_t pid, me = getpid();

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	p.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	NEED(p.fd >= 0);
	OUTCOME(read(p.fd, info, sizeof(info)));
	raise(SIGUSR1);
	SHOW(poll(&p, 1, 1000));
	SHOW(read(p.fd, info, sizeof(info)) / (ssize_t)sizeof(*info));
	SHOW(info[0].ssi_signo == SIGUSR1);
	SHOW((pid_t)info[0].ssi_pid == me);
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0)
		_exit(8);
	SHOW(poll(&p, 1, 5000));
	SHOW(read(p.fd, info, sizeof(*info)) / (ssize_t)sizeof(*info));
	SHOW(info[0].ssi_signo == SIGCHLD);
	SHOW((pid_t)info[0].ssi_pid == pid);
	SHOW(info[0].ssi_status);
	reap("child", pid);
	sigaddset(&set, SIGUSR2);
	SHOW(signalfd(p.fd, &set, 0) == p.fd);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	raise(SIGUSR2);
	SHOW(read(p.fd, info, sizeof(*info)) / (ssize_t)sizeof(*info));
	SHOW(info[0].ssi_signo == SIGUSR2);
	return 0;
}
