/*
 * What the time stamp counter shows, counted by a clock: the monitor can ask for that without a stop (monitor/abi.h).
 */
#include <time.h>
#include <x86intrin.h>
#include "inproc.h"

static void look(int64_t *ns, int64_t *ticks)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	*ticks = (int64_t)__rdtsc();
	*ns = now.tv_sec * 1000000000 + now.tv_nsec;
}

void in_ticks_start(struct inproc *in)
{
	look(&in->ticks.ns, &in->ticks.ticks);
}

void in_ticks_measure(struct inproc *in)
{
	struct mon_ticks *t = &in->ticks;
	int64_t ns, ticks;

	if (t->rate)
		return;
	look(&ns, &ticks);
	t->rate = ns > t->ns && ticks > t->ticks ? (int64_t)(((__int128)(ticks - t->ticks) << 32) / (ns - t->ns)) : (int64_t)1 << 32;
}
