/*
 * test: corners
 * A call that two signals interrupt at nearly the same time, one that is ignored and one with a handler that was set without
 * SA_RESTART: a child ends when a timer expires.  The kernel may have decided to make the call again for the first when the second comes.
 */
#include "check.h"

#define ROUNDS 300
#define STEP 1000000

static volatile sig_atomic_t ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

static void arm(timer_t timer, const struct timespec *at)
{
	struct itimerspec its = { .it_value = *at, .it_interval = { 0, 5 * STEP } };

	NEED(timer_settime(timer, TIMER_ABSTIME, &its, NULL) == 0);
}

/* The kernel goes on with the second in another way. */
static int waits_long(unsigned i)
{
	return i % 3 ? open("fifo", O_RDONLY) : nanosleep(&(struct timespec){ .tv_sec = 20 }, NULL);
}

int main(void)
{
	unsigned interrupted = 0, went_on = 0;
	struct itimerspec off = { 0 };
	struct timespec at;
	timer_t timer;

	NEED(mkfifo("fifo", 0600) == 0);
	on_signal(SIGALRM, tick, 0);
	NEED(timer_create(CLOCK_MONOTONIC, &(struct sigevent){ .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM }, &timer) == 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		pid_t pid;

		clock_gettime(CLOCK_MONOTONIC, &at);
		at.tv_nsec += 2 * STEP;
		at.tv_sec += at.tv_nsec / 1000000000;
		at.tv_nsec %= 1000000000;
		pid = fork();
		NEED(pid >= 0);
		if (!pid) {
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
			_exit(0);
		}
		ticks = 0;
		arm(timer, &at);
		errno = 0;
		interrupted += waits_long(i) < 0 && errno == EINTR;
		went_on += ticks > 1;
		NEED(timer_settime(timer, 0, &off, NULL) == 0);
		while (waitpid(pid, NULL, 0) != pid)
			;
	}
	SHOW(interrupted == ROUNDS);
	/* Say how often, to all variants and to nobody else. */
	NEED(access(went_on % 2 ? "odd" : "even", F_OK) < 0);
	return 0;
}
