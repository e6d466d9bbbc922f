/*
 * Futexes with priority inheritance, in a process whose threads take turns.  The kernel would change their words whenever it
 * likes, beside the thread that has the turn: so every variant does it itself, in turn, and the leader's threads wait as in any
 * futex.  Priorities are not inherited.
 *
 * To lock is a sequence of two steps, each a call to the stream: try, which keeps the turn, and wait, which gives it up.
 */
#include "engine/internal.h"
#include "futex_pi.h"

#define WAITERS 0x80000000u
#define OWNER_DIED 0x40000000u
#define OWNER 0x3fffffffu
#define FLAGS 384		/* FUTEX_PRIVATE_FLAG, FUTEX_CLOCK_REALTIME */
#define CLOCK_REALTIME_ 256
#define ALL_BITS 0xffffffffu

enum { WAKE = 1, LOCK_PI = 6, UNLOCK_PI = 7, TRYLOCK_PI = 8, WAIT_BITSET = 9, LOCK_PI2 = 13 };

static uint32_t command(const struct mv_thread *t)
{
	return (uint32_t)t->call.args[1] & ~FLAGS;
}

bool mv_pi_is(const struct mv_thread *t)
{
	uint32_t c = command(t);

	return c == LOCK_PI || c == LOCK_PI2 || c == TRYLOCK_PI || c == UNLOCK_PI;
}

static bool get(struct mv_thread *t, uint32_t *word)
{
	return !(t->call.args[0] & 3) && mv_peek_all(t, t->call.args[0], word, sizeof(*word));
}

static int64_t put(struct mv_thread *t, uint32_t word)
{
	return t->ops->poke(t->task, t->call.args[0], &word, sizeof(word)) == sizeof(word) ? 0 : ERR(EFAULT);
}

/* Take it if it is nobody's; else mark that somebody waits. */
static int64_t try(struct mv_thread *t)
{
	uint32_t word;

	if (!get(t, &word))
		return ERR(t->call.args[0] & 3 ? EINVAL : EFAULT);
	if ((word & OWNER) == t->tid)
		return ERR(EDEADLK);
	if (!(word & OWNER))
		return put(t, (word & (OWNER_DIED | WAITERS)) | t->tid);
	if (command(t) == TRYLOCK_PI)
		return ERR(EAGAIN);
	return put(t, word | WAITERS) ? ERR(EFAULT) : MV_AGAIN;
}

/* Who was about to wait looks at the word once more, and finds it without the mark, or another. */
static bool wait(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	uint32_t flags = (uint32_t)t->call.args[1] & FLAGS, word;

	if (t->step) {
		t->own = is_error(last) && last != ERR(EAGAIN) && last != ERR(EINTR) ? last : MV_AGAIN;
		return false;
	}
	t->own = MV_AGAIN;
	if (!get(t, &word) || !(word & WAITERS) || !(word & OWNER))
		return false;
	if (command(t) == LOCK_PI)
		flags |= CLOCK_REALTIME_;
	mv_ask(step, t->call.nr, t->call.args[0], WAIT_BITSET | flags, word);
	step->call.args[3] = t->call.args[3];
	step->call.args[5] = ALL_BITS;
	return true;
}

/* The word is free while one is woken: if there was one, there may be more. */
static bool unlock(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	uint32_t word;

	if (t->step) {
		t->aux[0] = last > 0;
		t->own = last > 0 ? put(t, WAITERS) : 0;
		return false;
	}
	if (!get(t, &word))
		t->own = ERR(EFAULT);
	else if ((word & OWNER) != t->tid)
		t->own = ERR(EPERM);
	else
		t->own = put(t, 0);
	return !t->own && mv_ask(step, t->call.nr, t->call.args[0], WAKE | ((uint32_t)t->call.args[1] & 128), 1);
}

bool mv_pi_lead(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (command(t) == UNLOCK_PI)
		return unlock(t, last, step);
	if (t->again)
		return wait(t, last, step);
	t->own = try(t);
	return false;
}

void mv_pi_collect(struct mv_thread *t)
{
	t->extra = t->aux[0];
}

void mv_pi_follow(struct mv_thread *t)
{
	if (command(t) == UNLOCK_PI)
		t->own = put(t, t->extra ? WAITERS : 0);
	else
		t->own = t->again ? t->result : try(t);
	if (t->own != t->result)
		mv_diverge_result(t, t->own);
}
