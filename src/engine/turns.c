/*
 * Turns of threads.  Who comes while nobody has the turn takes it, as with most mutexes: who has waited for long may need as
 * long to come.  But after some such turns, or if the newcomer has yielded or made many calls, those that wait are first, one
 * after the other.
 */
#include "mm.h"
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

/* ---- words ---- */

/*
 * Those that wait for turns are many, and one of them is next: only who may be that is woken.  In the leader that is who has the first
 * place; in a follower, who has the ticket after the last one that is done.  What was told before of another turn, and nobody has been
 * woken for yet, needs no wake-up any more: that turn has come and gone, so whoever had it was awake, or is dead.
 */
static unsigned next_turn(uint64_t n)
{
	return n % MV_TURN_WORDS;
}

static struct mv_word *head_bumped(struct mv_procset *ps)
{
	struct mv_word *word = &ps->heads[next_turn(__atomic_load_n(&ps->head, __ATOMIC_SEQ_CST))];

	mv_word_bump(word);
	return word;
}

static struct mv_word *done_bumped(struct mv_turn *turn)
{
	struct mv_word *word = &turn->moves[next_turn(__atomic_load_n(&turn->done, __ATOMIC_SEQ_CST) + 1)];

	mv_word_bump(word);
	return word;
}

static void tell_next(struct mv_thread *t, const struct mv_word *words, const struct mv_word *word)
{
	t->next_turn = (uint8_t)(word - words);
	t->changed |= MV_CHANGED_TURN;
}

struct mv_word *mv_turn_awaited(const struct mv_thread *t)
{
	const struct mv_set *s = t->set;
	struct mv_procset *ps = procset(t);

	if (!t->leads)
		return t->awaits ? &ps->turns[t->variant].moves[next_turn(t->awaits)] : NULL;
	/* A place that the head is over is nobody's to tell of (begin()). */
	return s->queued && (int32_t)(s->place - __atomic_load_n(&ps->head, __ATOMIC_SEQ_CST)) >= 0 ? &ps->heads[next_turn(s->place)] : &ps->unlocks;
}

struct mv_word *mv_turn_told(const struct mv_thread *t)
{
	struct mv_procset *ps = t->former ? t->former : procset(t);

	return t->leads ? &ps->heads[t->next_turn] : &ps->turns[t->variant].moves[t->next_turn];
}

/* ---- the beginning and end of turns ---- */

/* Leader, owner: who dies in between has got none (let_go()). */
static void take_ticket(struct mv_thread *t)
{
	struct mv_procset *ps = procset(t);

	__atomic_store_n(&t->set->last, ps->issued + 1, __ATOMIC_SEQ_CST);
	t->ticket = __atomic_add_fetch(&ps->issued, 1, __ATOMIC_SEQ_CST);
	t->calls = t->looks = 0;
}

void mv_turns_start(struct mv_thread *t)
{
	if (!t->run->config.turns || t->process->turns)
		return;
	t->process->turns = true;
	take_ticket(t);
}

/* Whoever has the turn is known by its number. */
static void renamed(struct mv_thread *t, uint32_t tid)
{
	if (t->leads && t->exclusive)
		__atomic_store_n(&procset(t)->owner, tid, __ATOMIC_RELEASE);
	if (!t->leads && t->turn)
		__atomic_store_n(&procset(t)->turns[t->variant].holder, tid, __ATOMIC_RELAXED);
}

void mv_turns_end(struct mv_thread *t, uint32_t tid)
{
	if (t->run->config.turns_all)
		renamed(t, tid);
	else
		t->process->turns = false;
}

void mv_turns_leave(struct mv_thread *t)
{
	struct mv_set *s = t->set;
	uint32_t me = 1u << t->variant;
	bool apart = s->apart & me, all = t->run->config.turns_all;

	if (!s->alone || apart != all)
		return;
	t->former = procset(t);
	if (all)
		__atomic_fetch_and(&s->apart, ~me, __ATOMIC_RELEASE);
	else
		__atomic_fetch_or(&s->apart, me, __ATOMIC_RELEASE);
	t->process->procset = mv_set_procset(t->run, s, t->variant);
	t->process->turns |= all;
}

#define CLONE_VM_ 0x100u
#define CLONE_VFORK_ 0x4000u
#define CLONE_THREAD_ 0x10000u

static void look_for_shared(void *found, const struct mv_mapping *m)
{
	*(bool *)found |= m->flags & MV_MM_COMMON;
}

void mv_turns_race(const struct mv_thread *t, uint32_t how)
{
	const struct mv_config *c = &t->run->config;

	if (!c->turns_shared && !c->turns_all && !(t->run->racing & how))
		__atomic_fetch_or(&t->run->racing, how, __ATOMIC_RELAXED);
}

