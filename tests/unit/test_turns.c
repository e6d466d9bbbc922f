/*
 * Turns: of two threads of a process one runs at a time, in the follower in the leader's order.  t[0] and t[1] are the leader's
 * and the follower's first threads, child[0] and child[1] the twins that they make.
 */
#include <linux/futex.h>
#include "engine_sim.h"
#include "engine/internal.h"
#include "engine/turns.h"

#define THREAD_FLAGS 0x10f00	/* CLONE_VM, FS, FILES, SIGHAND, THREAD */
#define CHILD_TID 1001
#define READ CALL(__NR_read, 3, AT(OUT), 100)
#define WORD 0x200

static struct mv_step begin(struct mv_thread *t)
{
	struct mv_step step = { 0 };

	mv_thread_begin(t, &step);
	return step;
}

/* Two threads in both variants; the first one has the turn. */
static struct sim *two_threads(bool turns, struct mv_thread *child[2])
{
	struct sim_options o = sim_defaults;
	struct sim *s;

	o.turns = turns;
	s = sim_new(&o);
	sim_clone_both(s, CALL(__NR_clone, THREAD_FLAGS, AT(0x1000), 0, 0, 0), CHILD_TID, child);
	return s;
}

static void end(struct sim *s, struct mv_thread *child[2])
{
	sim_expect_peace(s);
	mv_thread_gone(child[0], 0);
	mv_thread_gone(child[1], 0);
	sim_free(s);
}

static void expect_waits(struct mv_thread *t)
{
	struct mv_step step = sim_retry(t);

	sim_expect(&step, MV_PARK);
}

static void expect_run(struct mv_thread *t, struct mv_call call, uint32_t nr)
{
	struct mv_step step = sim_enter(t, call);

	sim_expect_run(&step, nr);
}

static void expect_done(struct mv_thread *t, int64_t result)
{
	struct mv_step step = sim_retry(t);

	sim_expect_done(&step, result);
}

static void expect_exit(struct mv_thread *t, int64_t result)
{
	struct mv_step step = sim_exit(t, result);

	sim_expect_done(&step, result);
}

static void expect_park(struct mv_thread *t, struct mv_call call)
{
	struct mv_step step = sim_enter(t, call);

	sim_expect(&step, MV_PARK);
}

/* Threads that are free begin at once, and their futexes are nobody else's business. */
static void threads_free(void **state)
{
	struct mv_thread *child[2];
	struct sim *s = two_threads(false, child);
	struct mv_step step = begin(child[0]);

	(void)state;
	sim_expect(&step, MV_DONE);
	assert_true(mv_call_is_apart(child[0], &CALL(__NR_futex)));
	expect_run(child[1], CALL(__NR_futex, AT(WORD), FUTEX_WAIT, 1), __NR_futex);
	expect_exit(child[1], -EAGAIN);
	end(s, child);
}

/* The first thread gives its turn up for a call that may block, and takes it back when the second one does. */
static void hand_over(void **state)
{
	struct mv_thread *child[2];
	struct sim *s = two_threads(true, child);
	struct mv_step step = begin(child[0]);

	(void)state;
	sim_expect(&step, MV_PARK);
	step = begin(child[1]);
	sim_expect(&step, MV_PARK);
	sim_leads(s, CALL(__NR_getppid), 1);		/* keeps it */
	expect_waits(child[0]);
	expect_run(s->t[0], READ, __NR_read);
	expect_done(child[0], 0);
	step = sim_exit(s->t[0], 5);			/* it has returned, and must wait */
	sim_expect(&step, MV_PARK);
	sim_follows(s, CALL(__NR_getppid), 1);
	expect_waits(child[1]);				/* the twin of the first one has not come to its read */
	expect_park(s->t[1], READ);
	expect_done(child[1], 0);
	expect_run(child[0], READ, __NR_read);
	expect_done(s->t[0], 5);
	expect_waits(s->t[1]);				/* the result is there, its turn is not */
	expect_park(child[1], READ);
	expect_done(s->t[1], 5);
	step = sim_exit(child[0], 7);
	sim_expect(&step, MV_PARK);
	expect_run(s->t[0], READ, __NR_read);
	expect_done(child[0], 7);
	expect_waits(child[1]);
	expect_park(s->t[1], READ);
	expect_done(child[1], 7);
	step = sim_exit(s->t[0], 0);
	sim_expect(&step, MV_PARK);
	mv_thread_gone(child[0], 0);			/* who is gone has the turn no more */
	expect_done(s->t[0], 0);
	expect_waits(s->t[1]);
	mv_thread_gone(child[1], 0);
	expect_done(s->t[1], 0);
	sim_expect_peace(s);
	sim_free(s);
}

