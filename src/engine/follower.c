/*
 * The follower's half of a call: fetch what the leader did, compare, do what keeps this variant's kernel state equal, take
 * over results and outputs.
 */
#include "follower.h"
#include "turns.h"

static void take_signal(struct mv_thread *t, const struct mv_record *rec, const void *payload, struct mv_step *step)
{
	step->sig = (int)rec->nr;
	__builtin_memset(step->siginfo, 0, sizeof(step->siginfo));
	__builtin_memcpy(step->siginfo, payload,
			 rec->payload_len < MV_SIGINFO_SIZE ? rec->payload_len : MV_SIGINFO_SIZE);
	mv_sigvalue_adopt(t, step->siginfo);
	consume(t);
}

/* The leader's next record in this state is none that can be there: only a corrupted stream can do that. */
static void corrupt(struct mv_thread *t, struct mv_step *step)
{
	const void *payload;
	const struct mv_record *rec = mv_stream_next(t->stream, consumer(t), &payload);
	char where[] = { (char)('0' + t->state / 10), (char)('0' + t->state % 10), 0 };
	char what[] = { rec && rec->kind < 10 ? (char)('0' + rec->kind) : '?', 0 };
	char text[160];

	mv_text(text, sizeof(text), (const char *const[]){
		"a stream holds a record that cannot be there (kind ", what, " in state ", where, " of ",
		mv_call_name(&t->call), ")", NULL });
	mv_run_fail(t->run, MV_VERDICT_FAILURE, text);
	step->action = MV_STOP;
}

#define NR_IOCTL 16
#define NR_MQ_OPEN 240
#define NR_ACCEPT4 288
#define NR_OPEN_BY_HANDLE_AT 304
#define NR_PIDFD_OPEN 434
#define NR_PIDFD_GETFD 438
#define O_CLOEXEC_ 02000000

/* Whether the new descriptor is close-on-exec; calls that hooks plant for decide themselves. */
static bool wants_cloexec(const struct mv_thread *t)
{
	switch (t->call.nr) {
	case NR_ACCEPT4:
		return t->call.args[3] & O_CLOEXEC_;
	case NR_IOCTL:		/* TIOCGPTPEER */
	case NR_OPEN_BY_HANDLE_AT:
		return t->call.args[2] & O_CLOEXEC_;
	case NR_MQ_OPEN:
	case NR_PIDFD_OPEN:
	case NR_PIDFD_GETFD:
		return true;
	default:
		return false;
	}
}

/* The leader's open file comes to that number. */
static void no_placeholder(struct mv_thread *t, int fd)
{
	struct mv_fd entry = *mv_fd_get(t->process->files, fd);

	entry.flags &= (uint8_t)~MV_FD_PLACEHOLDER;
	mv_fd_set(t->process->files, fd, entry);
}

/* The next kernel call that keeps this variant's state equal, if there is one. */
static bool act(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (is_error(t->result) || t->cls == MV_CLASS_DENY || t->cls == MV_CLASS_EMUL) {
		t->own = t->result;
		return false;
	}
	if (mv_hook_of(t)->follow) {
		if (!mv_hook_of(t)->follow(t, last, step))
			return false;
		if (step->action == MV_IMPORT && step->fd >= 0)
			no_placeholder(t, step->fd);
		return true;
	}
	if (t->cls == MV_CLASS_LEADER) {
		t->own = t->result;
		if (t->desc->ret != MV_RET_FD)
			return false;
		return mv_plant(t, &t->aux[0], (int)t->result, wants_cloexec(t), last, step);
	}
	if (!t->step)
		return mv_ask_own(t, step);
	if (t->step == 1)
		t->own = last;
	if (t->desc->ret != MV_RET_FD || is_error(t->own))
		return false;
	if (mv_renumber(t, &t->aux[0], (int)t->own, (int)t->result, last, step))
		return true;
	t->own = t->result;
	return false;
}

/* After the last kernel call: did this variant fare as the leader did? */
static bool agrees(struct mv_thread *t)
{
	bool wrong;

	if (mv_over(t->run))
		return false;
	switch (t->desc->ret) {
	case MV_RET_FD:
		wrong = t->own != t->result;
		break;
	case MV_RET_OWN:
	case MV_RET_ADDR:
		wrong = is_error(t->own) != is_error(t->result);
		break;
	default:
		/* Numbers may differ where the leader's count: what matters is that the state changed alike. */
		wrong = is_error(t->own) && !is_error(t->result);
	}
	if (wrong)
		mv_diverge_result(t, t->own);
	return !wrong;
}