uint32_t mv_run_racing(const struct mv_run *run)
{
	return run->racing;
}

bool mv_turns_join(const struct mv_thread *t)
{
	const struct mv_config *c = &t->run->config;
	bool shared = false;

	if (t->clone_flags & CLONE_THREAD_)
		return true;
	mv_turns_race(t, MV_RACING_OTHERS);
	/* The parent of a vfork has the turn for its child, until that executes a program. */
	if (!c->turns || t->clone_flags & CLONE_VFORK_)
		return false;
	if (t->clone_flags & CLONE_VM_ || c->turns_all)
		return true;
	if (c->turns_shared || !(t->run->racing & MV_RACING_FORK))
		mv_mm_each(t->process->mm, look_for_shared, &shared);
	if (shared)
		mv_turns_race(t, MV_RACING_FORK);
	return shared && c->turns_shared;
}

bool mv_turns_join_later(const struct mv_thread *t)
{
	return t->run->config.turns && t->run->config.turns_all && t->clone_flags & CLONE_VFORK_;
}

/* ---- leader ---- */

/* May it take the turn if nobody has it? */
static bool may_take(const struct mv_thread *t)
{
	const struct mv_procset *ps = procset(t);

	if (t->set->queued)
		return (int32_t)(__atomic_load_n(&ps->head, __ATOMIC_SEQ_CST) - t->set->place) >= 0;
	return !waiting(ps) || !(t->yields || t->calls >= CALLS_MAX || t->looks >= LOOKS_MAX ||
				 __atomic_load_n(&ps->barged, __ATOMIC_RELAXED) >= BARGED_MAX);
}

static void queue(struct mv_thread *t)
{
	if (t->set->queued)
		return;
	t->set->place = __atomic_fetch_add(&procset(t)->tail, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&t->set->queued, 1, __ATOMIC_RELEASE);
}

/* Whoever is at the head, and is not there any more, lets the next one be. */
static void pass_left(struct mv_procset *ps)
{
	for (;;) {
		uint32_t head = __atomic_load_n(&ps->head, __ATOMIC_SEQ_CST);
		uint64_t bit = 1ull << head % 64;

		if (!(__atomic_fetch_and(&ps->left[head % MV_PLACES / 64], ~bit, __ATOMIC_SEQ_CST) & bit))
			return;
		__atomic_fetch_add(&ps->head, 1, __ATOMIC_SEQ_CST);
	}
}

static void begin(struct mv_thread *t)
{
	struct mv_procset *ps = procset(t);

	__atomic_store_n(&ps->barged, t->set->queued ? 0 : ps->barged + 1, __ATOMIC_RELAXED);
	/* Whoever dies in the midst of it has left a place that is behind the head already, which keeps nobody from his own. */
	if (t->set->queued) {
		__atomic_fetch_add(&ps->head, 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&t->set->queued, 0, __ATOMIC_SEQ_CST);
		pass_left(ps);
	}
	take_ticket(t);
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
	t->changed |= MV_CHANGED_LOCK;
	if (waiting(ps))
		tell_next(t, ps->heads, head_bumped(ps));
}

/*
 * Calls that only some variants make keep the turn: whoever passes over them has no part in it.  So do clones, where the child
 * may be the one to end the call.  Not waits for other processes, which may be long: whoever passes over those gives it up, too.
 */
static bool gives(const struct mv_thread *t, bool look)
{
	const unsigned keep = MV_DESC_CLONE | MV_DESC_EXEC | MV_DESC_NORETURN;

	if (!t->process->turns || t->keeps || t->cls == MV_CLASS_DENY || t->desc->flags & keep || (mv_slack(t) && !mv_waits_for_process(t)) || look)
		return false;
	return t->yields || t->desc->flags & MV_DESC_BLOCKS;
}

/*
 * A follower gives the turn up at its next call.  That must be this one: a look at the clock may be in the midst of an allocator's
 * work, and not happen in a follower.  Only a loop of nothing but looks is a loop of the follower's too; and if there is one among them
 * that the program goes by, it is at that one.
 */
static bool slice_over(struct mv_thread *t, bool look)
{
	if (mv_slack(t))
		return ++t->looks >= (t->desc->flags & MV_DESC_TOLD ? LOOKS_MAX : 2 * LOOKS_MAX);
	if (look)
		return mv_looks(t) && ++t->looks >= 2 * LOOKS_MAX;
	t->looks = 0;
	return ++t->calls >= CALLS_MAX;
}

enum mv_state mv_turn_enter(struct mv_thread *t)
{
	bool look;

	if (!t->process->turns)
		return MV_ST_PUBLISH;
	look = mv_look_on(t);
	t->gives = gives(t, look);
	if (!t->exclusive)
		return MV_ST_WANT;
	if (!slice_over(t, look) || !waiting(procset(t)))
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
	t->state = t->leads ? mv_turn_enter(t) : MV_ST_FETCH;
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
	struct mv_procset *ps = s ? mv_set_procset(run, s, run->leader) : NULL;

