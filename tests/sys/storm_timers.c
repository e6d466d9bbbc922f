/*
 * test: timeout=120
 * A storm of timers, each of which fires once.
 */
#include "storm.h"

static timer_t timers[COUNT];

static void start(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (int i = 0; i < COUNT; i++) {
		struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = STORM, .sigev_value.sival_int = i };
		struct itimerspec when = { .it_value = now };

		when.it_value.tv_nsec += 10000000 + i * 100000;
		when.it_value.tv_sec += when.it_value.tv_nsec / 1000000000;
		when.it_value.tv_nsec %= 1000000000;
		NEED(timer_create(CLOCK_MONOTONIC, &event, &timers[i]) == 0);
		NEED(timer_settime(timers[i], TIMER_ABSTIME, &when, NULL) == 0);
	}
}

static void end(void)
{
	for (int i = 0; i < COUNT; i++)
		NEED(timer_delete(timers[i]) == 0);
}

int main(void)
{
	/* Those that are late when they are set come when they can. */
	static const struct source timer = { false, SI_TIMER, start, end };

	storm_from(&timer);
	return 0;
}
