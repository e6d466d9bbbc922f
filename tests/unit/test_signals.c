/* Signals, through the public interface: published by the leader, delivered at the same place in the others. */
#include "engine_sim.h"
#include <errno.h>

static void signal_at_a_boundary(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_step step;

	(void)state;
	sim_leads(s, CALL(__NR_getpid), 5);
	step = sim_signal(s->t[0], 10, MV_SIGNAL_BOUNDARY, 0);
	sim_expect_signal(&step, MV_DONE, 10);
	assert_false(mv_thread_in_call(s->t[0]));
	sim_leads(s, CALL(__NR_getuid), 6);			/* the handler's call */
	sim_leads(s, CALL(__NR_getgid), 7);
	step = sim_enter(s->t[1], CALL(__NR_getpid));
	sim_expect_done(&step, 5);
	assert_false(mv_pending_signal(s->t[1], &step));	/* not anywhere: at the boundary */
	assert_false(mv_signal_waits(s->t[1]));
	step = sim_enter(s->t[1], CALL(__NR_getgid));
	sim_expect_signal(&step, MV_SIGNAL, 10);
	assert_false(mv_thread_in_call(s->t[1]));
	sim_follows(s, CALL(__NR_getuid), 6);
	sim_follows(s, CALL(__NR_getgid), 7);		/* made again */
	sim_free(s);
}

static void signal_somewhere(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_step step;

	(void)state;
	assert_false(mv_pending_signal(s->t[1], &step));
	sim_leads(s, CALL(__NR_getpid), 5);
	step = sim_signal(s->t[0], 14, MV_SIGNAL_ASYNC, 0);
	sim_expect_signal(&step, MV_DONE, 14);
	assert_false(mv_pending_signal(s->t[1], &step));	/* the call comes first */
	assert_false(mv_signal_waits(s->t[1]));
	sim_follows(s, CALL(__NR_getpid), 5);
	assert_true(mv_signal_waits(s->t[1]));
	assert_true(mv_signal_waits(s->t[1]));			/* looking does not take it */
	assert_false(mv_signal_waits(s->t[0]));
	assert_true(mv_pending_signal(s->t[1], &step));
	sim_expect_signal(&step, MV_SIGNAL, 14);
	assert_false(mv_pending_signal(s->t[1], &step));
	assert_false(mv_pending_signal(s->t[0], &step));
	/* Or else at the next call. */
	step = sim_signal(s->t[0], 15, MV_SIGNAL_ASYNC, 0);
	step = sim_enter(s->t[1], CALL(__NR_getpid));
	sim_expect_signal(&step, MV_SIGNAL, 15);
	sim_free(s);
}

/* What was announced has gone to another thread: the call returns without it. */
static void signal_gone_elsewhere(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_step step;

	(void)state;
	step = sim_enter(s->t[0], CALL(__NR_kill, 5, 10));
	sim_expect_run(&step, __NR_kill);
	mv_signal_follows(s->t[0]);
	step = sim_exit(s->t[0], 0);
	sim_expect_done(&step, 0);
	step = sim_enter(s->t[1], CALL(__NR_kill, 5, 10));
	sim_expect(&step, MV_PARK);
	step = sim_signal(s->t[0], 0, MV_SIGNAL_AT_RETURN, 0);
	sim_expect_signal(&step, MV_DONE, 0);
	step = sim_retry(s->t[1]);
	sim_expect_done(&step, 0);
	sim_expect_signal(&step, MV_DONE, 0);
	sim_leads(s, CALL(__NR_getpid), 5);
	sim_follows(s, CALL(__NR_getpid), 5);
	sim_free(s);
}

static void signal_at_return(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_step step = sim_enter(s->t[0], CALL(__NR_kill, 1000, 12));

	(void)state;
	sim_expect_run(&step, __NR_kill);
	assert_true(mv_signal_point(s->t[0]));
	mv_signal_follows(s->t[0]);
	step = sim_exit(s->t[0], 0);
	sim_expect_done(&step, 0);
	assert_false(mv_signal_point(s->t[0]));
	step = sim_enter(s->t[1], CALL(__NR_kill, 1000, 12));
	sim_expect(&step, MV_PARK);		/* the signal belongs to the result */
	step = sim_signal(s->t[0], 12, MV_SIGNAL_AT_RETURN, 0);
	sim_expect_signal(&step, MV_DONE, 12);
	step = sim_retry(s->t[1]);
	sim_expect_signal(&step, MV_DONE, 12);
	assert_int_equal(step.result, 0);
	/* Only this once. */
	sim_leads(s, CALL(__NR_kill, 1000, 0), 0);
	sim_follows(s, CALL(__NR_kill, 1000, 0), 0);
	sim_free(s);
}