	/* Before a thread begins it has no number, as nobody has none. */
	if (!ps || !s->tid || __atomic_load_n(&ps->owner, __ATOMIC_ACQUIRE) != s->tid || !waiting(ps))
		return false;
	*since = __atomic_load_n(&ps->issued, __ATOMIC_ACQUIRE) + mv_stream_head((struct mv_stream *)(s + 1));
	return true;
}

/* ---- followers ---- */

/* What a follower has to do next, NULL if that is not known yet.  Calls that only the leader makes may come before it. */
static const struct mv_record *next_record(const struct mv_run *run, uint64_t set, unsigned variant)
{
	struct mv_set *s = mv_set_at(run, set);
	const struct mv_record *rec;

	if (!s || !mv_follows(run, variant))
		return NULL;
	for (unsigned n = 0; (rec = mv_stream_ahead((struct mv_stream *)(s + 1), mv_consumer(variant), n)); n++) {
		if (rec->kind == MV_REC_ENTER ? !mv_record_slack(rec) : !n || (rec->kind != MV_REC_RESULT && rec->kind != MV_REC_DATA))
			break;
	}
	return rec;
}

unsigned mv_set_spins(const struct mv_run *run, uint64_t set, unsigned variant)
{
	const struct mv_record *rec = next_record(run, set, variant);

	return rec && rec->kind == MV_REC_ENTER && rec->nr == MV_PSEUDO_SPIN ? (unsigned)mv_record_args(rec)[0] : 0;
}

bool mv_set_signals(const struct mv_run *run, uint64_t set, unsigned variant)
{
	const struct mv_record *rec = next_record(run, set, variant);

	return rec && rec->kind == MV_REC_SIGNAL;
}

static void set_awaits(struct mv_thread *t, uint64_t awaits)
{
	if (t->awaits == awaits)
		return;
	t->awaits = awaits;
	__atomic_store_n(&t->set->waits[t->variant], awaits != 0, __ATOMIC_RELAXED);
}

bool mv_turn_come(struct mv_thread *t, uint64_t ticket)
{
	bool come = __atomic_load_n(&procset(t)->turns[t->variant].done, __ATOMIC_ACQUIRE) + 1 == ticket;

	set_awaits(t, come ? 0 : ticket);
	return come;
}

void mv_turn_begin(struct mv_thread *t, uint64_t ticket)
{
	t->process->turns = true;
	t->turn = ticket;
	__atomic_store_n(&procset(t)->turns[t->variant].holder, t->tid, __ATOMIC_RELAXED);
}

/* Whoever takes the next ticket's mark away works it off.  After a change of done or lost and a full barrier.  The word that tells of it. */
static struct mv_word *pass_lost(struct mv_turn *turn)
{
	while (__atomic_load_n(&turn->nlost, __ATOMIC_SEQ_CST)) {
		uint64_t next = __atomic_load_n(&turn->done, __ATOMIC_SEQ_CST) + 1, bit = 1ull << next % 64;

		if (!(__atomic_fetch_and(&turn->lost[next % MV_PLACES / 64], ~bit, __ATOMIC_SEQ_CST) & bit))
			break;
		__atomic_fetch_sub(&turn->nlost, 1, __ATOMIC_SEQ_CST);
		__atomic_store_n(&turn->done, next, __ATOMIC_SEQ_CST);
	}
	return done_bumped(turn);
}

void mv_ticket_done(struct mv_thread *t, uint64_t ticket)
{
	struct mv_turn *turn = &procset(t)->turns[t->variant];

	__atomic_store_n(&turn->done, ticket, __ATOMIC_SEQ_CST);
	tell_next(t, turn->moves, pass_lost(turn));
}