static struct mv_wait sleeps(const struct mv_thread *t)
{
	struct mv_wait w;

	mv_thread_wait(t, &w);
	assert_non_null(w.word);
	++*w.sleepers;
	return w;
}

/* by has done something since it was asked last: it says that whoever sleeps so is to be woken, if the word has changed. */
static bool is_told(struct mv_thread *by, const struct mv_wait *w, const struct mv_wait *other)
{
	uint32_t *words[MV_WAKES_MAX];
	bool told = false, told_other = false;

	for (unsigned n = mv_thread_wakes(by, words); n > 0; n--) {
		told |= words[n - 1] == w->word;
		told_other |= words[n - 1] == other->word;
	}
	assert_int_equal(told, *w->word != w->value);
	assert_int_equal(told_other, *other->word != other->value);
	assert_false(told && told_other);
	return told;
}

/* Of those that wait for their turns, who is next is woken, and nobody else. */
static void wakes_the_next(void **state)
{
	struct mv_thread *child[2], *other[2];
	struct sim *s = two_threads(true, child);

	(void)state;
	sim_clone_both(s, CALL(__NR_clone, THREAD_FLAGS, AT(0x2000), 0, 0, 0), CHILD_TID + 1, other);
	for (unsigned v = 0; v < 2; v++) {
		struct mv_wait next, later;
		struct mv_step step = begin(child[v]);

		sim_expect(&step, MV_PARK);
		step = begin(other[v]);
		sim_expect(&step, MV_PARK);
		if (!v) {
			next = sleeps(child[v]);
			later = sleeps(other[v]);
			expect_run(s->t[v], READ, __NR_read);
			assert_true(is_told(s->t[v], &next, &later));
			expect_done(child[v], 0);
			next = sleeps(other[v]);
			later = next;
			expect_run(child[v], READ, __NR_read);
			assert_int_not_equal(*next.word, next.value);
			expect_done(other[v], 0);
			continue;
		}
		expect_waits(child[v]);
		expect_waits(other[v]);
		next = sleeps(child[v]);
		later = sleeps(other[v]);
		expect_park(s->t[v], READ);
		assert_true(is_told(s->t[v], &next, &later));
		expect_done(child[v], 0);
		expect_waits(other[v]);
		expect_park(child[v], READ);
		expect_done(other[v], 0);
	}
	mv_thread_gone(other[0], 0);
	mv_thread_gone(other[1], 0);
	end(s, child);
}

/* Child runs, first waits in a read: the state most tests start from. */
static struct sim *child_runs(struct mv_thread *child[2])
{
	struct sim *s = two_threads(true, child);

	for (unsigned v = 0; v < 2; v++) {
		struct mv_step step = begin(child[v]);

		sim_expect(&step, MV_PARK);
		step = sim_enter(s->t[v], READ);
		sim_expect(&step, v ? MV_PARK : MV_RUN);
		expect_done(child[v], 0);
	}
	return s;
}

