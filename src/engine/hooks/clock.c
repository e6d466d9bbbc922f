/*
 * Looking at the clock, and sleeping.
 *
 * clock_gettime of the monotonic and the coarse clocks: how often an allocator looks, and what it does between two looks, may
 * depend on its own addresses.  A follower's look that the leader does not take shows what the clock has shown last, so that time
 * never runs backwards.
 */
#include "engine/internal.h"

static uint64_t *last_time(struct mv_thread *t)
{
	uint32_t clock = (uint32_t)t->call.args[0];

	return clock < MV_CLOCKS ? t->process->clocks[clock] : NULL;
}

static void adopt(struct mv_thread *t, const struct mv_dest *d, uint64_t offset, void *bytes, size_t len)
{
	uint64_t *last = last_time(t);

	(void)d;
	if (last && len == 2 * sizeof(*last) && !offset)
		__builtin_memcpy(last, bytes, len);
}

static bool surplus(struct mv_thread *t)
{
	const uint64_t *last = last_time(t);
	uint64_t to = t->call.args[1];

	if (!last || !last[0] || !to)
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
