/*
 * Queues, semaphores and segments of an IPC namespace: the leader's is the one that others see, and no follower is in it.
 */
#include "engine/internal.h"

int mv_ipc_prepare(struct mv_thread *t)
{
	if (mv_run_leader(t->run))
		return MV_UNSUPPORTED;	/* another variant has taken over, and is in a namespace of its own */
	if (t->leads)
		__atomic_store_n(&t->run->ipc, true, __ATOMIC_RELAXED);
	return 0;
}

const struct mv_hook mv_hook_ipc = { .prepare = mv_ipc_prepare };

/*
 * semctl(GETALL) writes as many values as the set has semaphores, and its answer does not say how many.  Single semaphores are
 * asked for then, until it is known which is the last: aux[0] of them there are, the one with the number aux[1] - 1 there is not.
 */
#define NR_SEMCTL 66
#define GETVAL 12
#define SEMAPHORES_MAX (1ull << 31)

static uint64_t probed(const struct mv_thread *t)
{
	return t->aux[1] ? t->aux[0] + (t->aux[1] - t->aux[0]) / 2 : 2 * t->aux[0];
}

static bool lead_getall(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (!t->step)
		return mv_ask_own(t, step);
	if (t->step == 1) {
		t->own = last;
		if (is_error(last))
			return false;
		t->aux[0] = 1;
	} else if (is_error(last)) {
		t->aux[1] = probed(t);
	} else {
		t->aux[0] = probed(t);
	}
	if (t->aux[1] == t->aux[0] + 1 || t->aux[0] == SEMAPHORES_MAX)
		return false;
	return mv_ask(step, NR_SEMCTL, t->call.args[0], probed(t) - 1, GETVAL);
}

static void collect_getall(struct mv_thread *t)
{
	for (unsigned i = 0; i < t->ndests; i++)
		t->dests[i].used = t->aux[0] * sizeof(uint16_t);
}

const struct mv_hook mv_hook_sem_getall = { .prepare = mv_ipc_prepare, .lead = lead_getall, .collect = collect_getall };
