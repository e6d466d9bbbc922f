/* Runs that go on without a follower that has diverged: who stops, and who waits for whom. */
#include "engine_sim.h"
#include <errno.h>
#include "engine/internal.h"

static struct sim *start(unsigned variants, int level)
{
	struct sim_options o = sim_defaults;

	o.variants = variants;
	o.level = level;
	o.records = 16;
	o.spare = true;
	return sim_new(&o);
}

/* The last follower makes another call than the others. */
static void accuse_last(struct sim *s)
{
	unsigned last = s->config.variants - 1;

	s->step[0] = sim_enter(s->t[0], PAUSE);
	for (unsigned v = 1; v < last; v++)
		s->step[v] = sim_enter(s->t[v], PAUSE);
	s->step[last] = sim_enter(s->t[last], CALL(__NR_getuid));
	sim_expect(&s->step[last], MV_STOP);
}

static void only_it_stops(void **state)
{
	struct sim *s = start(3, MV_LEVEL_RELAXED);
	const struct mv_verdict *v;

	(void)state;
	accuse_last(s);
	assert_int_equal(mv_run_verdict(s->run)->kind, MV_VERDICT_NONE);
	assert_int_equal(mv_run_accused(s->run), 1 << 2);
	assert_int_equal(mv_run_accusation(s->run, 1)->kind, MV_VERDICT_NONE);
	v = mv_run_accusation(s->run, 2);
	assert_int_equal(v->kind, MV_VERDICT_DIVERGENCE);
	assert_int_equal(v->variant, 2);
	assert_int_equal(v->leader_call.nr, __NR_pause);
	assert_int_equal(v->variant_call.nr, __NR_getuid);
	s->step[2] = sim_retry(s->t[2]);
	sim_expect(&s->step[2], MV_STOP);
	s->step[2] = sim_enter(s->t[2], PAUSE);
	sim_expect(&s->step[2], MV_STOP);
	s->step[0] = sim_exit(s->t[0], 5);
	sim_expect_done(&s->step[0], 5);
	s->step[1] = sim_retry(s->t[1]);
	sim_expect_done(&s->step[1], 5);
	sim_free(s);
}

/* It has not agreed: the leader waits until it is decided. */
static void lockstep(void **state)
{
	struct sim *s = start(3, MV_LEVEL_LOCKSTEP);

	(void)state;
	accuse_last(s);
	s->step[0] = sim_retry(s->t[0]);
	sim_expect(&s->step[0], MV_PARK);
	mv_run_release(s->run, 2);
	s->step[0] = sim_retry(s->t[0]);
	sim_expect_run(&s->step[0], __NR_pause);
	s->step[0] = sim_exit(s->t[0], 5);
	/* The others are waited for as ever. */
	s->step[0] = sim_enter(s->t[0], CALL(__NR_getuid));
	sim_expect(&s->step[0], MV_PARK);
	s->step[1] = sim_retry(s->t[1]);
	sim_expect_done(&s->step[1], 5);
	s->step[1] = sim_enter(s->t[1], CALL(__NR_getuid));
	s->step[0] = sim_retry(s->t[0]);
	sim_expect_run(&s->step[0], __NR_getuid);
	sim_free(s);
}

/* What all must have done before the leader goes on. */
static void hold(void **state)
{
	struct sim *s = start(2, MV_LEVEL_RELAXED);

	(void)state;
	strcpy(sim_mem(s, 0, 0x100), "/a");
	strcpy(sim_mem(s, 1, 0x100), "/b");
	s->step[0] = sim_enter(s->t[0], CALL(__NR_chdir, AT(0x100)));
	sim_expect_run(&s->step[0], __NR_chdir);
	s->step[0] = sim_exit(s->t[0], 0);
	sim_expect(&s->step[0], MV_PARK);
	s->step[1] = sim_enter(s->t[1], CALL(__NR_chdir, AT(0x100)));
	sim_expect(&s->step[1], MV_STOP);
	s->step[0] = sim_retry(s->t[0]);
	sim_expect(&s->step[0], MV_PARK);
	mv_run_release(s->run, 1);
	s->step[0] = sim_retry(s->t[0]);
	sim_expect_done(&s->step[0], 0);
	sim_free(s);
}

