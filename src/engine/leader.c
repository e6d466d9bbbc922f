/*
 * The leader's half of a call: publish what it is, meet if the policy says so, run it, publish what came of it.
 */
#include "internal.h"
#include "turns.h"

#define NR_RT_SIGRETURN 15

static bool ordered(const struct mv_thread *t)
{
	return t->desc->flags & (MV_DESC_ORD_MM | MV_DESC_ORD_FD | MV_DESC_ORD_PROC);
}

/*
 * Calls that change shared state at once run one at a time.  Those that may block run beside them, and take their place
 * in the order when they have returned: behind the call that runs now, which may have made what they have found.
 */
static bool lock(struct mv_thread *t)
{
	return t->process->turns || ordered(t) ? mv_turn_take(t) : true;
}

static void count_meeting(struct mv_run *run)
{
	uint64_t n = __atomic_load_n(&run->meetings, __ATOMIC_RELAXED);

	__atomic_store_n(&run->meetings, n + 1, __ATOMIC_RELAXED);
}

/* A turn lasts beyond the call. */
static void unlock(struct mv_thread *t)
{
	if (!t->process->turns)
		mv_turn_give(t);
}

/*
 * Followers may nap while the leader runs ahead, but not while it waits for them, nor at what they are to do soon: to have a
 * child, to end.
 */
static uint64_t commit(struct mv_thread *t, bool hasty)
{
	uint64_t seq = mv_stream_commit(t->stream);

	t->changed |= MV_CHANGED_STREAM;
	t->hasty |= hasty || mv_stream_crowded(t->stream);
	return seq;
}

/*
 * One record for all of a call, written when it is over: where nobody waits for its beginning, and it does not take long until
 * the end.  A leader that dies in it leaves none.
 */
static bool whole(const struct mv_thread *t)
{
	const unsigned apart = MV_DESC_BLOCKS | MV_DESC_NORETURN | MV_DESC_CLONE | MV_DESC_EXEC | MV_DESC_HOLD;

	return t->level != MV_LEVEL_LOCKSTEP && !t->process->turns && !(t->desc->flags & apart);
}

static size_t input_size(const struct mv_thread *t)
{
	return t->blob->total < MV_INLINE_MAX ? (size_t)t->blob->total : MV_INLINE_MAX;
}

static void put_call(struct mv_thread *t, struct mv_record *rec, void *payload)
{
	rec->kind = MV_REC_ENTER;
	rec->nr = t->call.nr;
	rec->input_len = t->blob->total;
	rec->faults = (uint8_t)t->blob->faults;
	if (!t->desc->nin && !mv_hook_of(t)->normalise)
		return;
	rec->flags |= MV_REC_ARGS;
	__builtin_memcpy(rec->args, t->norm, sizeof(t->norm));
	mv_blob_hash(t->blob, rec->hash);
	__builtin_memcpy(payload, t->blob->bytes, input_size(t));
}

static bool publish_enter(struct mv_thread *t)
{
	struct mv_record *rec;
	void *payload;

	rec = mv_stream_reserve(t->stream, input_size(t), &payload);
	if (!rec)
		return false;
	put_call(t, rec, payload);
	if (t->level == MV_LEVEL_LOCKSTEP)
		rec->flags |= MV_REC_LOCKSTEP;
	mv_turn_tell(t, rec);
	t->seq = commit(t, t->level == MV_LEVEL_LOCKSTEP || t->desc->flags & MV_DESC_NORETURN);
	mv_latest(t)->seq = t->seq;
	return true;
}

/* What became unreadable since is the program's own race; it reads as zeros everywhere. */
static void put_output(struct mv_thread *t, const struct mv_dest *d, uint64_t offset, void *payload, size_t n)
{
	if (mv_peek(t, d->addr + offset, payload, n) < n)
		__builtin_memset(payload, 0, n);
	if (mv_hook_of(t)->publish && mv_converts(t))
		mv_hook_of(t)->publish(t, d, offset, payload, n);
}

static uint64_t output_size(const struct mv_thread *t)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < t->ndests; i++)
		size += t->dests[i].used;
	return size;
}

/*
 * Can the outputs, size bytes, be in the record of the result?  Followers take them before they act, and before they have their
 * turn: what is converted by what other threads have registered comes later.
 */
