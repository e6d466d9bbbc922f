/*
 * Turns of threads.  Who comes while nobody has the turn takes it, as with most mutexes: who has waited for long may need as
 * long to come.  But after some such turns, or if the newcomer has yielded or made many calls, those that wait are first, one
 * after the other.
 */
#include "turns.h"

#define CALLS_MAX 64		/* in a turn, while others wait */
#define LOOKS_MAX 4096		/* likewise, of calls that other variants need not make */
#define BARGED_MAX 32		/* turns that were not waited for, likewise */

static struct mv_procset *procset(const struct mv_thread *t)
{
	return t->process->procset;
}

static bool waiting(const struct mv_procset *ps)
{
	return __atomic_load_n(&ps->head, __ATOMIC_SEQ_CST) != __atomic_load_n(&ps->tail, __ATOMIC_SEQ_CST);
}

void mv_turns_start(struct mv_thread *t)
{
	if (!t->run->config.turns || t->process->turns)
		return;
	t->process->turns = true;
	t->ticket = __atomic_add_fetch(&procset(t)->issued, 1, __ATOMIC_ACQ_REL);
	t->calls = t->looks = 0;
}

void mv_turns_end(struct mv_thread *t)
{
	struct mv_procset *ps = procset(t);

	t->process->turns = false;
	if (!t->variant)
		__atomic_store_n(&ps->head, __atomic_load_n(&ps->tail, __ATOMIC_SEQ_CST), __ATOMIC_SEQ_CST);
}

/* ---- leader ---- */

/* May it take the turn if nobody has it? */
static bool may_take(const struct mv_thread *t)
{
	const struct mv_procset *ps = procset(t);

	if (t->queued)
		return __atomic_load_n(&ps->head, __ATOMIC_SEQ_CST) == t->place;
	return !waiting(ps) || !(t->yields || t->calls >= CALLS_MAX || t->looks >= LOOKS_MAX ||
				 __atomic_load_n(&ps->barged, __ATOMIC_RELAXED) >= BARGED_MAX);
}

static void queue(struct mv_thread *t)
{
	if (!t->queued)
		t->place = __atomic_fetch_add(&procset(t)->tail, 1, __ATOMIC_SEQ_CST);
	t->queued = true;
}

static void begin(struct mv_thread *t)
{
	struct mv_procset *ps = procset(t);

	__atomic_store_n(&ps->barged, t->queued ? 0 : ps->barged + 1, __ATOMIC_RELAXED);
	if (t->queued)
		__atomic_fetch_add(&ps->head, 1, __ATOMIC_SEQ_CST);
	t->queued = false;
	t->ticket = __atomic_add_fetch(&ps->issued, 1, __ATOMIC_ACQ_REL);
	t->calls = t->looks = 0;
}

