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