static bool fits(const struct mv_thread *t, uint64_t size, size_t max)
{
	if (t->ndests != 1 || t->cls != MV_CLASS_LEADER || mv_hook_of(t)->follow || ordered(t))
		return !size;
	if (mv_hook_of(t)->publish && mv_converts(t) && (t->process->turns || size > MV_SCRATCH))
		return !size;
	return size <= max;
}

static bool publish_result(struct mv_thread *t)
{
	size_t in = whole(t) ? input_size(t) : 0;
	uint64_t out = output_size(t);
	bool last = fits(t, out, mv_stream_payload_max(t->stream) - in);
	struct mv_record *rec;
	void *payload;

	if (!last)
		out = 0;
	rec = mv_stream_reserve(t->stream, in + out, &payload);
	if (!rec)
		return false;
	if (!t->process->turns && ordered(t) && !t->ticket)
		t->ticket = __atomic_add_fetch(&t->process->procset->issued, 1, __ATOMIC_ACQ_REL);
	rec->kind = MV_REC_RESULT;
	rec->nr = t->call.nr;
	rec->result = t->result;
	rec->extra = t->extra;
	rec->ticket = t->ticket;
	rec->flags = t->flags;
	if (whole(t)) {
		put_call(t, rec, payload);
		rec->flags |= MV_REC_WHOLE;
	}
	if (out)
		put_output(t, &t->dests[0], 0, (char *)payload + in, out);
	if (t->process->turns && t->ticket)
		rec->flags |= MV_REC_TURN;
	if (t->follows)
		rec->flags |= MV_REC_SIGNAL_FOLLOWS;
	if (last) {
		rec->flags |= MV_REC_LAST;
		t->dest_at = t->ndests;
	}
	t->seq = commit(t, t->flags & MV_REC_HOLD || t->desc->flags & (MV_DESC_CLONE | MV_DESC_EXEC));
	if (whole(t))
		mv_latest(t)->seq = t->seq;
	return true;
}

/* Publish outputs piece by piece; false when the ring is full, to be called again. */
static bool publish_outputs(struct mv_thread *t)
{
	size_t max = mv_stream_payload_max(t->stream);

	/* Converted pieces must hold whole elements (of 12 bytes: struct epoll_event) and fit into the scratch area. */
	if (mv_hook_of(t)->publish && mv_converts(t))
		max = (max < MV_SCRATCH ? max : MV_SCRATCH) / 12 * 12;
	while (t->dest_at < t->ndests) {
		struct mv_dest *d = &t->dests[t->dest_at];
		uint64_t left = d->used - t->dest_off;
		size_t n = left < max ? (size_t)left : max;
		bool last = t->dest_at + 1 == t->ndests && n == left;
		struct mv_record *rec;
		void *payload;

		if (!n && !last) {
			t->dest_at++;
			t->dest_off = 0;
			continue;
		}
		rec = mv_stream_reserve(t->stream, n, &payload);
		if (!rec)
			return false;
		rec->kind = MV_REC_DATA;
		rec->flags = last ? MV_REC_LAST : 0;
		rec->ticket = t->dest_at;
		rec->extra = t->dest_off;
		put_output(t, d, t->dest_off, payload, n);
		commit(t, t->flags & MV_REC_HOLD);
		t->moves++;
		t->dest_off += n;
		if (t->dest_off == d->used) {
			t->dest_at++;
			t->dest_off = 0;
		}
	}
	return true;
}

static void done(struct mv_thread *t, struct mv_step *step)
{
	if (mv_hook_of(t)->done)
		mv_hook_of(t)->done(t);
	else if (t->desc->ret == MV_RET_FD && !is_error(t->result))
		mv_fd_set(t->process->files, t->result, (struct mv_fd){ .kind = t->desc->fdkind });
	unlock(t);
	if (t->desc->flags & MV_DESC_EXEC && !is_error(t->result))
		mv_turns_leave(t);
	t->state = MV_ST_IDLE;
	mv_end(t, step);
	step->result = t->result;
}

/* The next kernel call of this call, if there is one. */
static bool act(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (t->cls == MV_CLASS_DENY)
		return false;
	if (mv_hook_of(t)->lead)
		return mv_hook_of(t)->lead(t, last, step);
	if (!t->step && !(t->cls == MV_CLASS_EMUL))
		return mv_ask_own(t, step);
	t->own = last;
	return false;
}

