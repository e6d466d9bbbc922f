/*
 * What parked threads wait for: in every state, the word does not change before the thread can go on, and whoever makes
 * it able to is told to wake it.
 */
#include "engine_sim.h"
#include <errno.h>

#define OUT 0x10000

/* The thread goes to sleep: its word is as it was, and it says so. */
static struct mv_wait sleeps(struct sim *s, struct mv_thread *t)
{
	uint32_t *words[MV_WAKES_MAX];
	struct mv_wait w;

	for (unsigned i = 0; i < s->config.variants; i++)
		mv_thread_wakes(s->t[i], words);
	mv_thread_wait(t, &w);
	assert_non_null(w.word);
	assert_int_equal(*w.word, w.value);
	++*w.sleepers;
	return w;
}

static void still_asleep(struct mv_thread *mover, const struct mv_wait *w)
{
	uint32_t *words[MV_WAKES_MAX];

	assert_int_equal(*w->word, w->value);
	assert_int_equal(mv_thread_wakes(mover, words), 0);
}

static void wakes(struct mv_thread *mover, const struct mv_wait *w)
{
	uint32_t *words[MV_WAKES_MAX];

	assert_int_not_equal(*w->word, w->value);
	assert_int_equal(mv_thread_wakes(mover, words), 1);
	assert_ptr_equal(words[0], w->word);
	assert_int_equal(mv_thread_wakes(mover, words), 0);	/* once is enough */
}

static void leads(struct sim *s, struct mv_call call, int64_t result)
{
	struct mv_step step = sim_enter(s->t[0], call);

	sim_expect_run(&step, call.nr);
	step = sim_exit(s->t[0], result);
	sim_expect_done(&step, result);
}

static void follows(struct sim *s, struct mv_call call, int64_t result)
{
	struct mv_step step = sim_enter(s->t[1], call);

	sim_expect_done(&step, result);
}

static struct sim *small_ring(void)
{
	struct sim_options o = sim_defaults;

	o.records = 8;
	return sim_new(&o);
}

/* ---- followers ---- */

static void fetch_and_await(void **state)
{
	struct mv_call call = PAUSE;
	struct sim *s = sim_new(NULL);
	struct mv_step step = sim_enter(s->t[1], call);
	struct mv_wait w;

	(void)state;
	sim_expect(&step, MV_PARK);
	w = sleeps(s, s->t[1]);
	still_asleep(s->t[0], &w);
	step = sim_enter(s->t[0], call);
	sim_expect_run(&step, __NR_pause);
	wakes(s->t[0], &w);
	step = sim_retry(s->t[1]);
	sim_expect(&step, MV_PARK);
	w = sleeps(s, s->t[1]);
	still_asleep(s->t[0], &w);
	step = sim_exit(s->t[0], 7);
	sim_expect_done(&step, 7);
	wakes(s->t[0], &w);
	step = sim_retry(s->t[1]);
	sim_expect_done(&step, 7);
	sim_free(s);
}

/* The leader that waits at a call for a follower some calls behind is woken when it gets there, not with each call on the way. */
static void woken_when_there(void **state)
{
	struct sim_options o = sim_defaults;
	struct mv_call call = PAUSE, wait = CALL(__NR_chdir, AT(OUT));
	struct mv_step step;
	struct sim *s;
	struct mv_wait w;

	(void)state;
	s = sim_new(&o);
	leads(s, call, 0);
	leads(s, call, 1);
	step = sim_enter(s->t[0], wait);
	sim_expect_run(&step, __NR_chdir);
	step = sim_exit(s->t[0], 0);
	sim_expect(&step, MV_PARK);
	for (int i = 0; i < 2; i++) {
		w = sleeps(s, s->t[0]);
		follows(s, call, i);
		assert_int_not_equal(*w.word, w.value);
		if (!i)
			assert_int_equal(mv_thread_wakes(s->t[1], (uint32_t *[MV_WAKES_MAX]){ 0 }), 0);
	}
	step = sim_enter(s->t[1], wait);
	sim_expect_run(&step, __NR_chdir);
	step = sim_exit(s->t[1], 0);
	sim_expect_done(&step, 0);
	wakes(s->t[1], &w);
	step = sim_retry(s->t[0]);
	sim_expect_done(&step, 0);
	sim_free(s);
}

static void nobody_sleeps(void **state)
{
	uint32_t *words[MV_WAKES_MAX];
	struct sim *s = sim_new(NULL);

	(void)state;
	for (int i = 0; i < 10; i++) {
		leads(s, CALL(__NR_getpid), i);
		follows(s, CALL(__NR_getpid), i);
		assert_int_equal(mv_thread_wakes(s->t[0], words), 0);
		assert_int_equal(mv_thread_wakes(s->t[1], words), 0);
	}
	sim_free(s);
}

