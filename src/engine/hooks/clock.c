/*
 * Looking at the clock, and sleeping.
 *
 * clock_gettime, gettimeofday: how often a program looks at the clock may depend on addresses.  A follower's look that the
 * leader does not take shows what the clock has shown last, so that time never runs backwards.
 */
#include "engine/internal.h"

#define NR_GETTIMEOFDAY 96

static uint64_t *last_time(struct mv_thread *t)
{
	uint64_t clock = t->call.nr == NR_GETTIMEOFDAY ? MV_CLOCKS - 1 : (uint32_t)t->call.args[0];

	return clock < MV_CLOCKS ? t->process->clocks[clock] : NULL;
}

static void adopt(struct mv_thread *t, const struct mv_dest *d, uint64_t offset, void *bytes, size_t len)
{
	uint64_t *last = last_time(t);

	/* gettimeofday's second output, the time zone, is shorter. */
	if (last && len == 2 * sizeof(*last) && !offset && d->cap == len)
		__builtin_memcpy(last, bytes, len);
}

static bool surplus(struct mv_thread *t)
{
	const uint64_t *last = last_time(t);
	uint64_t to = t->call.args[t->call.nr == NR_GETTIMEOFDAY ? 0 : 1];

	if (!last || !last[0] || !to || (t->call.nr == NR_GETTIMEOFDAY && t->call.args[1]))
		return false;
	t->own = t->ops->poke(t->task, to, last, 16) == 16 ? 0 : ERR(EFAULT);
	return true;
}

const struct mv_hook mv_hook_clock = { .adopt = adopt, .surplus = surplus };

/* nanosleep, clock_nanosleep: what is left of the time is written only when the sleep was interrupted. */
static void slept(struct mv_thread *t)
{
	for (unsigned i = 0; i < t->ndests; i++)
		t->dests[i].used = 0;
}

const struct mv_hook mv_hook_sleep = { .collect = slept };