static void give_follow(struct mv_thread *t)
{
	uint32_t me = t->tid;

	/* For a change of the leader it may have been taken away. */
	if (t->turn && __atomic_compare_exchange_n(&procset(t)->turns[t->variant].holder, &me, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		mv_ticket_done(t, t->turn);
	t->turn = 0;
}

void mv_turn_expire(struct mv_thread *t)
{
	const void *payload;

	if (t->turn && t->turn <= __atomic_load_n(&procset(t)->changed, __ATOMIC_ACQUIRE) && mv_thread_rests(t) &&
	    !mv_stream_next(t->stream, mv_consumer(t->variant), &payload)) {
		give_follow(t);
		t->moves++;
	}
}

/* ---- both ---- */

void mv_turn_give(struct mv_thread *t)
{
	if (t->leads)
		give_lead(t);
	else
		give_follow(t);
}

/* ---- deaths ---- */

#define DIED_WITH ((uint64_t)1 << 63)	/* in mv_set.last */

struct loss {
	struct mv_turn *turn;
	bool far;
};

static void lose(void *ctx, uint64_t ticket)
{
	struct loss *l = ctx;
	struct mv_turn *turn = l->turn;
	uint64_t bit = 1ull << ticket % 64, done = __atomic_load_n(&turn->done, __ATOMIC_SEQ_CST);

	if (ticket <= done)
		return;
	l->far |= ticket - done >= MV_PLACES;
	if (!(__atomic_fetch_or(&turn->lost[ticket % MV_PLACES / 64], bit, __ATOMIC_SEQ_CST) & bit))
		__atomic_fetch_add(&turn->nlost, 1, __ATOMIC_SEQ_CST);
}

static struct mv_turn *domain_turn(const struct mv_run *run, const struct mv_set *s, unsigned variant)
{
	return &((struct mv_procset *)mv_arena_at(run_arena(run), s->procset))->turns[variant];
}

/* Neither the leader's thread nor this twin is there any more: what tickets it has left are nobody's. */
static struct mv_word *lose_tickets(struct mv_run *run, struct mv_set *s, unsigned variant)
{
	uint32_t apart = __atomic_load_n(&s->apart, __ATOMIC_ACQUIRE), lead = 1u << run->leader;
	struct loss loss = { .turn = domain_turn(run, s, variant) };

	/* With turns of all, it is the leader that may have come to the domain alone. */
	if (apart & (run->config.turns_all ? lead : 1u << variant) || mv_released(run, variant))
		return NULL;
	/* Those that a child of vfork had before it came to the domain are of an order of its own. */
	mv_stream_tickets((struct mv_stream *)(s + 1), run->config.turns_all, lose, &loss);
	if (s->last & DIED_WITH && !(apart & lead))
		lose(&loss, s->last & ~DIED_WITH);
	if (loss.far)
		mv_run_fail(run, MV_VERDICT_FAILURE, "a process that shares memory was killed too far ahead of its twins");
	return pass_lost(loss.turn);
}

struct mv_word *mv_turn_lost(struct mv_run *run, struct mv_set *s, unsigned variant)
{
	uint32_t gone = __atomic_fetch_or(&s->gone, 1u << variant, __ATOMIC_ACQ_REL);
	bool leads = mv_leads(run, variant);
	struct mv_word *word = NULL, *lost;

	for (unsigned v = 1; v < run->config.variants; v++) {
		if (!(leads ? gone & 1u << v : v == variant && gone & 1u << run->leader) || mv_leads(run, v))
			continue;
		lost = lose_tickets(run, s, v);
		if (lost)
			word = lost;
	}
	return word;
}

/* Places are the domain's: a process of one thread has none. */
static bool leave_queue(struct mv_procset *ps, struct mv_set *s)
{
	if (!__atomic_exchange_n(&s->queued, 0, __ATOMIC_SEQ_CST))
		return false;
	__atomic_fetch_or(&ps->left[s->place % MV_PLACES / 64], 1ull << s->place % 64, __ATOMIC_SEQ_CST);
	pass_left(ps);
	return true;
}

static struct mv_word *let_go(const struct mv_run *run, struct mv_set *s, unsigned variant, uint32_t tid, bool dies)
{
	struct mv_procset *ps = mv_set_procset(run, s, variant);
	bool leads = mv_leads(run, variant);
	struct mv_turn *turn;
	bool left;

	/* Without a number it was killed before it began, and nobody's turn is not its own. */
	if (!ps || !tid)
		return NULL;
	turn = &ps->turns[variant];
	left = leads && leave_queue(ps, s);
	/* It may have become the owner, and not got a ticket yet: the newest one is another's then. */
	if (leads && dies && __atomic_load_n(&ps->owner, __ATOMIC_ACQUIRE) == tid &&
	    s->last == __atomic_load_n(&ps->issued, __ATOMIC_ACQUIRE))
		s->last |= DIED_WITH;
	if (!__atomic_compare_exchange_n(leads ? &ps->owner : &turn->holder, &tid, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
		if (!left)
			return NULL;
	} else if (!leads) {
		__atomic_fetch_add(&turn->done, 1, __ATOMIC_SEQ_CST);
		return pass_lost(turn);
	}
	mv_word_bump(&ps->unlocks);
	return waiting(ps) ? head_bumped(ps) : &ps->unlocks;
}

struct mv_word *mv_turn_gone(const struct mv_run *run, struct mv_set *s, unsigned variant, uint32_t tid)
{
	return let_go(run, s, variant, tid, true);
}

struct mv_word *mv_turn_yield(const struct mv_run *run, struct mv_set *s, unsigned variant)
{
	return let_go(run, s, variant, s->tid, false);
}
