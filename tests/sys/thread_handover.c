/*
 * Threads that hand work over and back by spinning, as redis's do that write to its clients: one counts how long it waits, the other
 * does not, and both make calls as soon as it is their turn.  Before it waits one looks at the clock, and wakes a thread that works in
 * the background, or not, as its addresses say.
 */
#include <linux/futex.h>
#include "turns.h"

#define ROUNDS 60

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_long pending;
static int background;

static void *help(void *arg)
{
	uintptr_t seed = (uintptr_t)&seed;
	struct timespec now;
	long done = 0;

	while (done < ROUNDS) {
		for (int i = 0; i < 1000000 && !atomic_load(&pending); i++)
			;
		if (!atomic_load(&pending)) {
			pthread_mutex_lock(&gate);	/* where it can be stopped */
			pthread_mutex_unlock(&gate);
			continue;
		}
		for (long i = 0; i < 3; i++)
			tell(&done, sizeof(done));
		done++;
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		if (seed >> 40 & 1)
			NEED(!clock_gettime(CLOCK_MONOTONIC_COARSE, &now));
		if (seed >> 41 & 1)
			NEED(syscall(SYS_futex, &background, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0);
		atomic_store(&pending, 0);
	}
	return arg;
}

int main(void)
{
	pthread_t helper = begin(help, 5);
	long sum = 0;

	for (long i = 1; i <= ROUNDS; i++) {
		atomic_store(&pending, i);
		tell(&i, sizeof(i));
		while (atomic_load(&pending))
			;
		tell(&sum, sizeof(sum));
		sum += i;
	}
	printf("handed over: %ld, %ld\n", sum, end(helper));
	return 0;
}
