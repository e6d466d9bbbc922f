/*
 * pidfds between processes: passed on, polled by several and by epoll, sent a signal with a value, of a grandchild, not blocking;
 * waitid by them with and without an answer, and of no child.
 */
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include "pass_fd.h"

static int s[2], ready[2];
static volatile sig_atomic_t value, code, by_parent;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	value = info->si_value.sival_int;
	code = info->si_code;
	by_parent = info->si_pid == getppid();
}

static int waits(void)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, &old);
	NEED(sigaction(SIGRTMIN, &sa, NULL) == 0);
	send_byte(ready[1]);
	sigsuspend(&old);
	SHOW(value);
	SHOW(code == SI_QUEUE);
	SHOW(by_parent);
	return 9;
}

/* Who has got a pidfd of a process that is not its child: it may signal it, see its end, and not wait for it. */
static int sibling(void)
{
	int fd = passed_fd(s[1]);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	siginfo_t info;

	SHOW(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	OUTCOME(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	SHOW(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
	SHOW(poll(&p, 1, 10000));
	SHOW(p.revents);
	return 0;
}

static void with_value(void)
{
	siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };
	pid_t pid = spawn(waits);
	int fd = pidfd_open(pid, 0), ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0x123456789abcull };

	NEED(fd >= 0 && ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
	SHOW(fcntl(fd, F_GETFD));
	wait_byte(ready[0]);
	info.si_value.sival_int = 4711;
	info.si_pid = getpid();
	info.si_uid = getuid();
	SHOW(epoll_wait(ep, &ev, 1, 0));
	NEED(pidfd_send_signal(fd, SIGRTMIN, &info, 0) == 0);
	ev.data.u64 = 0;
	NEED(epoll_wait(ep, &ev, 1, 10000) == 1);	/* the child has printed what it has to */
	SHOW(ev.data.u64 == 0x123456789abcull);
	memset(&info, 0, sizeof(info));
	SHOW(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOWAIT));
	SHOW(info.si_pid == pid);
	SHOW(info.si_status);
	SHOW(waitid(P_PIDFD, (id_t)fd, NULL, WEXITED));
	OUTCOME(waitid(P_PIDFD, (id_t)fd, NULL, WEXITED));
	OUTCOME(waitpid(pid, NULL, 0));
	close(fd);
	close(ep);
}

static int forever(void)
{
	for (;;)
		pause();
	return 0;
}

static void passed_on(void)
{
	pid_t victim = spawn(forever), other = spawn(sibling);
	int fd = pidfd_open(victim, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	siginfo_t info;

	NEED(fd >= 0);
	pass_fd(s[0], fd);
	reap("sibling", other);
	/* It is a zombie until it is waited for. */
	SHOW(poll(&p, 1, 10000));
	SHOW(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	SHOW(info.si_code == CLD_KILLED);
	SHOW(info.si_status);
	OUTCOME(pidfd_send_signal(fd, 0, NULL, 0));
	close(fd);
}

static int grandparent(void)
{
	pid_t pid = spawn(forever);

	NEED(write(ready[1], &pid, sizeof(pid)) == sizeof(pid));
	return 3;
}

static void grandchild(void)
{
	pid_t child, pid;
	siginfo_t info;
	int fd;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	child = spawn(grandparent);
	NEED(read(ready[0], &pid, sizeof(pid)) == sizeof(pid));
	fd = pidfd_open(pid, 0);
	NEED(fd >= 0);
	reap("its parent", child);
	SHOW(pidfd_send_signal(fd, SIGKILL, NULL, 0));
	SHOW(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	SHOW(info.si_pid == pid);
	close(fd);
}

static void not_blocking(void)
{
	pid_t pid = spawn(forever);
	int fd = pidfd_open(pid, PIDFD_NONBLOCK), got;
	siginfo_t info;

	NEED(fd >= 0);
	OUTCOME(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	got = pidfd_getfd(fd, STDERR_FILENO, 0);
	SHOW(got >= 0 ? fcntl(got, F_GETFD) : got);
	OUTCOME(pidfd_getfd(fd, 99, 0));
	OUTCOME(pidfd_open(pid, 1));
	OUTCOME(pidfd_open(0, 0));
	OUTCOME(pidfd_send_signal(STDOUT_FILENO, SIGTERM, NULL, 0));
	SHOW(pidfd_send_signal(fd, SIGKILL, NULL, 0));
	reap("killed", pid);
}

int main(void)
{
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(ready) == 0);
	with_value();
	passed_on();
	grandchild();
	not_blocking();
	return 0;
}
