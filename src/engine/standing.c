/*
 * Where a thread stands, for logs.
 */
#include "internal.h"

static const char *const states[] = {
	[MV_ST_IDLE] = "between calls",
	[MV_ST_WANT] = "wait for its turn to make the call", [MV_ST_PUBLISH] = "publish the call",
	[MV_ST_MEET] = "wait for all to arrive", [MV_ST_LOCK] = "wait for an exclusive call",
	[MV_ST_LEAD] = "run the call", [MV_ST_ORDER] = "wait for its place in the order",
	[MV_ST_RESULT] = "publish the result", [MV_ST_COLLECT] = "publish the outputs",
	[MV_ST_HOLD] = "wait for all to have acted", [MV_ST_SIGNAL] = "publish a signal", [MV_ST_EXEC] = "publish an exec",
	[MV_ST_FETCH] = "fetch the call", [MV_ST_AWAIT] = "fetch the result", [MV_ST_TURN] = "wait for its turn",
	[MV_ST_FOLLOW] = "act on the call", [MV_ST_REPLICATE] = "fetch the outputs", [MV_ST_AFTER] = "act on the outputs",
	[MV_ST_TAKE] = "fetch a signal",
	[MV_ST_LOCAL] = "run a call outside of the stream",
	[MV_ST_ALONE] = "run a call that it makes alone",
};

static const char *const kinds[] = {
	[MV_REC_ENTER] = "call", [MV_REC_RESULT] = "result", [MV_REC_DATA] = "outputs", [MV_REC_SIGNAL] = "signal",
	[MV_REC_END] = "end", [MV_REC_BROKEN] = "broken",
};

static const struct mv_record *next(const struct mv_thread *t)
{
	const void *payload;

	return t->leads ? NULL : mv_stream_next(t->stream, mv_consumer(t->variant), &payload);
}

static const char *next_kind(const struct mv_record *rec)
{
	if (!rec)
		return "none";
	return rec->kind < sizeof(kinds) / sizeof(*kinds) ? kinds[rec->kind] : "unknown";
}

/* Records that the follower has consumed, or all have. */
static uint64_t consumed(const struct mv_thread *t, uint64_t written)
{
	uint64_t least = written;

	for (unsigned i = 0; i + 1 < t->run->config.variants; i++) {
		uint64_t next = mv_stream_tail(t->stream, i);

		if ((t->leads || mv_consumer(t->variant) == i) && next && next - 1 < least)
			least = next - 1;
	}
	return least;
}

static bool parked(enum mv_state s)
{
	return s != MV_ST_IDLE && s != MV_ST_LEAD && s != MV_ST_FOLLOW && s != MV_ST_AFTER && s != MV_ST_LOCAL && s != MV_ST_ALONE;
}

static bool fetches(enum mv_state s)
{
	return s == MV_ST_FETCH || s == MV_ST_AWAIT || s == MV_ST_REPLICATE || s == MV_ST_TAKE;
}

static void tell(const struct mv_thread *t, const struct mv_procset *ps, struct mv_standing *out)
{
	const struct mv_record *rec = next(t);

	*out = (struct mv_standing){ .state = states[t->state], .next = next_kind(rec), .call = t->call, .ticket = t->ticket,
				     .moves = t->moves, .parked = parked(t->state),
				     .read = !rec || rec->kind == MV_REC_END, .fetches = fetches(t->state) };
	out->written = mv_stream_head(t->stream);
	out->consumed = consumed(t, out->written);
	out->turn = 1 + __atomic_load_n(t->leads ? &ps->issued : &ps->turns[t->variant].done, __ATOMIC_ACQUIRE);
	out->owner = __atomic_load_n(&ps->owner, __ATOMIC_ACQUIRE);
}

void mv_thread_standing(const struct mv_thread *t, struct mv_standing *out)
{
	tell(t, t->process->procset, out);
}

bool mv_set_standing(const struct mv_run *run, uint64_t set, unsigned variant, const struct mv_thread *t,
		     struct mv_standing *out)
{
	struct mv_set *s = mv_set_at(run, set);
	const struct mv_procset *ps = s && variant < MV_VARIANTS_MAX ? mv_set_procset(run, s, variant) : NULL;
	struct mv_thread here;

	if (!ps || t->variant != variant || variant >= run->config.variants || t->state >= sizeof(states) / sizeof(*states))
		return false;
	here = *t;
	here.run = (struct mv_run *)run;
	here.stream = (struct mv_stream *)(s + 1);
	tell(&here, ps, out);
	return true;
}