bool mv_follow_turn(struct mv_thread *t)
{
	if (!t->ticket)
		return true;
	/* The leader has executed a program, and has no siblings any more; or it is another one, which had no turn. */
	if (!(t->flags & MV_REC_TURN) || t->turn != t->ticket)
		mv_turn_give(t);
	if (!mv_turn_come(t, t->ticket))
		return false;
	if (t->flags & MV_REC_TURN)
		mv_turn_begin(t, t->ticket);
	return true;
}

void mv_follow_turn_end(struct mv_thread *t)
{
	if (t->flags & MV_REC_HOLD) {
		mv_stream_ack(t->stream, consumer(t), t->seq);
		t->changed |= MV_CHANGED_STREAM;
	}
	if (t->ticket && !(t->flags & MV_REC_TURN))
		mv_ticket_done(t, t->ticket);
	t->ticket = 0;
}

/* Copy a piece of output to where it belongs. */
static bool take_output(struct mv_thread *t, uint64_t at, uint64_t offset, const void *bytes, size_t n, struct mv_step *step)
{
	const struct mv_dest *d = &t->dests[at];

	if (at >= t->ndests || offset > d->cap || n > d->cap - offset || (mv_hook_of(t)->adopt && mv_converts(t) && n > MV_SCRATCH)) {
		corrupt(t, step);
		return false;
	}
	if (mv_hook_of(t)->adopt && mv_converts(t)) {
		__builtin_memcpy(t->scratch, bytes, n);
		mv_hook_of(t)->adopt(t, d, offset, t->scratch, n);
		bytes = t->scratch;
	}
	if (t->ops->poke(t->task, d->addr + offset, bytes, n) < n) {
		if (t->process->ending)
			return false;
		mv_diverge_result(t, ERR(EFAULT));
		step->action = MV_STOP;
		return false;
	}
	return true;
}

/* Take over what came of the call; behind its first input bytes the payload is output. */
static bool take_result(struct mv_thread *t, const struct mv_record *rec, const uint8_t *payload, size_t input,
			struct mv_step *step)
{
	size_t len = rec->payload_len;

	t->result = rec->result;
	t->extra = rec->extra;
	t->ticket = rec->ticket;
	t->flags = rec->flags;
	t->seq = mv_stream_tail(t->stream, consumer(t));
	return len <= input || take_output(t, 0, 0, payload + input, len - input, step);
}

static bool fetch(struct mv_thread *t, struct mv_step *step)
{
	const void *payload;
	const struct mv_record *rec;
	bool gives;

	if (t->passing && !mv_pass_over(t))
		return false;
	t->passing = false;
	rec = mv_stream_next(t->stream, consumer(t), &payload);
	if (!rec || rec->kind == MV_REC_END)
		return false;
	if (rec->kind == MV_REC_SIGNAL && rec->nr == MV_TURN_SIGNAL) {
		/* Not in the midst of what this variant does besides. */
		if (rec->extra == MV_SIGNAL_BOUNDARY && mv_slack(t) && !mv_same_call(t, rec) && !mv_leaders_first(t, rec)) {
			mv_surplus(t, step);
			return false;
		}
		if (rec->extra == MV_SIGNAL_BOUNDARY && mv_looks(t) && !mv_same_call(t, rec)) {
			mv_alone(t, step);
			return false;
		}
		consume(t);
		mv_turn_give(t);
		return fetch(t, step);
	}
	if (rec->kind == MV_REC_ENTER && rec->flags & MV_REC_TURN && t->turn != rec->ticket) {
		mv_turn_give(t);	/* one that it has still: the leader is another one */
		if (!mv_turn_come(t, rec->ticket))
			return false;
		/* What it had read before may have been changed since. */
		mv_turn_begin(t, rec->ticket);
		if (!mv_operands(t)) {
			step->action = MV_STOP;
			return false;
		}
	}
	if (t->nearly && rec->kind == MV_REC_ENTER && mv_was_early(t, rec)) {
		t->passing = true;
		return fetch(t, step);
	}
	if (rec->kind == MV_REC_ENTER) {
		switch (mv_expected(t, rec, payload)) {
		case MV_EXPECT_MINE:
			mv_alone(t, step);
			return false;
		case MV_EXPECT_REPORT:
			t->state = MV_ST_IDLE;
			step->action = MV_DONE;
			step->result = t->own;
			return false;
		case MV_EXPECT_LEADERS:
			t->passing = true;
			return fetch(t, step);
		case MV_EXPECT_BOTH:
			t->passing = true;	/* by the next call */
			mv_alone(t, step);
			return false;
		case MV_EXPECT_NOTHING:
			break;
		}
	}
	if (rec->kind == MV_REC_ENTER && !mv_same_call(t, rec)) {
		if (mv_both_grow(t, rec)) {
			t->passing = true;	/* by the next call */
			mv_alone(t, step);
			return false;
		}
		if (mv_leaders_first(t, rec) || mv_was_work(t, rec)) {
			t->passing = true;
			return fetch(t, step);
		}
		if (mv_slack(t)) {
			mv_surplus(t, step);
			return false;
		}
	}
	if (rec->kind == MV_REC_ENTER && mv_waits_in_vain(t, rec)) {
		t->state = MV_ST_IDLE;
		step->action = MV_DONE;
		step->result = ERR(EAGAIN);
		return false;
	}
	if (rec->kind == MV_REC_ENTER && mv_leader_waits(t, rec)) {
		t->passing = true;
		return fetch(t, step);
	}
	if (rec->kind == MV_REC_SIGNAL) {
		take_signal(t, rec, payload, step);
		step->action = MV_SIGNAL;
		t->ncalls--;	/* the program makes this call again */
		t->state = MV_ST_IDLE;
		return false;
	}
	if (rec->kind != MV_REC_ENTER) {
		corrupt(t, step);
		return false;
	}
	if (rec->nr == t->call.nr && mv_hook_of(t)->reconcile)
		mv_hook_of(t)->reconcile(t, rec, payload);
	if (!mv_compare(t, rec, payload)) {
		step->action = MV_STOP;
		return false;
	}
	mv_latest(t)->seq = mv_stream_tail(t->stream, consumer(t));
	if (t->level == MV_LEVEL_LOCKSTEP && t->ops->claim && mv_call_is_sensitive(&t->run->policy, &t->call))
		t->ops->claim(t->task, &t->call);
	gives = rec->flags & MV_REC_GIVES;
	if (rec->flags & MV_REC_WHOLE &&
	    !take_result(t, rec, payload, rec->input_len < MV_INLINE_MAX ? rec->input_len : MV_INLINE_MAX, step))
		return false;
	consume_enter(t, rec);
	if (gives)
		mv_turn_give(t);
	return true;
}

