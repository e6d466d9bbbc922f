/*
 * Storms: COUNT real-time signals, ten thousand a second, from one source into every consumer of signals there is, one after the
 * other.  Each must arrive, once, in order, with what it carries.
 */
#ifndef TESTS_SYS_STORM_H
#define TESTS_SYS_STORM_H

#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include "check.h"

#ifndef COUNT
#define COUNT 300
#endif
#define STORM (SIGRTMIN + 3)
#define BATCH 50	/* signals each five milliseconds */

/* What differs between sources: whether they number their signals, and the code that signals have. */
struct source {
	bool numbered;
	int code;
	void (*start)(void);	/* send COUNT signals to this process, or its first thread, beside what it does */
	void (*end)(void);
};

static volatile int came, odd, jumped, children;
static const struct source *source;
static sigjmp_buf back;
static bool jumps, forks;

static inline void judge(int code, int value)
{
	odd += code != source->code || (source->numbered && value != came);
	came++;
}

static inline void storm_handler(int sig, siginfo_t *info, void *context)
{
	int status;

	(void)sig;
	(void)context;
	judge(info->si_code, info->si_value.sival_int);
	if (forks && came % 50 == 0) {
		pid_t pid = fork();

		NEED(pid >= 0);
		if (pid == 0)
			_exit(came / 50);
		while (waitpid(pid, &status, 0) < 0)
			NEED(errno == EINTR);
		children += WIFEXITED(status) && WEXITSTATUS(status) == came / 50;
	}
	if (jumps && came % 2) {
		jumped++;
		siglongjmp(back, 1);
	}
}

/* The one that paces: a batch each five milliseconds, if the others are not late. */
static inline void pace(const struct timespec *begin, int i)
{
	struct timespec now;
	long late;

	if (i % BATCH)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	late = (now.tv_sec - begin->tv_sec) * 1000 + (now.tv_nsec - begin->tv_nsec) / 1000000;
	if (late < i / 10)
		sleep_ms(i / 10 - late);
}

/* ---- consumers: called until all have come ---- */

static sigset_t storm_set, none_set;
static int storm_fd, storm_epoll, pipe_epoll, storm_pipe[2], storm_file;

static inline void by_sigwaitinfo(void)
{
	siginfo_t info;

	if (sigwaitinfo(&storm_set, &info) == STORM)
		judge(info.si_code, info.si_value.sival_int);
}

static inline void by_sigtimedwait(void)
{
	struct timespec brief = { 0, 50000 };
	siginfo_t info;

	if (sigtimedwait(&storm_set, &info, &brief) == STORM)
		judge(info.si_code, info.si_value.sival_int);
}

static inline void by_sigtimedwait_zero(void)
{
	struct timespec none = { 0, 0 };
	siginfo_t info;

	if (sigtimedwait(&storm_set, &info, &none) == STORM)
		judge(info.si_code, info.si_value.sival_int);
	else
		sleep_ms(1);
}

static inline void by_sigwait(void)
{
	int sig;

	NEED(sigwait(&storm_set, &sig) == 0);
	came += sig == STORM;
}

static inline void by_signalfd(void)
{
	struct signalfd_siginfo info[7];
	ssize_t n = read(storm_fd, info, sizeof(info));

	for (ssize_t i = 0; n > 0 && i < n / (ssize_t)sizeof(*info); i++)
		judge(info[i].ssi_code, info[i].ssi_int);
}

static inline void by_signalfd_poll(void)
{
	struct pollfd p = { .fd = storm_fd, .events = POLLIN };

	if (poll(&p, 1, 100) == 1)
		by_signalfd();
}

static inline void by_signalfd_epoll(void)
{
	struct epoll_event e;

	if (epoll_wait(storm_epoll, &e, 1, 100) == 1)
		by_signalfd();
}

static inline void by_sigsuspend(void)
{
	sigsuspend(&none_set);
}

static inline void by_ppoll(void)
{
	struct timespec limit = { 0, 20000000 };
	struct pollfd p = { .fd = storm_pipe[0], .events = POLLIN };

	ppoll(&p, 1, &limit, &none_set);
}

