/*
 * An allocator looks at a coarse clock, and takes memory, at moments that depend on an address; what the program itself asks for
 * in between, random bytes and the time of day, is the same in all variants all the same.
 */
#include <malloc.h>
#include <sys/random.h>
#include "check.h"

static uint64_t seed;

static unsigned draw(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 40);
}

static void looks(void)
{
	struct timespec now;

	for (unsigned i = draw() % 3; i; i--)
		NEED(!clock_gettime(CLOCK_MONOTONIC_COARSE, &now));
}

int main(void)
{
	struct { unsigned char bytes[64]; struct timespec now, later; } told;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	NEED(null >= 0);
	seed = (uintptr_t)&seed;
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	for (unsigned round = 0; round < 200; round++) {
		looks();
		NEED(getrandom(told.bytes, sizeof(told.bytes), 0) == sizeof(told.bytes));
		looks();
		NEED(!clock_gettime(CLOCK_REALTIME_COARSE, &told.now));
		looks();
		NEED(!clock_gettime(CLOCK_REALTIME_COARSE, &told.later));
		NEED(write(null, &told, sizeof(told)) == sizeof(told));
		/* Memory. */
		NEED(malloc(draw() % 60000 + 1));
		NEED(getrandom(told.bytes, sizeof(told.bytes), 0) == sizeof(told.bytes));
		NEED(write(null, told.bytes, sizeof(told.bytes)) == sizeof(told.bytes));
		/* Long enough for the coarse clocks to go on now and then. */
		NEED(!usleep(200));
	}
	puts("same");
	return 0;
}