static bool await(struct mv_thread *t, struct mv_step *step)
{
	const void *payload;
	const struct mv_record *rec = mv_stream_next(t->stream, consumer(t), &payload);

	if (!rec || rec->kind == MV_REC_END)
		return false;
	if (rec->kind != MV_REC_RESULT) {
		corrupt(t, step);
		return false;
	}
	/* What it writes siblings may still read, and they may have yet to say what it means. */
	if (rec->payload_len && rec->flags & MV_REC_TURN) {
		t->ticket = rec->ticket;
		t->flags = rec->flags;
		if (!mv_follow_turn(t))
			return false;
	}
	if (!take_result(t, rec, payload, 0, step))
		return false;
	consume(t);
	return true;
}

/* Copy the pieces of output that are there; true after the last. */
static bool replicate(struct mv_thread *t, struct mv_step *step)
{
	for (;;) {
		const void *payload;
		const struct mv_record *rec = mv_stream_next(t->stream, consumer(t), &payload);
		bool last;

		if (!rec)
			return false;
		if (rec->kind != MV_REC_DATA || rec->ticket >= t->ndests) {
			corrupt(t, step);
			return false;
		}
		last = rec->flags & MV_REC_LAST;
		t->moves++;
		if (rec->payload_len && !take_output(t, rec->ticket, rec->extra, payload, rec->payload_len, step))
			return false;
		consume(t);
		if (last)
			return true;
	}
}

static void done(struct mv_thread *t, struct mv_step *step)
{
	bool own = t->desc->ret == MV_RET_ADDR || t->desc->ret == MV_RET_OWN;

	if (mv_hook_of(t)->done)
		mv_hook_of(t)->done(t);
	else if (t->desc->ret == MV_RET_FD && !is_error(t->result))
		mv_fd_set(t->process->files, t->result, (struct mv_fd){
			.kind = t->desc->fdkind, .flags = t->cls == MV_CLASS_LEADER ? MV_FD_PLACEHOLDER : 0 });
	if (t->desc->flags & MV_DESC_EXEC && !is_error(t->result))
		mv_turns_leave(t);
	t->state = MV_ST_IDLE;
	mv_end(t, step);
	step->result = own && !is_error(t->result) ? t->own : t->result;
}

static enum mv_state after_act(const struct mv_thread *t)
{
	return t->flags & MV_REC_LAST ? MV_ST_AFTER : MV_ST_REPLICATE;
}

/* It keeps its turn if there is more to do when the outputs are there. */
static void acted(struct mv_thread *t)
{
	if (is_error(t->result) || !mv_hook_of(t)->after)
		mv_follow_turn_end(t);
	t->state = after_act(t);
}

static void acted_after(struct mv_thread *t)
{
	if (!is_error(t->result) && mv_hook_of(t)->after)
		mv_follow_turn_end(t);
	t->state = MV_ST_TAKE;
}