/* The thread naps: it is woken by nothing but need. */
static struct mv_wait naps(struct sim *s, struct mv_thread *t)
{
	struct mv_wait w = sleeps(s, t);

	assert_non_null(w.naps);
	--*w.sleepers;
	++*w.naps;
	return w;
}

static void nap_until_crowded(void **state)
{
	struct mv_call call = PAUSE;
	uint32_t *words[MV_WAKES_MAX];
	struct sim *s = small_ring();
	struct mv_step step = sim_enter(s->t[1], call);
	struct mv_wait w;

	(void)state;
	sim_expect(&step, MV_PARK);
	w = naps(s, s->t[1]);
	leads(s, call, 0);
	leads(s, call, 1);		/* half of eight records */
	assert_int_not_equal(*w.word, w.value);
	assert_int_equal(mv_thread_wakes(s->t[0], words), 0);
	assert_false(mv_thread_crowded(s->t[1]));
	leads(s, call, 2);
	wakes(s->t[0], &w);
	assert_true(mv_thread_crowded(s->t[1]));
	assert_false(mv_thread_crowded(s->t[0]));
	sim_free(s);
}

static void nap_until_held(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_call call = CALL(__NR_chdir, AT(OUT));
	uint32_t *words[MV_WAKES_MAX];
	struct mv_step step;
	struct mv_wait w;

	(void)state;
	step = sim_enter(s->t[1], call);
	sim_expect(&step, MV_PARK);
	w = naps(s, s->t[1]);
	step = sim_enter(s->t[0], call);
	sim_expect_run(&step, __NR_chdir);
	assert_int_equal(mv_thread_wakes(s->t[0], words), 0);
	step = sim_exit(s->t[0], 0);
	sim_expect(&step, MV_PARK);
	wakes(s->t[0], &w);
	mv_thread_wait(s->t[0], &w);
	assert_null(w.naps);		/* the leader does not */
	sim_free(s);
}

/* The leader waits for it at the beginning of a call, but not for what it makes of the result. */
static void nap_at_lockstep(void **state)
{
	struct sim_options o = sim_defaults;
	struct mv_call call = CALL(__NR_getpid);
	uint32_t *words[MV_WAKES_MAX];
	struct mv_step step;
	struct mv_wait w;
	struct sim *s;

	(void)state;
	o.level = MV_LEVEL_LOCKSTEP;
	s = sim_new(&o);
	step = sim_enter(s->t[1], call);
	sim_expect(&step, MV_PARK);
	w = naps(s, s->t[1]);
	assert_true(w.soon);
	step = sim_enter(s->t[0], call);
	sim_expect(&step, MV_PARK);
	wakes(s->t[0], &w);
	step = sim_retry(s->t[1]);
	sim_expect(&step, MV_PARK);
	naps(s, s->t[1]);
	step = sim_retry(s->t[0]);
	sim_expect_run(&step, __NR_getpid);
	step = sim_exit(s->t[0], 7);
	sim_expect_done(&step, 7);
	assert_int_equal(mv_thread_wakes(s->t[0], words), 0);
	step = sim_retry(s->t[1]);
	sim_expect_done(&step, 7);
	sim_free(s);
}

static void take(void **state)
{
	struct mv_call call = CALL(__NR_kill, 1, 10);
	struct sim *s = sim_new(NULL);
	struct mv_step step = sim_enter(s->t[0], call);
	struct mv_wait w;

	(void)state;
	sim_expect_run(&step, __NR_kill);
	mv_signal_follows(s->t[0]);
	step = sim_exit(s->t[0], 0);
	sim_expect_done(&step, 0);
	step = sim_enter(s->t[1], call);
	sim_expect(&step, MV_PARK);
	w = sleeps(s, s->t[1]);
	still_asleep(s->t[0], &w);
	step = sim_signal(s->t[0], 10, MV_SIGNAL_AT_RETURN, 0);
	sim_expect_signal(&step, MV_DONE, 10);
	wakes(s->t[0], &w);
	step = sim_retry(s->t[1]);
	sim_expect_signal(&step, MV_DONE, 10);
	sim_free(s);
}

/* ---- a full ring: the leader at every kind of record, and a follower that has read part of a call ---- */

static void publish(void **state)
{
	struct mv_call call = PAUSE;
	struct sim *s = small_ring();
	struct mv_step step;
	struct mv_wait w;

	(void)state;
	for (int i = 0; i < 4; i++)
		leads(s, call, i);
	step = sim_enter(s->t[0], call);
	sim_expect(&step, MV_PARK);
	w = sleeps(s, s->t[0]);
	still_asleep(s->t[1], &w);
	follows(s, call, 0);
	wakes(s->t[1], &w);
	step = sim_retry(s->t[0]);
	sim_expect_run(&step, __NR_pause);
	sim_free(s);
}