bool mv_turn_take(struct mv_thread *t)
{
	uint32_t nobody = 0;

	if (t->exclusive)
		return true;
	if ((t->process->turns && !may_take(t)) ||
	    !__atomic_compare_exchange_n(&procset(t)->owner, &nobody, t->tid, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		if (t->process->turns)
			queue(t);
		return false;
	}
	t->exclusive = true;
	if (t->process->turns)
		begin(t);
	return true;
}

static void give_lead(struct mv_thread *t)
{
	struct mv_procset *ps = procset(t);

	if (!t->exclusive)
		return;
	t->exclusive = false;
	__atomic_store_n(&ps->owner, 0, __ATOMIC_RELEASE);
	mv_word_bump(&ps->unlocks);
	t->changed |= MV_CHANGED_PROCSET;
}

/*
 * Calls that only some variants make keep the turn: whoever passes over them has no part in it.  So do clones, where the child
 * may be the one to end the call.
 */
static bool gives(const struct mv_thread *t)
{
	const unsigned keep = MV_DESC_OPTIONAL | MV_DESC_ELASTIC | MV_DESC_CLONE | MV_DESC_EXEC | MV_DESC_NORETURN;

	if (!t->process->turns || t->keeps || t->cls == MV_CLASS_DENY || t->desc->flags & keep)
		return false;
	return t->yields || t->desc->flags & MV_DESC_BLOCKS;
}

/*
 * A follower gives the turn up at its next call.  That must be this one: a look at the clock may be in the midst of an allocator's
 * work, and not happen in a follower.  Only a loop of nothing but looks is a loop of the follower's too.
 */
static bool slice_over(struct mv_thread *t)
{
	if (t->desc->flags & (MV_DESC_OPTIONAL | MV_DESC_ELASTIC))
		return ++t->looks >= LOOKS_MAX;
	t->looks = 0;
	return ++t->calls >= CALLS_MAX;
}

enum mv_state mv_turn_enter(struct mv_thread *t)
{
	if (!t->process->turns)
		return MV_ST_PUBLISH;
	t->gives = gives(t);
	if (!t->exclusive)
		return MV_ST_WANT;
	if (!slice_over(t) || !waiting(procset(t)))
		return MV_ST_PUBLISH;
	t->sig = MV_TURN_SIGNAL;
	t->sig_when = MV_SIGNAL_BOUNDARY;
	return MV_ST_SIGNAL;
}

bool mv_turn_again(struct mv_thread *t)
{
	if (t->result != MV_AGAIN)
		return false;
	t->again = !t->again;
	t->keeps = !t->again;
	t->step = 0;
	t->flags = 0;
	t->extra = t->ticket = 0;
	t->own = t->result = 0;
	__builtin_memset(t->aux, 0, sizeof(t->aux));
	t->state = t->variant ? MV_ST_FETCH : mv_turn_enter(t);
	return true;
}

void mv_turn_tell(struct mv_thread *t, struct mv_record *rec)
{
	if (t->gives)
		rec->flags |= MV_REC_GIVES;
	if (!t->ticket)
		return;
	rec->flags |= MV_REC_TURN;
	rec->ticket = t->ticket;
	t->ticket = 0;
}

bool mv_turn_wanted(const struct mv_thread *t)
{
	return t->process->turns && !t->exclusive &&
	       (t->state == MV_ST_WANT || t->state == MV_ST_ORDER ||
		(t->state == MV_ST_SIGNAL && t->sig_when == MV_SIGNAL_IN_CALL));
}

bool mv_set_hogs(const struct mv_run *run, uint64_t set, uint64_t *since)
{
	struct mv_set *s = mv_set_at(run, set);
	struct mv_procset *ps = s ? mv_arena_at(run_arena(run), s->procset) : NULL;

	if (!ps || __atomic_load_n(&ps->owner, __ATOMIC_ACQUIRE) != s->tid || !waiting(ps))
		return false;
	*since = __atomic_load_n(&ps->issued, __ATOMIC_ACQUIRE) + mv_stream_head((struct mv_stream *)(s + 1));
	return true;
}

/* ---- followers ---- */

unsigned mv_set_spins(const struct mv_run *run, uint64_t set, unsigned variant)
{
	struct mv_set *s = mv_set_at(run, set);
	const struct mv_record *rec;
	const void *payload;

	if (!s || !variant || variant >= run->config.variants)
		return 0;
	rec = mv_stream_next((struct mv_stream *)(s + 1), variant - 1, &payload);
	return rec && rec->kind == MV_REC_ENTER && rec->nr == MV_PSEUDO_SPIN ? (unsigned)mv_record_args(rec)[0] : 0;
}


static void set_awaits(struct mv_thread *t, bool awaits)
{
	if (t->awaits == awaits)
		return;
	t->awaits = awaits;
	__atomic_store_n(&t->set->waits[t->variant], awaits, __ATOMIC_RELAXED);
}

bool mv_turn_come(struct mv_thread *t, uint64_t ticket)
{
	bool come = __atomic_load_n(&procset(t)->turns[t->variant].done, __ATOMIC_ACQUIRE) + 1 == ticket;

	set_awaits(t, !come);
	return come;
}

void mv_turn_begin(struct mv_thread *t, uint64_t ticket)
{
	t->process->turns = true;
	t->turn = ticket;
	__atomic_store_n(&procset(t)->turns[t->variant].holder, t->tid, __ATOMIC_RELAXED);
}

void mv_ticket_done(struct mv_thread *t, uint64_t ticket)
{
	struct mv_turn *turn = &procset(t)->turns[t->variant];

	__atomic_store_n(&turn->done, ticket, __ATOMIC_RELEASE);
	mv_word_bump(&turn->moves);
	t->changed |= MV_CHANGED_PROCSET;
}

static void give_follow(struct mv_thread *t)
{
	if (!t->turn)
		return;
	__atomic_store_n(&procset(t)->turns[t->variant].holder, 0, __ATOMIC_RELAXED);
	mv_ticket_done(t, t->turn);
	t->turn = 0;
}

/* ---- both ---- */

void mv_turn_give(struct mv_thread *t)
{
	if (t->variant)
		give_follow(t);
	else
		give_lead(t);
}

struct mv_word *mv_turn_gone(struct mv_procset *ps, unsigned variant, uint32_t tid)
{
	struct mv_turn *turn = &ps->turns[variant];
	struct mv_word *word = variant ? &turn->moves : &ps->unlocks;

	if (!__atomic_compare_exchange_n(variant ? &turn->holder : &ps->owner, &tid, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		return NULL;
	if (variant)
		__atomic_fetch_add(&turn->done, 1, __ATOMIC_RELEASE);
	mv_word_bump(word);
	return word;
}