/* The leader alone waits in a futex; how many are woken is what it was told. */
static void futexes(void **state)
{
	struct mv_thread *child[2];
	struct sim *s = child_runs(child);
	struct mv_step step;

	(void)state;
	assert_false(mv_call_is_apart(child[0], &CALL(__NR_futex)));
	expect_run(child[0], CALL(__NR_futex, AT(WORD), FUTEX_WAKE_PRIVATE, 1), __NR_futex);
	expect_exit(child[0], 1);
	step = sim_enter(child[1], CALL(__NR_futex, AT(WORD), FUTEX_WAKE_PRIVATE, 1));
	sim_expect_done(&step, 1);
	/* What changes memory is done in each; its result is the leader's. */
	expect_run(child[0], CALL(__NR_futex, AT(WORD), FUTEX_WAKE_OP_PRIVATE, 1), __NR_futex);
	expect_exit(child[0], 3);
	expect_run(child[1], CALL(__NR_futex, AT(WORD), FUTEX_WAKE_OP_PRIVATE, 1), __NR_futex);
	step = sim_exit(child[1], 0);
	sim_expect_done(&step, 3);
	expect_run(child[0], CALL(__NR_futex, AT(WORD), FUTEX_WAIT_PRIVATE, 1), __NR_futex);
	expect_park(child[1], CALL(__NR_futex, AT(WORD), FUTEX_WAIT_PRIVATE, 1));
	expect_exit(child[0], -EAGAIN);
	expect_done(child[1], -EAGAIN);
	end(s, child);
}

static uint32_t word(struct sim *s, unsigned variant)
{
	return *(uint32_t *)sim_mem(s, variant, WORD);
}

static void put_words(struct sim *s, uint32_t value)
{
	for (unsigned v = 0; v < 2; v++)
		*(uint32_t *)sim_mem(s, v, WORD) = value;
}

/* Each variant takes and marks its own word; to wait gives the turn up, and is followed by another try. */
static void inherited_priority(void **state)
{
	const struct mv_call lock = CALL(__NR_futex, AT(WORD), FUTEX_LOCK_PI_PRIVATE);
	struct mv_thread *child[2];
	struct sim *s = child_runs(child);
	struct mv_step step;

	(void)state;
	step = sim_enter(child[0], CALL(__NR_futex, AT(WORD + 1), FUTEX_LOCK_PI_PRIVATE));
	sim_expect_done(&step, -EINVAL);
	step = sim_enter(child[1], CALL(__NR_futex, AT(WORD + 1), FUTEX_LOCK_PI_PRIVATE));
	sim_expect_done(&step, -EINVAL);
	step = sim_enter(child[0], lock);
	sim_expect_done(&step, 0);
	step = sim_enter(child[1], lock);
	sim_expect_done(&step, 0);
	assert_int_equal(word(s, 0), CHILD_TID);
	assert_int_equal(word(s, 1), CHILD_TID);
	step = sim_enter(child[0], lock);
	sim_expect_done(&step, -EDEADLK);
	step = sim_enter(child[1], lock);
	sim_expect_done(&step, -EDEADLK);
	put_words(s, SIM_TID);
	step = sim_enter(child[0], CALL(__NR_futex, AT(WORD), FUTEX_TRYLOCK_PI_PRIVATE));
	sim_expect_done(&step, -EAGAIN);
	step = sim_enter(child[1], CALL(__NR_futex, AT(WORD), FUTEX_TRYLOCK_PI_PRIVATE));
	sim_expect_done(&step, -EAGAIN);
	step = sim_enter(child[0], lock);
	sim_expect_run(&step, __NR_futex);
	assert_int_equal(step.call.args[1], FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME);
	assert_int_equal(step.call.args[2], SIM_TID | FUTEX_WAITERS);
	sim_exit(s->t[0], 5);				/* the wait has given the turn up */
	expect_park(child[1], lock);
	assert_int_equal(word(s, 1), SIM_TID | FUTEX_WAITERS);
	expect_done(s->t[1], 5);
	step = sim_enter(s->t[0], CALL(__NR_futex, AT(WORD), FUTEX_UNLOCK_PI_PRIVATE));
	sim_expect_run(&step, __NR_futex);
	assert_int_equal(word(s, 0), 0);
	step = sim_exit(s->t[0], 1);			/* one is woken: there may be more */
	sim_expect_done(&step, 0);
	assert_int_equal(word(s, 0), FUTEX_WAITERS);
	step = sim_enter(s->t[1], CALL(__NR_futex, AT(WORD), FUTEX_UNLOCK_PI_PRIVATE));
	sim_expect_done(&step, 0);
	assert_int_equal(word(s, 1), FUTEX_WAITERS);
	step = sim_exit(child[0], 0);
	sim_expect(&step, MV_PARK);
	expect_waits(child[1]);
	expect_run(s->t[0], READ, __NR_read);
	expect_done(child[0], 0);
	assert_int_equal(word(s, 0), CHILD_TID | FUTEX_WAITERS);
	expect_waits(child[1]);
	expect_park(s->t[1], READ);
	expect_done(child[1], 0);
	assert_int_equal(word(s, 1), CHILD_TID | FUTEX_WAITERS);
	end(s, child);
}

