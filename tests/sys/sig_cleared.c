/* A flag is cleared after the timer that sets it has been started, and looked at without a call: no variant gets its signal before that. */
#include <sys/resource.h>
#include "check.h"

static volatile sig_atomic_t done;

static void set(int sig)
{
	(void)sig;
	done = 1;
}

static void wait_for_it(const char *what)
{
	done = 0;
	while (!done)
		;
	printf("%s\n", what);
}

static void clock_timer(clockid_t clock, const char *what)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec soon = { .it_value = { 0, 30000000 } };
	timer_t timer;

	NEED(timer_create(clock, &event, &timer) == 0);
	for (int i = 0; i < 3; i++) {
		NEED(timer_settime(timer, 0, &soon, NULL) == 0);
		wait_for_it(what);
	}
	NEED(timer_delete(timer) == 0);
}

static int limit(void)
{
	struct rlimit cpu = { 1, 10 };

	NEED(setrlimit(RLIMIT_CPU, &cpu) == 0);
	wait_for_it("limit of CPU time");
	return 0;
}

int main(void)
{
	static const int timers[] = { ITIMER_REAL, ITIMER_PROF, ITIMER_VIRTUAL };
	struct itimerval soon = { .it_value = { 0, 30000 } };

	on_signal(SIGALRM, set, 0);
	on_signal(SIGPROF, set, 0);
	on_signal(SIGVTALRM, set, 0);
	on_signal(SIGUSR1, set, 0);
	on_signal(SIGXCPU, set, 0);
	for (int i = 0; i < 6; i++) {
		NEED(setitimer((enum __itimer_which)timers[i % 3], &soon, NULL) == 0);
		wait_for_it("interval timer");
	}
	clock_timer(CLOCK_MONOTONIC, "timer");
	clock_timer(CLOCK_THREAD_CPUTIME_ID, "timer of the thread's CPU time");
	clock_timer(CLOCK_PROCESS_CPUTIME_ID, "timer of the process' CPU time");
	reap("limit", spawn(limit));
	return 0;
}
