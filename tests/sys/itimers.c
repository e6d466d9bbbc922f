/* Interval timers of all kinds, POSIX timers, what they report. */
#include "check.h"

static volatile sig_atomic_t alarms, virtuals, value;

static void count_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static void count_virtual(int sig)
{
	(void)sig;
	virtuals++;
}

static void timer_handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	value = info->si_value.sival_int;
}

int main(void)
{
	struct itimerval it = { { 0, 20000 }, { 0, 20000 } }, old;
	struct sigaction sa = { .sa_sigaction = timer_handler, .sa_flags = SA_SIGINFO };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 99 };
	struct itimerspec its = { { 0, 0 }, { 0, 30000000 } }, left;
	timer_t timer;

	on_signal(SIGALRM, count_alarm, 0);
	on_signal(SIGVTALRM, count_virtual, 0);
	NEED(setitimer(ITIMER_REAL, &it, NULL) == 0);
	while (alarms < 3)
		pause();
	NEED(getitimer(ITIMER_REAL, &old) == 0);
	SHOW(old.it_interval.tv_usec);
	SHOW(old.it_value.tv_usec <= 20000);
	it = (struct itimerval){ 0 };
	NEED(setitimer(ITIMER_REAL, &it, &old) == 0);
	SHOW(old.it_interval.tv_usec);
	it.it_value.tv_usec = 20000;
	NEED(setitimer(ITIMER_VIRTUAL, &it, NULL) == 0);
	while (!virtuals)
		;
	SHOW(virtuals);
	NEED(sigaction(SIGRTMIN, &sa, NULL) == 0);
	NEED(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0);
	NEED(timer_settime(timer, 0, &its, NULL) == 0);
	while (!value)
		pause();
	SHOW(value);
	NEED(timer_gettime(timer, &left) == 0);
	SHOW(left.it_value.tv_nsec);
	SHOW(timer_getoverrun(timer));
	SHOW(timer_delete(timer));
	OUTCOME(setitimer(9, &it, NULL));
	return 0;
}