/* Who yields, or has had many turns, lets one that waits go first; one that nobody waits for goes on. */
static void yields(void **state)
{
	struct mv_thread *child[2];
	struct sim *s = child_runs(child);
	struct mv_step step;

	(void)state;
	expect_run(child[0], CALL(__NR_sched_yield), __NR_sched_yield);
	expect_exit(child[0], 0);
	step = sim_exit(s->t[0], 9);
	sim_expect(&step, MV_PARK);
	expect_run(child[0], CALL(__NR_sched_yield), __NR_sched_yield);
	step = sim_exit(child[0], 0);
	sim_expect(&step, MV_PARK);
	expect_done(s->t[0], 9);
	expect_waits(child[0]);
	expect_run(s->t[0], READ, __NR_read);
	expect_done(child[0], 0);
	/* The same in the follower. */
	step = sim_enter(child[1], CALL(__NR_sched_yield));
	sim_expect_done(&step, 0);
	expect_park(child[1], CALL(__NR_sched_yield));
	expect_done(s->t[1], 9);
	expect_waits(child[1]);
	expect_park(s->t[1], READ);
	expect_done(child[1], 0);
	end(s, child);
}

/* Many calls that do not block: the turn is given up before one of them. */
static void slices(void **state)
{
	struct mv_thread *child[2];
	struct sim *s = child_runs(child);
	struct mv_step step = sim_exit(s->t[0], 9);
	unsigned calls = 0;

	(void)state;
	sim_expect(&step, MV_PARK);
	for (;; calls++) {
		step = sim_enter(child[0], CALL(__NR_getppid));
		if (step.action == MV_PARK)
			break;
		sim_expect_run(&step, __NR_getppid);
		expect_exit(child[0], 1);
		step = sim_enter(child[1], CALL(__NR_getppid));
		sim_expect_done(&step, 1);
		assert_true(calls < 1000);
	}
	assert_true(calls > 10);
	/* A look at the clock that the leader does not take is not the place. */
	step = sim_enter(child[1], CALL(__NR_clock_gettime, 6, AT(OUT)));
	sim_expect_run(&step, __NR_clock_gettime);
	expect_exit(child[1], 0);
	expect_waits(s->t[1]);
	expect_done(s->t[0], 9);
	expect_waits(child[0]);
	expect_park(child[1], CALL(__NR_getppid));
	expect_done(s->t[1], 9);
	expect_run(s->t[0], READ, __NR_read);
	step = sim_retry(child[0]);
	sim_expect_run(&step, __NR_getppid);
	expect_exit(child[0], 1);
	expect_waits(child[1]);
	expect_park(s->t[1], READ);
	expect_done(child[1], 1);
	end(s, child);
}

