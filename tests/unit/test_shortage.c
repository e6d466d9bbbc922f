/* What runs out: room in the ring, the arena, the memory of the engine. */
#include "engine_sim.h"
#include <errno.h>

/* ---- rings ---- */

static void full_ring(void **state)
{
	struct sim_options o = sim_defaults;
	struct mv_call call = PAUSE;
	struct mv_step step;
	struct sim *s;
	unsigned n = 0;
	uint64_t moves;

	(void)state;
	o.records = 8;
	s = sim_new(&o);
	for (;; n++) {
		step = sim_enter(s->t[0], call);
		if (step.action == MV_PARK)
			break;
		sim_expect_run(&step, __NR_pause);
		step = sim_exit(s->t[0], n);
		sim_expect_done(&step, n);
	}
	assert_int_equal(n, 4);		/* two records each */
	moves = mv_thread_moves(s->t[0]);
	step = sim_retry(s->t[0]);
	sim_expect(&step, MV_PARK);
	assert_int_equal(mv_thread_moves(s->t[0]), moves);
	sim_follows(s, call, 0);
	step = sim_retry(s->t[0]);
	sim_expect_run(&step, __NR_pause);
	step = sim_exit(s->t[0], n);
	sim_expect_done(&step, n);
	for (unsigned i = 1; i <= n; i++)
		sim_follows(s, call, i);
	sim_free(s);
}

/* The call has run, and the ring has no room for its result: the leader waits with it. */
static void no_room_for_the_result(void **state)
{
	struct mv_call receive = CALL(__NR_recvfrom, 3, AT(OUT), 100, 0, AT(0x200), AT(0x300));
	struct sim_options o = sim_defaults;
	struct mv_step step;
	struct sim *s;

	(void)state;
	o.records = 8;
	s = sim_new(&o);
	for (int i = 0; i < 3; i++)
		sim_leads(s, PAUSE, i);
	sim_leads(s, CALL(__NR_umask, 0), 0);
	sim_follows(s, PAUSE, 0);
	sim_leads(s, PAUSE, 7);
	step = sim_enter(s->t[1], PAUSE);
	sim_expect_done(&step, 1);
	step = sim_enter(s->t[0], receive);
	sim_expect_run(&step, __NR_recvfrom);
	memset(sim_mem(s, 0, OUT), 'x', 10);
	step = sim_exit(s->t[0], 10);	/* result and one output, but no room for the other */
	sim_expect(&step, MV_PARK);
	sim_follows(s, PAUSE, 2);
	step = sim_retry(s->t[0]);
	sim_expect_done(&step, 10);
	s->step[1] = sim_enter(s->t[1], CALL(__NR_umask, 0));
	sim_expect_run(&s->step[1], __NR_umask);
	s->step[1] = sim_exit(s->t[1], 0);
	sim_follows(s, PAUSE, 7);
	sim_follows(s, receive, 10);
	assert_memory_equal(sim_mem(s, 1, OUT), "xxxxxxxxxx", 11);
	sim_free(s);
}

#define MANY (5u << 20)

static int64_t write_much(struct sim *s, unsigned variant, const struct mv_step *step)
{
	uint32_t *p = sim_mem(s, 0, OUT);

	(void)step;
	if (!variant)
		for (unsigned i = 0; i < MANY / 4; i++)
			p[i] = i * 2654435761u;
	return MANY;
}

static void large_outputs(void **state)
{
	static const size_t rings[] = { 16384, 1 << 16, 1 << 20 };

	(void)state;
	for (unsigned i = 0; i < sizeof(rings) / sizeof(*rings); i++) {
		struct sim_options o = sim_defaults;
		struct sim *s;

		o.variants = 3;
		o.records = 8;
		o.bytes = rings[i];
		o.arena = 16 << 20;
		s = sim_new(&o);
		s->kernel = write_much;
		assert_true(sim_all(s, CALL(__NR_read, 3, AT(OUT), MANY)));
		for (unsigned v = 0; v < 3; v++)
			sim_expect_done(&s->step[v], MANY);
		for (unsigned v = 1; v < 3; v++)
			assert_int_equal(memcmp(sim_mem(s, 0, OUT), sim_mem(s, v, OUT), MANY), 0);
		assert_int_equal(*(uint8_t *)sim_mem(s, 1, OUT + MANY), 0);
		sim_free(s);
	}
}