static void signal_in_a_call(void **state)
{
	static const int64_t codes[] = { -ERESTARTSYS, -ERESTARTNOINTR, -EINTR };

	(void)state;
	for (unsigned i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		struct sim *s = sim_new(NULL);
		struct mv_step step = sim_enter(s->t[0], CALL(__NR_read, 0, AT(OUT), 10));

		sim_expect_run(&step, __NR_read);
		assert_false(mv_signal_point(s->t[0]));
		step = sim_enter(s->t[1], CALL(__NR_read, 0, AT(OUT), 10));
		sim_expect(&step, MV_PARK);
		memset(sim_mem(s, 0, OUT), 'x', 10);
		step = sim_signal(s->t[0], 2, MV_SIGNAL_IN_CALL, codes[i]);
		sim_expect_signal(&step, MV_DONE, 2);
		assert_int_equal(step.result, codes[i]);
		assert_false(mv_thread_in_call(s->t[0]));
		step = sim_retry(s->t[1]);
		sim_expect_signal(&step, MV_INTERRUPT, 2);
		assert_int_equal(step.result, codes[i]);
		assert_false(mv_thread_in_call(s->t[1]));
		assert_int_equal(*(uint8_t *)sim_mem(s, 1, OUT), 0);	/* nothing was read */
		sim_leads(s, CALL(__NR_read, 0, AT(OUT), 10), 0);
		sim_follows(s, CALL(__NR_read, 0, AT(OUT), 10), 0);
		sim_free(s);
	}
}

/* What is left of a sleep is written though the call fails. */
static void interrupted_sleep(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_call call = CALL(__NR_nanosleep, AT(0x100), AT(OUT));
	struct mv_step step = sim_enter(s->t[0], call);

	(void)state;
	sim_expect_run(&step, __NR_nanosleep);
	memset(sim_mem(s, 0, OUT), 'r', 16);
	step = sim_signal(s->t[0], 10, MV_SIGNAL_IN_CALL, -EINTR);
	sim_expect_signal(&step, MV_DONE, 10);
	step = sim_enter(s->t[1], call);
	sim_expect_signal(&step, MV_INTERRUPT, 10);
	assert_memory_equal(sim_mem(s, 1, OUT), "rrrrrrrrrrrrrrrr", 17);
	sim_free(s);
}

static void signals_in_a_full_ring(void **state)
{
	enum { N = 9 };
	struct sim_options o = sim_defaults;
	struct mv_step step;
	struct sim *s;

	(void)state;
	o.records = 8;
	s = sim_new(&o);
	for (int i = 1; i < N; i++) {
		step = sim_signal(s->t[0], i, MV_SIGNAL_ASYNC, 0);
		sim_expect_signal(&step, MV_DONE, i);
	}
	step = sim_signal(s->t[0], N, MV_SIGNAL_ASYNC, 0);
	sim_expect(&step, MV_PARK);
	step = sim_retry(s->t[0]);
	sim_expect(&step, MV_PARK);
	assert_true(mv_pending_signal(s->t[1], &step));
	sim_expect_signal(&step, MV_SIGNAL, 1);
	step = sim_retry(s->t[0]);
	sim_expect_signal(&step, MV_DONE, N);
	for (int i = 2; i <= N; i++) {
		assert_true(mv_pending_signal(s->t[1], &step));
		sim_expect_signal(&step, MV_SIGNAL, i);
	}
	/* An interrupted call needs three records, one of them for its output and result; two have room. */
	for (int i = 0; i < 2; i++)
		sim_leads(s, PAUSE, i);
	sim_leads(s, CALL(__NR_getpid), 2);
	step = sim_signal(s->t[0], 1, MV_SIGNAL_ASYNC, 0);
	step = sim_enter(s->t[0], CALL(__NR_nanosleep, AT(0x100), AT(OUT)));
	sim_expect_run(&step, __NR_nanosleep);
	memset(sim_mem(s, 0, OUT), 'r', 16);
	step = sim_signal(s->t[0], 7, MV_SIGNAL_IN_CALL, -EINTR);
	sim_expect(&step, MV_PARK);
	sim_follows(s, PAUSE, 0);
	step = sim_retry(s->t[0]);
	sim_expect_signal(&step, MV_DONE, 7);
	sim_follows(s, PAUSE, 1);
	sim_follows(s, CALL(__NR_getpid), 2);
	assert_true(mv_pending_signal(s->t[1], &step));
	step = sim_enter(s->t[1], CALL(__NR_nanosleep, AT(0x100), AT(OUT)));
	sim_expect_signal(&step, MV_INTERRUPT, 7);
	assert_int_equal(step.result, -EINTR);
	assert_memory_equal(sim_mem(s, 1, OUT), "rrrrrrrrrrrrrrrr", 17);
	sim_free(s);
}

/* A call outside of the stream is interrupted: there is no record of it that the followers could end. */
static void signal_in_a_local_call(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_step step;

	(void)state;
	s->result = 5;
	assert_true(sim_all(s, CALL(__NR_read, 3, AT(OUT), 10)));	/* leaves an output behind */
	step = sim_enter(s->t[0], CALL(__NR_futex, AT(0x100), 0, 0));
	sim_expect_run(&step, __NR_futex);
	step = sim_signal(s->t[0], 10, MV_SIGNAL_IN_CALL, -ERESTARTSYS);
	sim_expect_signal(&step, MV_DONE, 10);
	step = sim_enter(s->t[1], CALL(__NR_getpid));
	sim_expect_signal(&step, MV_SIGNAL, 10);
	sim_expect_peace(s);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signal_at_a_boundary),
		cmocka_unit_test(signal_somewhere),
		cmocka_unit_test(signal_gone_elsewhere),
		cmocka_unit_test(signal_at_return),
		cmocka_unit_test(signal_in_a_call),
		cmocka_unit_test(interrupted_sleep),
		cmocka_unit_test(signals_in_a_full_ring),
		cmocka_unit_test(signal_in_a_local_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