static void result(void **state)
{
	struct mv_call call = PAUSE;
	struct sim *s = small_ring();
	struct mv_step step;
	struct mv_wait w;

	(void)state;
	step = sim_signal(s->t[0], 10, MV_SIGNAL_ASYNC, 0);
	for (int i = 0; i < 3; i++)
		leads(s, call, i);
	step = sim_enter(s->t[0], call);
	sim_expect_run(&step, __NR_pause);
	step = sim_exit(s->t[0], 3);
	sim_expect(&step, MV_PARK);
	w = sleeps(s, s->t[0]);
	still_asleep(s->t[1], &w);
	assert_true(mv_pending_signal(s->t[1], &step));
	wakes(s->t[1], &w);
	step = sim_retry(s->t[0]);
	sim_expect_done(&step, 3);
	sim_free(s);
}

static void collect_and_replicate(void **state)
{
	struct mv_call call = CALL(__NR_recvfrom, 3, AT(OUT), 100, 0, AT(0x200), AT(0x300));
	struct sim *s = small_ring();
	struct mv_step step;
	struct mv_wait w;

	(void)state;
	for (int i = 0; i < 3; i++)
		leads(s, PAUSE, i);
	step = sim_enter(s->t[0], call);
	sim_expect_run(&step, __NR_recvfrom);
	memset(sim_mem(s, 0, OUT), 'x', 10);
	step = sim_exit(s->t[0], 10);		/* no room for the data */
	sim_expect(&step, MV_PARK);
	w = sleeps(s, s->t[0]);
	follows(s, PAUSE, 0);
	wakes(s->t[1], &w);
	for (int i = 1; i < 3; i++)
		follows(s, PAUSE, i);
	step = sim_enter(s->t[1], call);
	sim_expect(&step, MV_PARK);
	w = sleeps(s, s->t[1]);
	still_asleep(s->t[0], &w);
	step = sim_retry(s->t[0]);
	sim_expect_done(&step, 10);
	wakes(s->t[0], &w);
	step = sim_retry(s->t[1]);
	sim_expect_done(&step, 10);
	sim_free(s);
}

static void signal_record(void **state)
{
	struct sim *s = small_ring();
	struct mv_step step;
	struct mv_wait w;

	(void)state;
	for (int i = 1; i < 9; i++) {
		step = sim_signal(s->t[0], i, MV_SIGNAL_ASYNC, 0);
		sim_expect_signal(&step, MV_DONE, i);
	}
	step = sim_signal(s->t[0], 9, MV_SIGNAL_ASYNC, 0);
	sim_expect(&step, MV_PARK);
	w = sleeps(s, s->t[0]);
	assert_true(mv_pending_signal(s->t[1], &step));
	wakes(s->t[1], &w);
	step = sim_retry(s->t[0]);
	sim_expect_signal(&step, MV_DONE, 9);
	sim_free(s);
}

/* ---- a leader that waits for its twins ---- */

/* The leader sleeps on one follower's word after the other's: those that have come do not wake it. */
static void meet(void **state)
{
	struct sim_options o = sim_defaults;
	struct mv_call call = CALL(__NR_write, 1, AT(0x100), 5);
	struct mv_step step;
	struct mv_wait w;
	struct sim *s;

	(void)state;
	o.variants = 3;
	o.level = MV_LEVEL_LOCKSTEP;
	s = sim_new(&o);
	step = sim_enter(s->t[0], call);
	sim_expect(&step, MV_PARK);
	w = sleeps(s, s->t[0]);
	step = sim_enter(s->t[2], call);
	sim_expect(&step, MV_PARK);
	still_asleep(s->t[2], &w);
	step = sim_enter(s->t[1], call);
	sim_expect(&step, MV_PARK);
	wakes(s->t[1], &w);
	mv_thread_wait(s->t[0], &w);		/* all have come */
	assert_null(w.word);
	step = sim_retry(s->t[0]);
	sim_expect_run(&step, __NR_write);
	step = sim_exit(s->t[0], 5);
	sim_expect_done(&step, 5);
	/* The other one first. */
	for (unsigned i = 1; i < 3; i++) {
		step = sim_retry(s->t[i]);
		sim_expect_done(&step, 5);
	}
	step = sim_enter(s->t[0], call);
	sim_expect(&step, MV_PARK);
	w = sleeps(s, s->t[0]);
	step = sim_enter(s->t[1], call);
	wakes(s->t[1], &w);
	step = sim_retry(s->t[0]);
	sim_expect(&step, MV_PARK);
	w = sleeps(s, s->t[0]);
	still_asleep(s->t[1], &w);
	step = sim_enter(s->t[2], call);
	wakes(s->t[2], &w);
	step = sim_retry(s->t[0]);
	sim_expect_run(&step, __NR_write);
	sim_free(s);
}