/* A handler is program code: its thread takes the turn first. */
static void interrupted(void **state)
{
	struct mv_thread *child[2];
	struct sim *s = child_runs(child);
	struct mv_step step = sim_signal(s->t[0], 10, MV_SIGNAL_IN_CALL, -ERESTARTSYS);

	(void)state;
	sim_expect(&step, MV_PARK);
	expect_waits(s->t[1]);
	expect_run(child[0], READ, __NR_read);
	step = sim_retry(s->t[0]);
	sim_expect(&step, MV_DONE);
	assert_int_equal(step.result, -ERESTARTSYS);
	expect_waits(s->t[1]);
	expect_park(child[1], READ);
	step = sim_retry(s->t[1]);
	sim_expect_signal(&step, MV_INTERRUPT, 10);
	end(s, child);
}

/* What front-ends ask to find threads that wait in loops, and those that do not come. */
static void loops(void **state)
{
	struct mv_thread *child[2];
	struct sim *s = child_runs(child);
	uint64_t set = mv_thread_set(child[0]), first = mv_thread_set(s->t[0]), since, later, head, tail;
	struct mv_step step;

	(void)state;
	assert_false(mv_set_hogs(s->run, set, &since));	/* nobody waits */
	step = sim_exit(s->t[0], 9);
	sim_expect(&step, MV_PARK);
	assert_true(mv_set_hogs(s->run, set, &since));
	assert_false(mv_set_hogs(s->run, first, &since));
	expect_run(child[0], CALL(__NR_getppid), __NR_getppid);
	expect_exit(child[0], 1);
	assert_true(mv_set_hogs(s->run, set, &later));
	assert_int_not_equal(since, later);
	assert_int_equal(mv_set_spins(s->run, set, 1), 0);
	step = sim_enter(child[1], CALL(__NR_getppid));
	sim_expect_done(&step, 1);
	expect_park(child[0], CALL(MV_PSEUDO_SPIN, 0x121));
	assert_int_equal(mv_set_spins(s->run, set, 1), 0x121);
	expect_done(s->t[0], 9);
	/* The first one's result waits for a turn: there is nothing that it may read. */
	assert_true(mv_thread_behind(s->t[1]));
	expect_waits(s->t[1]);
	assert_false(mv_thread_behind(s->t[1]));
	assert_true(mv_set_progress(s->run, first, 1, &head, &tail));
	assert_int_equal(head, 0);
	expect_park(child[1], CALL(MV_PSEUDO_SPIN, 0x121));
	expect_done(s->t[1], 9);
	end(s, child);
}

/* One that computes for ever runs beside the others until its next call. */
static void set_free(void **state)
{
	struct mv_thread *child[2];
	struct sim *s = child_runs(child);
	struct mv_step step = sim_exit(s->t[0], 9);

	(void)state;
	sim_expect(&step, MV_PARK);
	mv_thread_set_free(child[0], &step);
	sim_expect(&step, MV_DONE);
	assert_int_equal(step.sig, 0);
	expect_done(s->t[0], 9);
	expect_park(child[0], CALL(__NR_getppid));
	expect_waits(s->t[1]);
	assert_true(mv_signal_waits(child[1]));
	assert_false(mv_pending_signal(child[1], &step));
	assert_false(mv_signal_waits(child[1]));
	expect_done(s->t[1], 9);
	expect_park(child[1], CALL(__NR_getppid));
	expect_run(s->t[0], READ, __NR_read);
	step = sim_retry(child[0]);
	sim_expect_run(&step, __NR_getppid);
	expect_exit(child[0], 1);
	expect_waits(child[1]);
	expect_park(s->t[1], READ);
	expect_done(child[1], 1);
	end(s, child);
}