static inline void by_pselect(void)
{
	struct timespec limit = { 0, 20000000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(storm_pipe[0], &set);
	pselect(storm_pipe[0] + 1, &set, NULL, NULL, &limit, &none_set);
}

static inline void by_epoll_pwait(void)
{
	struct epoll_event e;

	epoll_pwait(pipe_epoll, &e, 1, 20, &none_set);
}

/* Unblock for a moment: all that wait then come. */
static inline void by_mask(void)
{
	sigprocmask(SIG_UNBLOCK, &storm_set, NULL);
	getppid();
	sigprocmask(SIG_BLOCK, &storm_set, NULL);
	sleep_ms(1);
}

/* Handlers, waits and reads take turns. */
static inline void by_ways(void)
{
	struct timespec none = { 0, 0 };
	struct signalfd_siginfo record;
	siginfo_t info;

	sigprocmask(SIG_UNBLOCK, &storm_set, NULL);
	sigprocmask(SIG_BLOCK, &storm_set, NULL);
	if (sigtimedwait(&storm_set, &info, &none) == STORM)
		judge(info.si_code, info.si_value.sival_int);
	if (read(storm_fd, &record, sizeof(record)) == sizeof(record))
		judge(record.ssi_code, record.ssi_int);
}

static inline void by_calls(void)
{
	char c = 'x';

	sigprocmask(SIG_UNBLOCK, &storm_set, NULL);
	for (int i = 0; came < COUNT; i++) {
		NEED(write(storm_pipe[1], &c, 1) == 1);
		while (read(storm_pipe[0], &c, 1) != 1)
			NEED(errno == EINTR);
		NEED(pwrite(storm_file, &c, 1, i % 1000) == 1);
	}
	sigprocmask(SIG_BLOCK, &storm_set, NULL);
}

static inline void by_naps(void)
{
	struct timespec brief = { 0, 300000 };

	sigprocmask(SIG_UNBLOCK, &storm_set, NULL);
	while (came < COUNT)
		nanosleep(&brief, NULL);
	sigprocmask(SIG_BLOCK, &storm_set, NULL);
}

static inline void rescue(int sig)
{
	(void)sig;
}

/* The last one may come right before a pause: a timer ends that. */
static inline void by_pause(void)
{
	struct itimerval often = { { 0, 20000 }, { 0, 20000 } }, never = { { 0, 0 }, { 0, 0 } };

	on_signal(SIGALRM, rescue, 0);
	sigprocmask(SIG_UNBLOCK, &storm_set, NULL);
	NEED(setitimer(ITIMER_REAL, &often, NULL) == 0);
	while (came < COUNT)
		pause();
	NEED(setitimer(ITIMER_REAL, &never, NULL) == 0);
	sigprocmask(SIG_BLOCK, &storm_set, NULL);
}

static inline void by_jumps(void)
{
	jumps = true;
	sigprocmask(SIG_BLOCK, &storm_set, NULL);
	if (sigsetjmp(back, 1) == 0)
		sigsuspend(&none_set);
	jumps = false;
}

static inline void by_forks(void)
{
	forks = true;
	sigsuspend(&none_set);
	forks = false;
}

/* A computation without calls, in the midst of which handlers run. */
static inline void by_computing(void)
{
	volatile unsigned x = 0;

	sigprocmask(SIG_UNBLOCK, &storm_set, NULL);
	while (came < COUNT)
		for (int i = 0; i < 10000; i++)
			x = x * 31 + 1;
	sigprocmask(SIG_BLOCK, &storm_set, NULL);
}

#define CONSUMER(name) { #name, by_##name }
static const struct consumer {
	const char *name;
	void (*consume)(void);
} consumers[] = {
	CONSUMER(sigwaitinfo), CONSUMER(sigtimedwait), CONSUMER(sigtimedwait_zero), CONSUMER(sigwait), CONSUMER(signalfd),
	CONSUMER(signalfd_poll), CONSUMER(signalfd_epoll), CONSUMER(sigsuspend), CONSUMER(ppoll), CONSUMER(pselect),
	CONSUMER(epoll_pwait), CONSUMER(mask), CONSUMER(ways), CONSUMER(calls), CONSUMER(naps), CONSUMER(pause), CONSUMER(jumps), CONSUMER(forks),
	CONSUMER(computing),
};

static inline void storm_into(const struct consumer *c)
{
	came = odd = jumped = children = 0;
	sigprocmask(SIG_BLOCK, &storm_set, NULL);
	source->start();
	while (came < COUNT)
		c->consume();
	source->end();
	printf("%s: %d came, %d odd, %d children\n", c->name, came, odd, children);
}

static inline void storm_from(const struct source *s)
{
	struct sigaction sa = { .sa_sigaction = storm_handler, .sa_flags = SA_SIGINFO };
	struct epoll_event e = { .events = EPOLLIN };
	const char *only = getenv("STORM_ONLY");
	sigset_t left;

	source = s;
	sigemptyset(&storm_set);
	sigaddset(&storm_set, STORM);
	NEED(sigprocmask(SIG_BLOCK, &storm_set, NULL) == 0 && sigaction(STORM, &sa, NULL) == 0);
	NEED((storm_fd = signalfd(-1, &storm_set, SFD_NONBLOCK | SFD_CLOEXEC)) >= 0 && pipe(storm_pipe) == 0);
	NEED((storm_file = open("storm", O_RDWR | O_CREAT, 0600)) >= 0);
	NEED((storm_epoll = epoll_create1(0)) >= 0 && epoll_ctl(storm_epoll, EPOLL_CTL_ADD, storm_fd, &e) == 0);
	NEED((pipe_epoll = epoll_create1(0)) >= 0 && epoll_ctl(pipe_epoll, EPOLL_CTL_ADD, storm_pipe[0], &e) == 0);
	for (size_t i = 0; i < sizeof(consumers) / sizeof(*consumers); i++)
		if (!only || !strcmp(only, consumers[i].name))
			storm_into(&consumers[i]);
	/* None came twice. */
	NEED(sigpending(&left) == 0);
	SHOW(sigismember(&left, STORM));
}

#endif