static void finished(struct mv_thread *t)
{
	t->result = t->own;
	mv_dests_used(t);
	if (t->desc->flags & MV_DESC_HOLD && !is_error(t->result))
		t->flags |= MV_REC_HOLD;
	if (!is_error(t->result) && mv_hook_of(t)->collect)
		mv_hook_of(t)->collect(t);
}

static bool publish_signal(struct mv_thread *t)
{
	struct mv_record *rec;
	void *payload;

	if (t->sig_when == MV_SIGNAL_IN_CALL && !(t->flags & MV_REC_INTERRUPTED)) {
		t->result = t->sig_result;
		t->flags |= MV_REC_INTERRUPTED;
		t->follows = false;
		if (t->child_set)
			mv_set_drop(t->run, t->child_set);
		t->child_set = NULL;
		t->dest_at = 0;
		t->dest_off = 0;
		mv_dests_used(t);	/* what is written on errors too, such as the rest of a sleep */
		if (!publish_result(t)) {
			t->flags &= (uint16_t)~MV_REC_INTERRUPTED;
			return false;
		}
	}
	if (t->sig_when == MV_SIGNAL_IN_CALL && !publish_outputs(t))
		return false;
	rec = mv_stream_reserve(t->stream, MV_SIGINFO_SIZE, &payload);
	if (!rec)
		return false;
	if (t->sig == MV_TURN_SIGNAL) {
		mv_turn_give(t);
		rec->result = t->call.nr;	/* before which; at a boundary with what operands */
		rec->flags |= MV_REC_ARGS;
		__builtin_memcpy(rec->args, t->norm, sizeof(t->norm));
	}
	rec->kind = MV_REC_SIGNAL;
	rec->nr = (uint32_t)t->sig;
	rec->extra = t->sig_when;
	__builtin_memcpy(payload, t->siginfo, MV_SIGINFO_SIZE);
	commit(t, true);
	return true;
}

/* A parked thread waits for another one of its process. */
static bool waits_inside(const struct mv_thread *t)
{
	return mv_turn_wanted(t) || t->state == MV_ST_LOCK || t->state == MV_ST_ORDER || t->stays;
}

static bool waits_for_ack(const struct mv_thread *t)
{
	return t->state == MV_ST_MEET || t->state == MV_ST_HOLD;
}

/* The follower that a parked thread waits for, as a consumer of its stream; -1 = none. */
static int awaited(const struct mv_thread *t)
{
	if (waits_inside(t))
		return -1;
	if (waits_for_ack(t))
		return mv_stream_late(t->stream, t->seq);
	return mv_stream_blocker(t->stream);
}

struct mv_word *mv_lead_waits(const struct mv_thread *t)
{
	int consumer = awaited(t);

	if (waits_inside(t))
		return mv_turn_awaited(t);
	if (consumer < 0)
		return NULL;
	if (waits_for_ack(t))
		mv_stream_want_ack(t->stream, (unsigned)consumer, t->seq);
	else
		mv_stream_want_room(t->stream, (unsigned)consumer);
	return mv_stream_consume_word(t->stream, (unsigned)consumer);
}

/*
 * A follower that was released has left the streams of its threads by their ends.  Of those threads that it had yet to make,
 * and where it was about to write a cursor when it was told to stop, the leader does that for it, whenever it would wait.  So it
 * does for itself, where it was a follower once.
 */
static bool excuses(struct mv_thread *t)
{
	int consumer = awaited(t);

	if (consumer < 0 || !(mv_released(t->run, mv_consuming((unsigned)consumer)) || t->variant == mv_consuming((unsigned)consumer)))
		return false;
	mv_stream_leave(t->stream, (unsigned)consumer);
	return true;
}

