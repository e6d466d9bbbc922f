/* Children and threads: who may be made and how, in which order threads make calls that depend on each other. */
#include "engine_sim.h"
#include <errno.h>

#define CLONE_FLAGS_THREAD 0x3d0f00

static void forked(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_thread *c[2];
	struct mv_step step;

	(void)state;
	sim_clone_both(s, CALL(__NR_fork), 1001, c);
	assert_false(mv_clone_is_thread(s->t[0]));
	assert_ptr_not_equal(mv_thread_process(c[0]), mv_thread_process(s->t[0]));
	/* Its calls are compared with its twin's, not with its parent's. */
	step = sim_enter(c[1], CALL(__NR_getpid));
	sim_expect(&step, MV_PARK);
	sim_leads(s, CALL(__NR_getuid), 0);
	step = sim_retry(c[1]);
	sim_expect(&step, MV_PARK);
	step = sim_enter(c[0], CALL(__NR_getpid));
	step = sim_exit(c[0], 1001);
	step = sim_retry(c[1]);
	sim_expect_done(&step, 1001);
	sim_follows(s, CALL(__NR_getuid), 0);
	mv_thread_gone(c[0], 0);
	mv_thread_gone(c[1], 9);
	/* The leader reaps what it likes, the follower the same. */
	step = sim_enter(s->t[0], CALL(__NR_wait4, -1, AT(OUT), 0, 0));
	sim_expect_run(&step, __NR_wait4);
	step = sim_exit(s->t[0], 1001);
	sim_expect_done(&step, 1001);
	step = sim_enter(s->t[1], CALL(__NR_wait4, -1, AT(OUT), 0, 0));
	sim_expect_run(&step, __NR_wait4);
	assert_int_equal(step.call.args[0], 1001);
	step = sim_exit(s->t[1], 1001);
	sim_expect_done(&step, 1001);
	sim_free(s);
}

static void failed_clone(void **state)
{
	struct sim *s = sim_new(NULL);
	size_t before, after, size;

	(void)state;
	mv_run_usage(s->run, &before, &size);
	sim_leads(s, CALL(__NR_fork), -EAGAIN);
	sim_follows(s, CALL(__NR_fork), -EAGAIN);
	mv_run_usage(s->run, &after, &size);
	assert_int_equal(after, before);
	assert_null(mv_thread_child(s->t[0], 1001, &s->task[0]));	/* a child of no call */
	assert_int_equal(mv_run_verdict(s->run)->kind, MV_VERDICT_FAILURE);
	sim_free(s);
}

/* A fork that a signal interrupts is made again, as often as signals come: nothing may be left of each. */
static void interrupted_clone(void **state)
{
	struct sim *s = sim_new(NULL);
	size_t before, after, size;

	(void)state;
	mv_run_usage(s->run, &before, &size);
	for (int i = 0; i < 3; i++) {
		struct mv_step step = sim_enter(s->t[0], CALL(__NR_fork));

		sim_expect_run(&step, __NR_fork);
		step = sim_signal(s->t[0], 14, MV_SIGNAL_IN_CALL, -ERESTARTNOINTR);
		sim_expect_signal(&step, MV_DONE, 14);
		step = sim_enter(s->t[1], CALL(__NR_fork));
		sim_expect_signal(&step, MV_INTERRUPT, 14);
	}
	mv_run_usage(s->run, &after, &size);
	assert_int_equal(after, before);
	sim_free(s);
}

static void refused_clones(void **state)
{
	struct sim *s = sim_new(NULL);

	(void)state;
	assert_true(sim_all(s, CALL(__NR_clone, 0x20000000 | 17)));	/* CLONE_NEWPID */
	sim_expect_done(&s->step[1], -EPERM);
	assert_true(sim_all(s, CALL(__NR_clone3, AT(0x100), 32)));
	sim_expect_done(&s->step[1], -EINVAL);
	s->hole[0][1] = s->hole[1][1] = true;
	assert_true(sim_all(s, CALL(__NR_clone3, AT(0x1000), 88)));
	sim_expect_done(&s->step[1], -EFAULT);
	sim_put64(s, 0x100, 0x80);					/* CLONE_NEWTIME */
	assert_true(sim_all(s, CALL(__NR_clone3, AT(0x100), 88)));
	sim_expect_done(&s->step[1], -EPERM);
	assert_int_equal(s->runs[0] + s->runs[1], 0);
	sim_free(s);
}