/* The leader was interrupted: end likewise once its signal is there. */
static bool interrupted(struct mv_thread *t, struct mv_step *step)
{
	const void *payload;
	const struct mv_record *rec = mv_stream_next(t->stream, consumer(t), &payload);

	if (!rec || rec->kind == MV_REC_END)
		return false;
	if (rec->kind != MV_REC_SIGNAL) {
		corrupt(t, step);
		return false;
	}
	take_signal(t, rec, payload, step);
	step->action = t->flags & MV_REC_INTERRUPTED ? MV_INTERRUPT : MV_DONE;
	if (step->action == MV_INTERRUPT)
		step->result = t->result;
	else
		return true;
	t->state = MV_ST_IDLE;
	return false;
}

struct mv_word *mv_follow_waits(const struct mv_thread *t)
{
	return t->awaits ? mv_turn_awaited(t) : mv_stream_commit_word(t->stream);
}

void mv_follow(struct mv_thread *t, struct mv_step *step)
{
	step->action = MV_PARK;
	for (;; t->moves++) {
		switch (t->state) {
		case MV_ST_FETCH:
			if (!fetch(t, step))
				return;
			if (t->desc->flags & MV_DESC_NORETURN) {
				t->state = MV_ST_FOLLOW;
				mv_ends(t);
				mv_ask_own(t, step);
				return;
			}
			t->state = t->flags & MV_REC_WHOLE ? MV_ST_TURN : MV_ST_AWAIT;
			break;
		case MV_ST_AWAIT:
			if (!await(t, step))
				return;
			t->state = MV_ST_TURN;
			break;
		case MV_ST_TURN:
			if (!mv_follow_turn(t))
				return;
			if (t->flags & MV_REC_INTERRUPTED) {
				mv_follow_turn_end(t);
				t->state = after_act(t);
				break;
			}
			t->state = MV_ST_FOLLOW;
			t->step = 0;
			if (act(t, 0, step))
				return;
			if (!agrees(t)) {
				step->action = MV_STOP;
				return;
			}
			acted(t);
			break;
		case MV_ST_REPLICATE:
			if (!replicate(t, step))
				return;
			t->state = MV_ST_AFTER;
			break;
		case MV_ST_AFTER:
			t->step = 0;
			if (!is_error(t->result) && mv_hook_of(t)->after && mv_hook_of(t)->after(t, 0, step))
				return;
			acted_after(t);
			break;
		case MV_ST_TAKE:
			if (t->flags & (MV_REC_SIGNAL_FOLLOWS | MV_REC_INTERRUPTED)) {
				if (!interrupted(t, step))
					return;
			}
			if (mv_turn_again(t))
				break;
			done(t, step);
			return;
		default:
			if (!(mv_run_accused(t->run) & 1u << t->variant))
				mv_run_fail(t->run, MV_VERDICT_FAILURE, "a follower's step machine is in no known state");
			step->action = MV_STOP;
			return;
		}
	}
}

void mv_follow_ran(struct mv_thread *t, int64_t result, struct mv_step *step)
{
	step->action = MV_PARK;
	if (t->state == MV_ST_AFTER) {
		if (mv_hook_of(t)->after(t, result, step))
			return;
		acted_after(t);
	} else {
		if (act(t, result, step))
			return;
		if (!agrees(t)) {
			step->action = MV_STOP;
			return;
		}
		acted(t);
	}
}

/* At a call outside of the stream the leader may have had it before that call. */
static const struct mv_record *signal_next(const struct mv_thread *t, const void **payload)
{
	const struct mv_record *rec;

	if (t->leads || (t->state != MV_ST_IDLE && t->state != MV_ST_LOCAL))
		return NULL;
	rec = mv_stream_next(t->stream, consumer(t), payload);
	if (!rec || rec->kind != MV_REC_SIGNAL)
		return NULL;
	/* In a call outside of the stream the turn is kept: the program goes on behind it. */
	if (rec->nr == MV_TURN_SIGNAL)
		return rec->extra == MV_SIGNAL_ASYNC && t->state == MV_ST_IDLE ? rec : NULL;
	return rec->extra == MV_SIGNAL_ASYNC || (rec->extra == MV_SIGNAL_BOUNDARY && t->state == MV_ST_LOCAL) ? rec : NULL;
}

bool mv_signal_waits(const struct mv_thread *t)
{
	const void *payload;

	return t->state == MV_ST_IDLE && signal_next(t, &payload);
}

bool mv_pending_signal(struct mv_thread *t, struct mv_step *step)
{
	const void *payload;
	const struct mv_record *rec = signal_next(t, &payload);

	while (rec && rec->nr == MV_TURN_SIGNAL) {
		consume(t);
		mv_turn_give(t);
		rec = signal_next(t, &payload);
	}
	if (!rec)
		return false;
	t->state = MV_ST_IDLE;
	take_signal(t, rec, payload, step);
	step->action = MV_SIGNAL;
	return true;
}
