/*
 * Threads: how they begin, wait for each other and let each other go first.  While a process has one thread such calls are in
 * no stream.
 *
 * With turns the leader alone waits in futexes, and the twins get what it got: who is woken, and how many, is then the leader's
 * chance, as the order of turns is, and no follower sleeps for anything but its stream and its turn.
 */
#include "engine/internal.h"
#include "futex_pi.h"
#include "engine/turns.h"

#define NR_FUTEX 202
#define NR_FUTEX_WAITV 449
#define NR_FUTEX_WAIT 455
#define COMMAND 127		/* of a futex operation, without its flags */
#define PRIVATE 128u
#define REALTIME 256u
#define SHARED_WORD 2		/* what is compared of the address then, instead of whether there is one */
enum { WAIT = 0, WAKE = 1, WAKE_OP = 5, WAIT_BITSET = 9, WAIT_REQUEUE_PI = 11, CMP_REQUEUE_PI = 12 };

static bool answer(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	(void)last;
	(void)step;
	t->own = 0;
	return false;
}

const struct mv_hook mv_hook_begin = { .lead = answer };

static int spin_prepare(struct mv_thread *t)
{
	t->yields = true;
	return 0;
}

const struct mv_hook mv_hook_spin = { .prepare = spin_prepare, .lead = answer };

static int yield_prepare(struct mv_thread *t)
{
	if (!t->process->turns)
		return 0;
	t->cls = MV_CLASS_LEADER;
	t->yields = true;
	return 0;
}

const struct mv_hook mv_hook_yield = { .prepare = yield_prepare };

static bool waits_or_wakes(uint64_t op)
{
	uint32_t command = (uint32_t)op & ~REALTIME;

	return command == WAIT || command == WAIT_BITSET || command == WAKE;
}

/* A word that other processes can see, who wait for it, or change it and wake, in no order with this one. */
static bool is_shared(const struct mv_thread *t)
{
	const struct mv_config *c = &t->run->config;
	const struct mv_mapping *m;

	if (c->turns_shared || c->turns_all || t->call.nr != NR_FUTEX || !waits_or_wakes(t->call.args[1]))
		return false;
	m = mv_mm_find(t->process->mm, t->call.args[0]);
	return m && m->flags & MV_MM_SHARED;
}

static void note_race(const struct mv_thread *t)
{
	if (is_shared(t))
		mv_turns_race(t, MV_RACING_WAITS);
}

static void futex_normalise(struct mv_thread *t)
{
	if (is_shared(t))
		t->norm[0] = SHARED_WORD;
}

static int futex_prepare(struct mv_thread *t)
{
	uint32_t command = t->call.args[1] & COMMAND;

	note_race(t);
	if (!t->process->turns)
		return 0;
	t->cls = MV_CLASS_LEADER;
	if (t->call.nr != NR_FUTEX) {
		t->keeps = t->call.nr != NR_FUTEX_WAIT && t->call.nr != NR_FUTEX_WAITV;
		return 0;
	}
	t->keeps = command != WAIT && command != WAIT_BITSET;
	if (command == WAKE_OP || (command == WAKE && is_shared(t)))
		t->cls = MV_CLASS_ALLOVW;	/* each variant's kernel writes to its own memory, and has others that sleep there */
	/* Of these the kernel marks the word while another thread has the turn; the C library does not use them any more. */
	return command == WAIT_REQUEUE_PI || command == CMP_REQUEUE_PI ? MV_UNSUPPORTED : 0;
}

static bool pi(const struct mv_thread *t)
{
	return t->process->turns && t->call.nr == NR_FUTEX && mv_pi_is(t);
}

static bool futex_lead(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (pi(t))
		return mv_pi_lead(t, last, step);
	if (!t->step)
		return mv_ask_own(t, step);
	t->own = last;
	return false;
}

static void futex_collect(struct mv_thread *t)
{
	if (pi(t))
		mv_pi_collect(t);
}

static bool futex_follow(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (pi(t)) {
		mv_pi_follow(t);
		return false;
	}
	t->own = t->step ? last : t->result;
	return t->cls == MV_CLASS_ALLOVW && !t->step && mv_ask_own(t, step);
}

/*
 * When a thread that works in the background of one process is woken may follow from addresses: jemalloc's gives memory back at moments
 * drawn from them.  Whom the leader's wakes alone, his twins come back for nothing, as from any wait, and wait again.  Whom a follower's
 * does he sleeps on until the leader's comes back: what else he would do than others may miss, nobody waits for, or there are waits that differ.
 * Optional rather than elastic: a look at the clock that both take is no reason to pass over it.
 *
 * Of words that processes share each variant's own processes have theirs.  How often one finds it as it wants it, without a wait or after some,
 * depends on how far the others have come: a follower that is ahead of them really waits, with its turn.  Nobody who needs that
 * has to come first: the leader has found the word changed with no more done by its own threads.
 */
static bool futex_elastic(const uint64_t *norm)
{
	return norm[1] == (WAKE | PRIVATE) || (norm[0] == SHARED_WORD && waits_or_wakes(norm[1]));
}

/* A wait without a timeout, where the leader's has had one. */
static void futex_done(struct mv_thread *t)
{
	if (!t->leads && t->call.nr == NR_FUTEX && t->result == ERR(ETIMEDOUT) && !t->call.args[3])
		t->result = 0;
}

const struct mv_hook mv_hook_futex = {
	.prepare = futex_prepare, .lead = futex_lead, .collect = futex_collect, .follow = futex_follow, .done = futex_done,
	.normalise = futex_normalise, .elastic = futex_elastic,
};

bool mv_is_private_wait(uint32_t nr, const uint64_t *norm)
{
	uint32_t command = (uint32_t)norm[1] & ~REALTIME;

	return nr == NR_FUTEX && (command == (WAIT | PRIVATE) || command == (WAIT_BITSET | PRIVATE));
}

bool mv_waits_for_process(const struct mv_thread *t)
{
	return t->desc->hook == &mv_hook_futex && t->norm[0] == SHARED_WORD && !t->keeps;
}

bool mv_call_is_apart(const struct mv_thread *t, const struct mv_call *call)
{
	const struct mv_desc *d = mv_lookup(call);

	return d && !t->process->turns && (d->hook == &mv_hook_futex || d->hook == &mv_hook_yield);
}
