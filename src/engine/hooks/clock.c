/*
 * Looking at the clock, and sleeping.
 *
 * clock_gettime and gettimeofday: how often an allocator looks, and what it does between two looks, may depend on its own
 * addresses.  A follower's look that the leader does not take shows what the clock has shown last, so that time never runs backwards.
 */
#include "engine/internal.h"

#define NR_GETTIMEOFDAY 96
#define REALTIME 0

static bool is_timeval(const struct mv_thread *t)
{
	return t->call.nr == NR_GETTIMEOFDAY;
}

/* Seconds and nanoseconds. */
static uint64_t *last_time(struct mv_thread *t)
{
	uint32_t clock = is_timeval(t) ? REALTIME : (uint32_t)t->call.args[0];

	return clock < MV_CLOCKS ? t->process->clocks[clock] : NULL;
}

static void adopt(struct mv_thread *t, const struct mv_dest *d, uint64_t offset, void *bytes, size_t len)
{
	uint64_t *last = last_time(t);

	(void)d;
	if (!last || len != 2 * sizeof(*last) || offset)	/* it may be the time zone */
		return;
	__builtin_memcpy(last, bytes, len);
	if (is_timeval(t))
		last[1] *= 1000;
}

static bool surplus(struct mv_thread *t)
{
	const uint64_t *last = last_time(t);
	uint64_t to = t->call.args[!is_timeval(t)], time[2];

	if (!last || !last[0] || !to || (is_timeval(t) && t->call.args[1]))
		return false;
	time[0] = last[0];
	time[1] = is_timeval(t) ? last[1] / 1000 : last[1];
	t->own = t->ops->poke(t->task, to, time, sizeof(time)) == sizeof(time) ? 0 : ERR(EFAULT);
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
