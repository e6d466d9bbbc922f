/*
 * Calls that only one variant makes: which they may be, how this one makes its own and passes over the leader's.
 */
#include "follower.h"
#include "turns.h"

#define NR_MMAP 9
#define NR_BRK 12
#define NR_MREMAP 25
#define VAIN_MAX 64

static unsigned slack(const struct mv_desc *d, const uint64_t *norm)
{
	if (!(d->flags & (MV_DESC_OPTIONAL | MV_DESC_ELASTIC)) || (d->hook && d->hook->elastic && !d->hook->elastic(norm)))
		return 0;
	return (d->flags & MV_DESC_OPTIONAL ? 4 : 2) - !!(d->flags & MV_DESC_TOLD);
}

unsigned mv_slack(const struct mv_thread *t)
{
	return t->cls == MV_CLASS_DENY || t->cls == MV_CLASS_EMUL ? 0 : slack(t->desc, t->norm);
}

/* The call that a record is, or that it stands before (MV_TURN_SIGNAL). */
static uint32_t called(const struct mv_record *rec)
{
	return rec->kind == MV_REC_SIGNAL ? (uint32_t)rec->result : rec->nr;
}

unsigned mv_record_slack(const struct mv_record *rec)
{
	struct mv_call call = { .nr = called(rec) };
	const struct mv_desc *d;

	__builtin_memcpy(call.args, mv_record_args(rec), sizeof(call.args));
	d = mv_lookup(&call);
	return d ? slack(d, call.args) : 0;
}

bool mv_same_call(const struct mv_thread *t, const struct mv_record *rec)
{
	if (called(rec) != t->call.nr)
		return false;
	if (!mv_slack(t) && !mv_record_slack(rec))
		return true;
	return !__builtin_memcmp(mv_record_args(rec), t->norm, sizeof(t->norm));
}

bool mv_leaders_first(const struct mv_thread *t, const struct mv_record *rec)
{
	unsigned mine = mv_slack(t), leaders = mv_record_slack(rec);

	/*
	 * With a break nothing is compared later: it is passed over where it is. Else what is mapped behind it would be, by each
	 * variant alone, and that may yet be made executable.
	 */
	if (leaders && called(rec) == NR_BRK && t->call.nr != NR_BRK)
		return true;
	return leaders && leaders >= mine && !(mine && t->cls == MV_CLASS_ALL);
}

bool mv_both_grow(const struct mv_thread *t, const struct mv_record *rec)
{
	return rec->nr == NR_BRK && t->call.nr == NR_BRK && mv_slack(t) && mv_record_slack(rec);
}

/*
 * The leader was found in a loop that counts and has let others go first, and this variant has left that loop: it was no
 * wait for them but work, such as to fill memory.  Not if its call may be before that loop, as one that this variant makes alone.
 */
bool mv_was_work(const struct mv_thread *t, const struct mv_record *rec)
{
	return !mv_slack(t) && rec->nr == MV_PSEUDO_SPIN && mv_record_args(rec)[0] & MV_SPIN_COUNTS;
}

static bool same_wait(const struct mv_thread *t, const struct mv_record *rec)
{
	const uint64_t *leaders = mv_record_args(rec);

	return rec->nr == t->call.nr && leaders[1] == t->norm[1] && leaders[2] == t->norm[2];
}

bool mv_waits_in_vain(struct mv_thread *t, const struct mv_record *rec)
{
	uint64_t at = mv_stream_tail(t->stream, consumer(t));

	if (!t->process->turns || !mv_is_private_wait(t->call.nr, t->norm) || same_wait(t, rec))
		return false;
	t->vain = at == t->vain_at ? t->vain + 1 : 0;
	t->vain_at = at;
	return t->vain < VAIN_MAX;
}

bool mv_leader_waits(const struct mv_thread *t, const struct mv_record *rec)
{
	return t->process->turns && mv_is_private_wait(rec->nr, mv_record_args(rec)) && !same_wait(t, rec) &&
	       !mv_call_is_sensitive(&t->run->policy, &t->call);
}

