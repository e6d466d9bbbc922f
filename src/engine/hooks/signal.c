/*
 * rt_sigaction: handlers are addresses; what must agree is whether there is one.
 */
#include "engine/internal.h"

static void normalise(struct mv_thread *t)
{
	uint64_t handler;

	if (t->call.args[1] && mv_peek_all(t, t->call.args[1], &handler, 8))
		t->norm[1] = 1 + (handler > 1 ? 2 : handler);	/* null, default, ignore, function */
}

const struct mv_hook mv_hook_sigaction = { .normalise = normalise };
