/*
 * test: timeout=180
 * Threads that compute, without a call, until another tells them to stop: in a small loop, and all over the place.
 */
#include "turns.h"

static atomic_bool stop;
static volatile uint32_t numbers[256];

static int order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void *compute(void *arg)
{
	uint32_t n = 1, sorted[256];

	while (!atomic_load(&stop)) {
		for (int i = 0; i < 256; i++) {
			n = n * 1664525 + 1013904223;
			numbers[n % 256] += n;
			sorted[i] = numbers[i];
		}
		if (arg)
			qsort(sorted, 256, sizeof(*sorted), order);
	}
	return arg;
}

static void run(long what)
{
	pthread_t t;

	stop = false;
	t = begin(compute, what);
	sleep_ms(100);
	stop = true;
	SHOW(end(t));
}

int main(void)
{
	run(0);
	run(1);
	return 0;
}
