/*
 * Waiting: for the monitor's lock, for other threads of the run (docs/model has the protocol), for a thread of our own.
 */
#include "monitor/monitor.h"

#define NR_SCHED_GETSCHEDULER 145
#define NR_FUTEX 202
#define FUTEX_WAIT_ 0
#define FUTEX_WAKE_ 1
#define FUTEX_PRIVATE 128
#define ALL 0x7fffffff
#define GONE_MS 1000

static void pause(void)
{
	__builtin_ia32_pause();
}

/* 0 = free, 1 = held, 2 = held and waited for.  A process with one thread needs none. */
void mon_lock(void)
{
	uint32_t is = 0;

	if (!mon.shared)
		return;
	if (__atomic_compare_exchange_n(&mon.lock, &is, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(&mon.lock, 2, __ATOMIC_ACQUIRE))
		mon_kernel(NR_FUTEX, (uint64_t)&mon.lock, FUTEX_WAIT_ | FUTEX_PRIVATE, 2, 0, 0);
}

void mon_unlock(void)
{
	if (!mon.shared)
		return;
	if (__atomic_exchange_n(&mon.lock, 0, __ATOMIC_RELEASE) == 2)
		mon_kernel(NR_FUTEX, (uint64_t)&mon.lock, FUTEX_WAKE_ | FUTEX_PRIVATE, 1, 0, 0);
}

void mon_share(void)
{
	if (mon.shared)
		return;
	mon.lock = 1;
	mon.shared = true;
}

void mon_wait_word(uint32_t *word, uint32_t while_value)
{
	for (unsigned i = 0; __atomic_load_n(word, __ATOMIC_ACQUIRE) == while_value; i++) {
		if (i < 100)
			pause();
		else
			mon_kernel(NR_FUTEX, (uint64_t)word, FUTEX_WAIT_ | FUTEX_PRIVATE, while_value, 0, 0);
	}
}

void mon_set_word(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	mon_kernel(NR_FUTEX, (uint64_t)word, FUTEX_WAKE_ | FUTEX_PRIVATE, ALL, 0, 0);
}

void mon_wake(struct mv_thread *t)
{
	uint32_t *words[MV_WAKES_MAX];
	unsigned n = mv_thread_wakes(t, words);

	while (n-- > 0)
		mon_kernel(NR_FUTEX, (uint64_t)words[n], FUTEX_WAKE_, ALL, 0, 0);
}

/* Sleep until the word changes; the counter tells its writer who sleeps.  What the kernel says: 0 woken, -EAGAIN, -ETIMEDOUT. */
static int64_t sleep(const struct mv_wait *w, uint32_t *counter, int64_t nsec)
{
	struct { int64_t sec, nsec; } limit = { 0, nsec };

	__atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(w->word, __ATOMIC_SEQ_CST) != w->value)
		return -EAGAIN;
	return mon_kernel(NR_FUTEX, (uint64_t)w->word, FUTEX_WAIT_, w->value, (uint64_t)&limit, 0);
}

/*
 * How long it pays to spin is what it took lately: a wait that was over before the limit raises it, one that was not halves
 * it.
 */
static bool spin(struct mon_thread *m, const struct mv_wait *w)
{
	for (uint32_t i = 0; i < m->spin; i++) {
		if (__atomic_load_n(w->word, __ATOMIC_ACQUIRE) != w->value) {
			if (m->spin < mon.spin_max)
				m->spin *= 2;
			return true;
		}
		pause();
	}
	if (m->spin > MON_SPIN_MIN)
		m->spin /= 2;
	return false;
}

/*
 * A nap that is cut short since the ring fills up tells nothing of when the leader will wait: followers that spin take the CPU
 * from what the leader talks to.
 */
static void wait(struct mon_thread *m, const struct mv_wait *w)
{
	if ((w->soon || m->hurried) && spin(m, w))
		return;
	if (w->naps) {
		int64_t r;

		if (!m->rested) {
			r = sleep(w, w->naps, MON_NAP);
			m->rested = r == -ETIMEDOUT;
			if (r != -EAGAIN)
				m->hurried = !r && !mv_thread_crowded(m->thread);
			return;
		}
		m->rested = false;
	}
	sleep(w, w->sleepers, MON_SLEEP);
}

void mon_wait_gone(const struct mv_call *call)
{
	struct { int64_t sec, nsec; } pause_time = { 0, 1000000 };
	uint32_t never = 0;

	/* It is of another process than the call says. */
	if (call->args[1] == mv_thread_tid(mon_self()->thread))
		return;
	/* A call that tells of any thread, and needs nobody's agreement as signals do. */
	for (unsigned i = 0; i < GONE_MS && mon_kernel(NR_SCHED_GETSCHEDULER, call->args[1], 0, 0, 0, 0) != -ESRCH; i++) {
		mon_unlock();
		mon_kernel(NR_FUTEX, (uint64_t)&never, FUTEX_WAIT_ | FUTEX_PRIVATE, 0, (uint64_t)&pause_time, 0);
		mon_lock();
	}
}

void mon_settle(struct mon_thread *m, struct mv_thread *t, struct mv_step *step)
{
	struct mv_wait w, now;

	for (;;) {
		/* It is taken back if another variant becomes the leader. */
		if (step->action == MV_STOP) {
			mon_unlock();
			mon_service(MON_STOP, 0, 0);
			mon_lock();
			mv_retry(t, step);
			mon_wake(t);
			continue;
		}
		if (step->action != MV_PARK)
			return;
		mv_thread_wait(t, &w);
		mv_retry(t, step);
		mon_wake(t);
		if (step->action != MV_PARK || !w.word)
			continue;
		/* The retry may have got somewhere, and wait for something else now. */
		mv_thread_wait(t, &now);
		if (now.word != w.word)
			continue;
		mon_unlock();
		wait(m, &w);
		mon_lock();
	}
}
