/*
 * test: timeout=60 corners
 *
 * Threads that make nothing but looks at clocks, for long enough for turns to be taken from them; some of the looks, between two halves of a
 * change, depend on an address.  A turn ends at a look that all variants make, not at one that an allocator may have made.
 */
#include "turns.h"

#define ROUNDS 25000

static unsigned shared;

static void *count(void *arg)
{
	uint64_t seed = (uintptr_t)&seed >> 12;
	unsigned lost = 0;
	struct timespec now;

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned before = shared;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		if (seed >> 62 == 0)
			NEED(!clock_gettime(CLOCK_MONOTONIC_COARSE, &now));
		lost += shared != before;
		__atomic_store_n(&shared, before + 1, __ATOMIC_RELAXED);
		NEED(!clock_gettime(CLOCK_REALTIME_COARSE, &now));
	}
	tell(&lost, sizeof(lost));
	return arg;
}

int main(void)
{
	together(2, count);
	tell(&shared, sizeof(shared));
	puts("same");
	return 0;
}