/* ---- memory of the engine ---- */

static void arena_exhausted(void **state)
{
	struct sim_options o = sim_defaults;
	struct mv_thread *children[64];
	struct mv_step step;
	struct sim *s;
	unsigned n = 0;

	(void)state;
	o.arena = 2 << 20;
	s = sim_new(&o);
	for (;; n++) {
		assert_true(n < 64);
		step = sim_enter(s->t[0], CALL(__NR_fork));
		if (step.action != MV_RUN)
			break;
		step = sim_exit(s->t[0], 1001 + n);
		sim_expect_done(&step, 1001 + n);
		children[n] = sim_child(s, 0, 1001 + n);
		step = sim_enter(s->t[1], CALL(__NR_fork));
		sim_expect_run(&step, __NR_fork);
		step = sim_exit(s->t[1], 1001 + n);
		sim_expect_done(&step, 1001 + n);
		mv_thread_gone(sim_child(s, 1, 1001 + n), 0);
	}
	assert_true(n > 2);
	assert_int_equal(mv_run_verdict(s->run)->kind, MV_VERDICT_FAILURE);
	assert_non_null(strstr(mv_run_verdict(s->run)->text, "arena"));
	step = sim_enter(s->t[1], CALL(__NR_fork));
	sim_expect(&step, MV_STOP);
	while (n--)
		mv_thread_gone(children[n], 9);
	sim_free(s);
}

static void tiny_arenas(void **state)
{
	struct sim_options o = sim_defaults;

	(void)state;
	o.no_threads = true;
	for (size_t size = 64; size < 1 << 19; size *= 2) {
		struct sim *s = sim_new(&o);
		struct mv_run *run = mv_run_new(s->arena, size, &s->config);

		if (run && !mv_thread_root(run, 0, 1, &sim_ops, &s->task[0]))
			assert_int_equal(mv_run_verdict(run)->kind, MV_VERDICT_FAILURE);
		s->run = mv_run_new(s->arena, s->arena_size, &s->config);
		sim_free(s);
	}
}

/* Whichever allocation of a thread fails, there is a verdict, and nothing is left. */
static void no_memory(void **state)
{
	struct sim_options o = sim_defaults;
	bool made = false;

	(void)state;
	o.no_threads = true;
	for (long n = 0; !made; n++) {
		struct sim *s = sim_new(&o);
		struct mv_thread *t;

		assert_true(n < 50);
		sim_fail_alloc(n);
		t = mv_thread_root(s->run, 0, SIM_TID, &sim_ops, &s->task[0]);
		made = t;
		if (!made) {
			assert_int_equal(mv_run_verdict(s->run)->kind, MV_VERDICT_FAILURE);
			assert_int_equal(sim_allocated(), 0);
			mv_run_usage(s->run, &s->arena_used, &s->arena_size);	/* the thread set stays: the run is over */
		} else {
			struct mv_step step = sim_enter(t, CALL(__NR_read, 3, AT(OUT), 5));	/* no room for outputs */

			sim_expect(&step, MV_STOP);
			assert_int_equal(mv_run_verdict(s->run)->kind, MV_VERDICT_FAILURE);
			mv_thread_gone(t, 0);
			mv_run_usage(s->run, &s->arena_used, &s->arena_size);
		}
		sim_free(s);
	}
	made = false;
	for (long n = 0; !made; n++) {
		struct sim *s = sim_new(NULL);
		struct mv_thread *t;

		assert_true(n < 50);
		sim_leads(s, CALL(__NR_fork), 1001);
		sim_fail_alloc(n);
		t = mv_thread_child(s->t[0], 1001, &s->task[0]);
		made = t;
		assert_int_equal(mv_run_verdict(s->run)->kind, made ? MV_VERDICT_NONE : MV_VERDICT_FAILURE);
		sim_fail_alloc(-1);
		if (made)
			mv_thread_gone(t, 0);
		mv_thread_gone(s->t[0], 0);
		mv_thread_gone(s->t[1], 0);
		s->t[0] = s->t[1] = NULL;
		mv_run_usage(s->run, &s->arena_used, &s->arena_size);	/* the follower's reference of the child's set */
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_ring),
		cmocka_unit_test(no_room_for_the_result),
		cmocka_unit_test(large_outputs),
		cmocka_unit_test(arena_exhausted),
		cmocka_unit_test(tiny_arenas),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