/* The first thread has ended as a zombie. */
static void ended(void **state)
{
	struct mv_thread *child[2];
	struct sim *s = two_threads(true, child);
	uint64_t set = mv_thread_set(s->t[0]);

	(void)state;
	for (unsigned v = 0; v < 2; v++) {
		struct mv_step step = begin(child[v]);

		sim_expect(&step, MV_PARK);
		expect_run(s->t[v], CALL(__NR_exit, 0), __NR_exit);
		expect_waits(child[v]);
		assert_non_null(mv_set_ended(s->run, set, v));
		assert_null(mv_set_ended(s->run, set, v));
		expect_done(child[v], 0);
	}
	end(s, child);
}

/* The leader's second thread dies when it has just got hold of the turn: no ticket is lost with it. */
static void dies_taking_it(void **state)
{
	struct mv_thread *child[2];
	struct sim *s = two_threads(true, child);

	(void)state;
	for (unsigned v = 0; v < 2; v++) {
		struct mv_step step = begin(child[v]);

		sim_expect(&step, MV_PARK);
	}
	expect_run(s->t[0], READ, __NR_read);
	expect_exit(s->t[0], 5);
	expect_run(s->t[0], READ, __NR_read);
	child[0]->process->procset->owner = CHILD_TID;
	mv_thread_gone(child[0], 9);
	mv_thread_gone(child[1], 9);
	expect_exit(s->t[0], 7);
	sim_follows(s, READ, 5);
	sim_follows(s, READ, 7);
	sim_expect_peace(s);
	sim_free(s);
}

/* A child that is killed before it has a number was never the owner: not where nobody is, either. */
static void dies_unborn(void **state)
{
	struct mv_thread *child[2];
	struct sim *s = two_threads(true, child);
	struct mv_turn *turn = &child[1]->process->procset->turns[1];
	uint64_t done = turn->done;
	uint32_t holder = turn->holder;

	(void)state;
	turn->holder = 0;
	assert_null(mv_turn_gone(s->run, child[1]->set, 1, 0));
	assert_int_equal(turn->done, done);
	turn->holder = holder;
	end(s, child);
}

/* The one that executes a program is alone, and makes threads again. */
static void executes(void **state)
{
	struct mv_thread *child[2];
	struct sim *s = child_runs(child);
	struct mv_call exec = CALL(__NR_execve, AT(0x100), 0, 0);
	struct mv_step step = { 0 };

	(void)state;
	expect_run(child[0], exec, __NR_execve);
	mv_thread_gone(s->t[0], 0);
	mv_thread_exec(child[0], &step);
	sim_expect(&step, MV_PARK);			/* until all have done it */
	step = sim_enter(child[1], exec);
	sim_expect_run(&step, __NR_execve);
	mv_thread_gone(s->t[1], 0);
	mv_thread_exec(child[1], &step);
	sim_expect(&step, MV_DONE);
	step = sim_retry(child[0]);
	sim_expect(&step, MV_DONE);
	s->t[0] = child[0];
	s->t[1] = child[1];
	assert_true(mv_call_is_apart(s->t[0], &CALL(__NR_futex)));
	sim_leads(s, READ, 4);
	sim_follows(s, READ, 4);
	sim_clone_both(s, CALL(__NR_clone, THREAD_FLAGS, AT(0x1000), 0, 0, 0), CHILD_TID + 1, child);
	step = begin(child[0]);
	sim_expect(&step, MV_PARK);
	end(s, child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_free),
		cmocka_unit_test(hand_over),
		cmocka_unit_test(wakes_the_next),
		cmocka_unit_test(futexes),
		cmocka_unit_test(inherited_priority),
		cmocka_unit_test(yields),
		cmocka_unit_test(slices),
		cmocka_unit_test(interrupted),
		cmocka_unit_test(loops),
		cmocka_unit_test(set_free),
		cmocka_unit_test(ended),
		cmocka_unit_test(dies_taking_it),
		cmocka_unit_test(dies_unborn),
		cmocka_unit_test(executes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