/* Two threads make calls that depend on each other: the follower's make them in the leader's order. */
static void order(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_thread *c[2];
	struct mv_step a, b;

	(void)state;
	sim_clone_both(s, CALL(__NR_clone, CLONE_FLAGS_THREAD), 1001, c);
	assert_true(mv_clone_is_thread(s->t[0]));
	assert_ptr_equal(mv_thread_process(c[0]), mv_thread_process(s->t[0]));
	/* One at a time in the leader ... */
	a = sim_enter(s->t[0], CALL(__NR_socket, 1, 1, 0));
	sim_expect_run(&a, __NR_socket);
	b = sim_enter(c[0], CALL(__NR_socket, 2, 2, 0));
	sim_expect(&b, MV_PARK);
	a = sim_exit(s->t[0], 3);
	sim_expect_done(&a, 3);
	b = sim_retry(c[0]);
	sim_expect_run(&b, __NR_socket);
	b = sim_exit(c[0], 4);
	sim_expect_done(&b, 4);
	/* ... and in the same order here, whoever comes first. */
	b = sim_enter(c[1], CALL(__NR_socket, 2, 2, 0));
	sim_expect(&b, MV_PARK);
	a = sim_enter(s->t[1], CALL(__NR_socket, 1, 1, 0));
	sim_expect_run(&a, __NR_socket);
	b = sim_retry(c[1]);
	sim_expect(&b, MV_PARK);
	a = sim_exit(s->t[1], 3);
	sim_expect_done(&a, 3);
	b = sim_retry(c[1]);
	sim_expect_run(&b, __NR_socket);
	b = sim_exit(c[1], 4);
	sim_expect_done(&b, 4);
	/* A thread that dies inside such a call holds nobody up. */
	a = sim_enter(c[0], CALL(__NR_socket, 1, 1, 0));
	sim_expect_run(&a, __NR_socket);
	mv_thread_gone(c[0], 9);
	a = sim_enter(s->t[0], CALL(__NR_socket, 1, 1, 0));
	sim_expect_run(&a, __NR_socket);
	mv_thread_gone(c[1], 9);
	sim_free(s);
}

/* What a blocking call has found may be the work of a call whose end is not known yet: its place is behind that one. */
static void order_of_blocking_calls(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_thread *c[2];
	struct mv_step a, b;

	(void)state;
	sim_clone_both(s, CALL(__NR_clone, CLONE_FLAGS_THREAD), 1001, c);
	a = sim_enter(c[0], CALL(__NR_accept, 9, 0, 0));
	sim_expect_run(&a, __NR_accept);
	b = sim_enter(s->t[0], CALL(__NR_close, 3));
	sim_expect_run(&b, __NR_close);
	a = sim_exit(c[0], 3);
	sim_expect(&a, MV_PARK);
	b = sim_exit(s->t[0], 0);
	sim_expect_done(&b, 0);
	a = sim_retry(c[0]);
	sim_expect_done(&a, 3);
	a = sim_enter(c[1], CALL(__NR_accept, 9, 0, 0));
	sim_expect(&a, MV_PARK);
	b = sim_enter(s->t[1], CALL(__NR_close, 3));
	sim_expect_run(&b, __NR_close);
	a = sim_retry(c[1]);
	sim_expect(&a, MV_PARK);
	b = sim_exit(s->t[1], 0);
	sim_expect_done(&b, 0);
	a = sim_retry(c[1]);
	sim_expect_run(&a, __NR_fcntl);		/* a copy of a placeholder */
	a = sim_exit(c[1], 3);
	sim_expect_done(&a, 3);
	/* It has left the order to others. */
	sim_leads(s, CALL(__NR_close, 3), 0);
	mv_thread_gone(c[0], 0);
	mv_thread_gone(c[1], 0);
	sim_free(s);
}

/* A call that blocks takes its place when it returns, interrupted ones too: nobody may be passed over. */
static void order_of_interrupted_calls(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_thread *c[2];
	struct mv_step a, b;

	(void)state;
	sim_clone_both(s, CALL(__NR_clone, CLONE_FLAGS_THREAD), 1001, c);
	a = sim_enter(c[0], CALL(__NR_accept, 9, 0, 0));
	sim_expect_run(&a, __NR_accept);
	sim_leads(s, CALL(__NR_socket, 1, 1, 0), 3);
	a = sim_signal(c[0], 10, MV_SIGNAL_IN_CALL, -EINTR);
	sim_expect_signal(&a, MV_DONE, 10);
	sim_leads(s, CALL(__NR_socket, 2, 2, 0), 4);
	/* The follower's second thread is faster. */
	a = sim_enter(c[1], CALL(__NR_accept, 9, 0, 0));
	b = sim_enter(s->t[1], CALL(__NR_socket, 1, 1, 0));
	sim_expect_run(&b, __NR_socket);
	b = sim_exit(s->t[1], 3);
	sim_expect_done(&b, 3);
	if (a.action == MV_PARK)
		a = sim_retry(c[1]);
	sim_expect_signal(&a, MV_INTERRUPT, 10);
	b = sim_enter(s->t[1], CALL(__NR_socket, 2, 2, 0));
	sim_expect_run(&b, __NR_socket);
	mv_thread_gone(c[0], 0);
	mv_thread_gone(c[1], 0);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forked),
		cmocka_unit_test(failed_clone),
		cmocka_unit_test(interrupted_clone),
		cmocka_unit_test(refused_clones),
		cmocka_unit_test(order),
		cmocka_unit_test(order_of_blocking_calls),
		cmocka_unit_test(order_of_interrupted_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