/* A call that this variant makes and the leader does not: answered from what is known, else by the kernel. */
void mv_surplus(struct mv_thread *t, struct mv_step *step)
{
	if (t->cls == MV_CLASS_ALL) {
		mv_alone(t, step);
		return;
	}
	if (mv_hook_of(t)->surplus && mv_hook_of(t)->surplus(t)) {
		t->state = MV_ST_IDLE;
		step->action = MV_DONE;
		step->result = t->own;
		return;
	}
	t->state = MV_ST_LOCAL;
	mv_ask_own(t, step);
}

/* A call that has a place in the order of its process leaves that to the next. */
static bool pass_turn(struct mv_thread *t, const struct mv_record *rec)
{
	t->ticket = rec->ticket;
	t->flags = rec->flags;
	t->seq = mv_stream_tail(t->stream, consumer(t));
	if (!mv_follow_turn(t))
		return false;
	mv_follow_turn_end(t);
	t->flags = 0;
	/* What the call at hand had read before may have been changed since. */
	return !(rec->flags & MV_REC_TURN) || mv_operands(t);
}

static bool maps(uint32_t nr)
{
	return nr == NR_MMAP || nr == NR_MREMAP;
}

/* Pass over the rest of a call that the leader makes and this variant does not.  True when it is behind us. */
bool mv_pass_over(struct mv_thread *t)
{
	const void *payload;
	const struct mv_record *rec;

	while ((rec = mv_stream_next(t->stream, consumer(t), &payload))) {
		bool last = rec->flags & MV_REC_LAST, gives;

		if (rec->kind != MV_REC_ENTER && rec->kind != MV_REC_RESULT && rec->kind != MV_REC_DATA)
			return false;
		if ((rec->kind == MV_REC_RESULT || rec->flags & MV_REC_WHOLE) && !pass_turn(t, rec))
			return false;
		gives = rec->flags & MV_REC_GIVES;
		if (rec->kind == MV_REC_ENTER)
			t->passed = rec->nr;
		if (rec->kind == MV_REC_RESULT || rec->flags & MV_REC_WHOLE)
			mv_look_result(t, rec->result);
		/* What the leader has mapped has a number there, which nothing else may have here. */
		if ((rec->kind == MV_REC_RESULT || rec->flags & MV_REC_WHOLE) && maps(t->passed) && !is_error(rec->result))
			mv_mm_ordinal(t->process->mm);
		if (rec->kind == MV_REC_ENTER)
			consume_enter(t, rec);
		else
			consume(t);
		if (gives)
			mv_turn_give(t);
		t->moves++;
		if (last)
			return true;
	}
	return false;
}

/* Is this the first of the calls that were made early?  Then it is one less. */
bool mv_was_early(struct mv_thread *t, const struct mv_record *rec)
{
	if (rec->nr != t->early[0].nr || __builtin_memcmp(mv_record_args(rec), t->early[0].norm, sizeof(rec->args)))
		return false;
	t->nearly--;
	__builtin_memmove(&t->early[0], &t->early[1], t->nearly * sizeof(t->early[0]));
	return true;
}

bool mv_go_early(struct mv_thread *t, struct mv_step *step)
{
	const void *payload;

	if (t->state != MV_ST_FETCH || t->passing || !(t->desc->flags & MV_DESC_EARLY) || t->nearly == MV_EARLY ||
	    t->process->turns || mv_stopped(t) || mv_stream_next(t->stream, consumer(t), &payload))
		return false;
	t->early[t->nearly].nr = t->call.nr;
	__builtin_memcpy(t->early[t->nearly++].norm, t->norm, sizeof(t->norm));
	t->moves++;
	step->sig = 0;
	step->child_tid = 0;
	mv_surplus(t, step);
	return true;
}