static void full_ring(void **state)
{
	struct sim *s = start(2, MV_LEVEL_RELAXED);
	struct mv_step step;

	(void)state;
	accuse_last(s);
	s->step[0] = sim_exit(s->t[0], 5);
	do {
		step = sim_enter(s->t[0], CALL(__NR_getpid));
		if (step.action == MV_RUN)
			step = sim_exit(s->t[0], 5);
	} while (step.action == MV_DONE);
	sim_expect(&step, MV_PARK);
	mv_run_release(s->run, 1);
	step = sim_retry(s->t[0]);
	if (step.action == MV_RUN)
		step = sim_exit(s->t[0], 5);
	sim_expect_done(&step, 5);
	for (int i = 0; i < 100; i++)
		sim_leads(s, CALL(__NR_getpid), 5);
	sim_free(s);
}

/* What was in the midst of a change of its cursor writes it after all. */
static void late_writer(void **state)
{
	struct sim *s = start(2, MV_LEVEL_LOCKSTEP);

	(void)state;
	accuse_last(s);
	mv_run_release(s->run, 1);
	s->step[0] = sim_retry(s->t[0]);
	sim_expect_run(&s->step[0], __NR_pause);
	s->step[0] = sim_exit(s->t[0], 5);
	mv_stream_ack(s->t[0]->stream, 0, 2);
	sim_leads(s, CALL(__NR_getuid), 0);
	sim_free(s);
}

/* Threads and processes that the leader makes afterwards are its own; sim_free() finds nothing of them. */
static void children(void **state)
{
	struct sim *s = start(2, MV_LEVEL_LOCKSTEP);
	struct mv_thread *c;
	struct mv_step step;

	(void)state;
	accuse_last(s);
	mv_run_release(s->run, 1);
	s->step[0] = sim_retry(s->t[0]);
	s->step[0] = sim_exit(s->t[0], 5);
	step = sim_enter(s->t[0], CALL(__NR_fork));
	sim_expect_run(&step, __NR_fork);
	step = sim_exit(s->t[0], -EAGAIN);
	sim_expect_done(&step, -EAGAIN);
	sim_leads(s, CALL(__NR_fork), 1001);
	c = sim_child(s, 0, 1001);
	for (int i = 0; i < 100; i++) {
		step = sim_enter(c, CALL(__NR_getpid));
		sim_expect_run(&step, __NR_getpid);
		step = sim_exit(c, 1001);
		sim_expect_done(&step, 1001);
	}
	mv_thread_gone(c, 0);
	sim_free(s);
}

static void passed(void **state)
{
	struct sim *s = start(4, MV_LEVEL_LOCKSTEP);

	(void)state;
	s->step[0] = sim_enter(s->t[0], CALL(__NR_getpid));
	s->step[3] = sim_enter(s->t[3], CALL(__NR_getuid));
	assert_false(mv_run_passed(s->run, 3, 1));
	s->step[1] = sim_enter(s->t[1], CALL(__NR_getpid));
	assert_true(mv_run_passed(s->run, 3, 1));
	assert_false(mv_run_passed(s->run, 3, 2));
	s->step[2] = sim_enter(s->t[2], CALL(__NR_getuid));	/* it has come there, but not past it */
	assert_int_equal(mv_run_accused(s->run), 1 << 2 | 1 << 3);
	assert_false(mv_run_passed(s->run, 3, 2));
	sim_free(s);
}

static void convicted(void **state)
{
	struct sim *s = start(3, MV_LEVEL_LOCKSTEP);
	const struct mv_verdict *v;

	(void)state;
	accuse_last(s);
	mv_run_convict(s->run, 2);
	v = sim_expect_difference(s, MV_DIFF_NR, 2);
	assert_int_equal(v->variant_call.nr, __NR_getuid);
	s->step[0] = sim_retry(s->t[0]);
	sim_expect(&s->step[0], MV_STOP);
	sim_free(s);
}

/* It is accused of one thing only, the leader is spared nothing. */
static void breaches(void **state)
{
	struct sim *s = start(3, MV_LEVEL_RELAXED);

	(void)state;
	mv_run_breach(s->run, 1, "first");
	mv_run_breach(s->run, 1, "second");
	assert_string_equal(mv_run_accusation(s->run, 1)->text, "first");
	assert_true(mv_run_passed(s->run, 1, 2));
	sim_expect_peace(s);
	mv_run_breach(s->run, 0, "leader");
	assert_string_equal(mv_run_verdict(s->run)->text, "leader");
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_it_stops),
		cmocka_unit_test(lockstep),
		cmocka_unit_test(hold),
		cmocka_unit_test(full_ring),
		cmocka_unit_test(late_writer),
		cmocka_unit_test(children),
		cmocka_unit_test(passed),
		cmocka_unit_test(convicted),
		cmocka_unit_test(breaches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