static void hold(void **state)
{
	struct mv_call call = CALL(__NR_chdir, AT(0x100));
	struct sim *s = sim_new(NULL);
	struct mv_step step = sim_enter(s->t[0], call);
	struct mv_wait w;

	(void)state;
	sim_expect_run(&step, __NR_chdir);
	step = sim_exit(s->t[0], 0);
	sim_expect(&step, MV_PARK);
	step = sim_enter(s->t[1], call);
	sim_expect_run(&step, __NR_chdir);
	w = sleeps(s, s->t[0]);
	still_asleep(s->t[1], &w);
	step = sim_exit(s->t[1], 0);
	sim_expect_done(&step, 0);
	wakes(s->t[1], &w);
	step = sim_retry(s->t[0]);
	sim_expect_done(&step, 0);
	sim_free(s);
}

/* ---- siblings ---- */

static void lock_and_turn(void **state)
{
	struct mv_call first = CALL(__NR_socket, 1, 1, 0), second = CALL(__NR_socket, 2, 2, 0);
	struct sim *s = sim_new(NULL);
	struct mv_thread *c[2];
	struct mv_step a, b;
	struct mv_wait w;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		a = sim_enter(s->t[i], CALL(__NR_clone, 0x3d0f00));	/* what pthread_create() passes */
		sim_expect_run(&a, __NR_clone);
		a = sim_exit(s->t[i], 1001);
		sim_expect_done(&a, 1001);
		c[i] = mv_thread_child(s->t[i], 1001, &s->task[i]);
		assert_non_null(c[i]);
	}
	a = sim_enter(s->t[0], first);
	sim_expect_run(&a, __NR_socket);
	b = sim_enter(c[0], second);
	sim_expect(&b, MV_PARK);
	w = sleeps(s, c[0]);
	still_asleep(s->t[0], &w);
	a = sim_exit(s->t[0], 3);
	sim_expect_done(&a, 3);
	wakes(s->t[0], &w);
	b = sim_retry(c[0]);
	sim_expect_run(&b, __NR_socket);
	b = sim_exit(c[0], 4);
	sim_expect_done(&b, 4);

	b = sim_enter(c[1], second);
	sim_expect(&b, MV_PARK);
	w = sleeps(s, c[1]);
	a = sim_enter(s->t[1], first);
	sim_expect_run(&a, __NR_socket);
	still_asleep(s->t[1], &w);
	a = sim_exit(s->t[1], 3);
	sim_expect_done(&a, 3);
	wakes(s->t[1], &w);
	b = sim_retry(c[1]);
	sim_expect_run(&b, __NR_socket);

	/* A call that has returned waits for the one that runs, too. */
	b = sim_enter(c[0], CALL(__NR_accept, 9, 0, 0));
	sim_expect_run(&b, __NR_accept);
	a = sim_enter(s->t[0], first);
	sim_expect_run(&a, __NR_socket);
	b = sim_exit(c[0], 5);
	sim_expect(&b, MV_PARK);
	w = sleeps(s, c[0]);
	still_asleep(s->t[0], &w);
	a = sim_exit(s->t[0], 6);
	sim_expect_done(&a, 6);
	wakes(s->t[0], &w);
	b = sim_retry(c[0]);
	sim_expect_done(&b, 5);

	/* The owner dies: the word changes, though there is nobody left to wake who sleeps on it. */
	b = sim_enter(c[0], second);
	sim_expect_run(&b, __NR_socket);
	a = sim_enter(s->t[0], first);
	sim_expect(&a, MV_PARK);
	w = sleeps(s, s->t[0]);
	mv_thread_gone(c[0], 9);
	assert_int_not_equal(*w.word, w.value);
	a = sim_retry(s->t[0]);
	sim_expect_run(&a, __NR_socket);
	mv_thread_gone(c[1], 9);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fetch_and_await),
		cmocka_unit_test(woken_when_there),
		cmocka_unit_test(nobody_sleeps),
		cmocka_unit_test(nap_until_crowded),
		cmocka_unit_test(nap_until_held),
		cmocka_unit_test(nap_at_lockstep),
		cmocka_unit_test(take),
		cmocka_unit_test(publish),
		cmocka_unit_test(result),
		cmocka_unit_test(collect_and_replicate),
		cmocka_unit_test(signal_record),
		cmocka_unit_test(meet),
		cmocka_unit_test(hold),
		cmocka_unit_test(lock_and_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
