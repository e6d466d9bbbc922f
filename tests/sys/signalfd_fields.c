/* What signalfd tells of a signal, by its source: kill, sigqueue, a timer, a child, a descriptor that is ready, a thread. */
#include <pthread.h>
#include <sys/signalfd.h>
#include "check.h"

static struct signalfd_siginfo info;
static int fd;
static pid_t me;

static void next(void)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	memset(&info, 0xff, sizeof(info));
	NEED(poll(&p, 1, 10000) == 1);
	SHOW(read(fd, &info, sizeof(info)));
	SHOW(info.ssi_signo);
	SHOW(info.ssi_errno);
	SHOW(info.ssi_code);
	/* What the kernel has not set is zero. */
	SHOW(checksum(info.__pad, sizeof(info.__pad)));
}

static int queues(void)
{
	union sigval v = { .sival_int = -77 };

	NEED(kill(me, SIGUSR1) == 0);
	NEED(sigqueue(me, SIGRTMIN, v) == 0);
	v.sival_int = 78;
	NEED(sigqueue(me, SIGRTMIN, v) == 0);
	return 5;
}

static void from_child(void)
{
	pid_t pid = spawn(queues);
	siginfo_t end;

	/* All are there then, and come by their numbers. */
	NEED(waitid(P_PID, (id_t)pid, &end, WEXITED | WNOWAIT) == 0);
	for (int i = 0; i < 4; i++) {
		next();
		SHOW(info.ssi_pid == (uint32_t)pid);
		SHOW(info.ssi_uid == getuid());
		if (info.ssi_signo == (uint32_t)SIGRTMIN)
			SHOW(info.ssi_int);
		if (info.ssi_signo == SIGCHLD) {
			SHOW(info.ssi_status);
			SHOW(info.ssi_utime < 100);
		}
	}
	reap("child", pid);
}

static int stops(void)
{
	raise(SIGSTOP);
	return 0;
}

static void stopped(void)
{
	pid_t pid = spawn(stops);
	int status;

	next();
	SHOW(info.ssi_status);
	SHOW(info.ssi_pid == (uint32_t)pid);
	NEED(waitpid(pid, &status, WUNTRACED) == pid);
	NEED(kill(pid, SIGKILL) == 0);
	reap("stopped", pid);
	next();
	SHOW(info.ssi_status);
}

static void timer(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 12345 };
	struct itimerspec its = { .it_value = { 0, 1000000 }, .it_interval = { 0, 1000000 } };
	timer_t id;

	NEED(timer_create(CLOCK_MONOTONIC, &ev, &id) == 0 && timer_settime(id, 0, &its, NULL) == 0);
	sleep_ms(50);
	next();
	SHOW(info.ssi_int);
	SHOW(info.ssi_overrun > 0);
	NEED(timer_delete(id) == 0);
	ev.sigev_value.sival_ptr = &info;
	its.it_interval.tv_nsec = 0;
	NEED(timer_create(CLOCK_MONOTONIC, &ev, &id) == 0 && timer_settime(id, 0, &its, NULL) == 0);
	next();
	SHOW(info.ssi_ptr == (uintptr_t)&info);
	SHOW(info.ssi_overrun);
	NEED(timer_delete(id) == 0);
}

static void ready(void)
{
	int s[2];

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	NEED(fcntl(s[0], F_SETSIG, SIGRTMIN + 2) == 0 && fcntl(s[0], F_SETOWN, me) == 0 && fcntl(s[0], F_SETFL, O_ASYNC) == 0);
	send_byte(s[1]);
	next();
	SHOW(info.ssi_fd == s[0]);
	SHOW(info.ssi_band);
}

static void *from_thread(void *arg)
{
	union sigval v = { .sival_ptr = &fd };

	NEED(pthread_kill(*(pthread_t *)arg, SIGUSR1) == 0);
	NEED(sigqueue(me, SIGUSR2, v) == 0);
	return NULL;
}

static void thread(void)
{
	pthread_t self = pthread_self(), t;

	NEED(pthread_create(&t, NULL, from_thread, &self) == 0 && pthread_join(t, NULL) == 0);
	for (int i = 0; i < 2; i++) {
		next();
		SHOW(info.ssi_pid == (uint32_t)me);
		if (info.ssi_signo == SIGUSR2)
			SHOW(info.ssi_ptr == (uintptr_t)&fd);
	}
}

int main(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGCHLD);
	for (int i = 0; i < 3; i++)
		sigaddset(&set, SIGRTMIN + i);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	NEED(fd >= 0);
	me = getpid();
	from_child();
	stopped();
	timer();
	ready();
	thread();
	return 0;
}