static void lead(struct mv_thread *t, struct mv_step *step)
{
	step->action = MV_PARK;
	for (;; t->moves++) {
		switch (t->state) {
		case MV_ST_WANT:
			if (mv_stays(t) || !lock(t))
				return;
			if (!mv_operands(t)) {
				step->action = MV_STOP;
				return;
			}
			t->state = MV_ST_PUBLISH;
			break;
		case MV_ST_PUBLISH:
			if (!whole(t) && !publish_enter(t))
				return;
			if (t->level == MV_LEVEL_LOCKSTEP)
				count_meeting(t->run);
			t->state = t->level == MV_LEVEL_LOCKSTEP ? MV_ST_MEET : MV_ST_LOCK;
			break;
		case MV_ST_MEET:
			if (!mv_stream_acked(t->stream, t->seq))
				return;
			t->state = MV_ST_LOCK;
			break;
		case MV_ST_LOCK:
			if (t->gives)
				mv_turn_give(t);
			else if (!(t->desc->flags & MV_DESC_BLOCKS) && !lock(t))
				return;
			t->state = MV_ST_LEAD;
			mv_ends(t);
			if (act(t, 0, step))
				return;
			t->state = MV_ST_ORDER;
			break;
		case MV_ST_ORDER:
			if (t->process->ending)
				return;
			if ((t->gives || t->desc->flags & MV_DESC_BLOCKS) && !lock(t))
				return;
			finished(t);
			t->state = MV_ST_RESULT;
			break;
		case MV_ST_RESULT:
			if (!publish_result(t))
				return;
			t->state = MV_ST_COLLECT;
			break;
		case MV_ST_COLLECT:
			if (!publish_outputs(t))
				return;
			t->state = MV_ST_HOLD;
			break;
		case MV_ST_HOLD:
			t->stays = mv_stays(t) && !t->follows && t->result != MV_AGAIN;
			if (t->stays)
				return;
			/* Followers must find what the leader found: a directory, a program. */
			if (t->flags & MV_REC_HOLD && !mv_stream_acked(t->stream, t->seq))
				return;
			if (mv_turn_again(t))
				break;
			done(t, step);
			return;
		case MV_ST_SIGNAL:
			/* A handler is the program's code. */
			if (t->sig_when == MV_SIGNAL_IN_CALL && t->process->turns && !lock(t))
				return;
			if (!publish_signal(t))
				return;
			if (t->sig == MV_TURN_SIGNAL && t->sig_when == MV_SIGNAL_BOUNDARY) {
				t->state = MV_ST_WANT;
				break;
			}
			if (mv_stays(t)) {
				t->state = MV_ST_HOLD;
				t->follows = false;
				t->result = 0;
				break;
			}
			if (t->sig_when == MV_SIGNAL_IN_CALL)
				unlock(t);
			t->state = MV_ST_IDLE;
			step->action = MV_DONE;
			step->result = t->sig_result;
			step->sig = t->sig;
			return;
		default:
			mv_run_fail(t->run, MV_VERDICT_FAILURE, "the leader's step machine is in no known state");
			step->action = MV_STOP;
			return;
		}
	}
}

void mv_lead(struct mv_thread *t, struct mv_step *step)
{
	do
		lead(t, step);
	while (step->action == MV_PARK && excuses(t));
}

void mv_lead_ran(struct mv_thread *t, int64_t result, struct mv_step *step)
{
	step->action = MV_PARK;
	if (act(t, result, step))
		return;
	t->state = MV_ST_ORDER;
}

bool mv_signal_can_follow(const struct mv_thread *t)
{
	return t->state == MV_ST_LEAD && t->call.nr != NR_RT_SIGRETURN &&
	       !(t->desc->flags & (MV_DESC_CLONE | MV_DESC_EXEC | MV_DESC_PSEUDO));
}

void mv_signal_follows(struct mv_thread *t)
{
	t->follows = true;
}

bool mv_signal_point(const struct mv_thread *t)
{
	return t->state != MV_ST_IDLE && t->desc->flags & MV_DESC_SIGPOINT;
}

void mv_signal(struct mv_thread *t, int sig, const void *siginfo, enum mv_signal_when when, int64_t result,
	       struct mv_step *step)
{
	mv_thread_leads(t);
	t->sig = sig;
	/* To the stream, a call outside of it is a time between two calls. */
	t->sig_when = when == MV_SIGNAL_IN_CALL && t->state == MV_ST_LOCAL ? MV_SIGNAL_ASYNC : when;
	t->sig_result = result;
	t->flags = 0;
	__builtin_memcpy(t->siginfo, siginfo, MV_SIGINFO_SIZE);
	t->state = MV_ST_SIGNAL;
	step->sig = 0;
	mv_retry(t, step);
}

void mv_thread_set_free(struct mv_thread *t, struct mv_step *step)
{
	static const uint8_t nothing[MV_SIGINFO_SIZE];

	mv_signal(t, MV_TURN_SIGNAL, nothing, MV_SIGNAL_ASYNC, 0, step);
	step->sig = 0;
}
