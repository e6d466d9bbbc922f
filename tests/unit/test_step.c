/*
 * The step machines, through the public interface: who is told to run what and when, and what the others get.
 */
#include "engine_sim.h"
#include <errno.h>
#include <fcntl.h>

/* ---- classes ---- */

static void leader_call(void **state)
{
	struct sim_options o = sim_defaults;
	struct mv_call call = CALL(__NR_read, 3, AT(OUT), 100);
	struct mv_step step;
	struct sim *s;

	(void)state;
	o.variants = 3;
	s = sim_new(&o);
	step = sim_enter(s->t[1], call);	/* early: nothing is known of the leader */
	sim_expect(&step, MV_PARK);
	assert_true(mv_thread_in_call(s->t[1]));
	step = sim_enter(s->t[0], call);
	sim_expect_run(&step, __NR_read);
	assert_int_equal(step.call.args[1], sim_addr(0, OUT));
	step = sim_retry(s->t[1]);		/* agrees, waits for the result */
	sim_expect(&step, MV_PARK);
	memcpy(sim_mem(s, 0, OUT), "hello", 5);
	step = sim_exit(s->t[0], 5);
	sim_expect_done(&step, 5);
	assert_false(mv_thread_in_call(s->t[0]));
	step = sim_retry(s->t[1]);
	sim_expect_done(&step, 5);
	assert_memory_equal(sim_mem(s, 1, OUT), "hello", 6);
	step = sim_enter(s->t[2], call);	/* late: all is there */
	sim_expect_done(&step, 5);
	assert_memory_equal(sim_mem(s, 2, OUT), "hello", 6);
	sim_free(s);
}

/* The records that a call takes. */
static uint64_t records(struct sim *s, struct mv_call call, int64_t result)
{
	uint64_t before, after, tail;

	assert_true(mv_set_progress(s->run, mv_thread_set(s->t[0]), 1, &before, &tail));
	sim_leads(s, call, result);
	assert_true(mv_set_progress(s->run, mv_thread_set(s->t[0]), 1, &after, &tail));
	sim_follows(s, call, result);
	return after - before;
}

static void records_of_calls(void **state)
{
	struct mv_call receive = CALL(__NR_recvfrom, 3, AT(OUT), 100, 0, AT(0x200), AT(0x300));
	struct sim_options o = sim_defaults;
	struct sim *s = sim_new(NULL);
	uint64_t head, tail;

	(void)state;
	assert_int_equal(records(s, CALL(__NR_getppid), 1), 1);
	memset(sim_mem(s, 0, OUT), 'x', 200);
	assert_int_equal(records(s, CALL(__NR_fstat, 3, AT(OUT)), 0), 1);
	assert_memory_equal(sim_mem(s, 1, OUT), sim_mem(s, 0, OUT), 144);
	assert_int_equal(records(s, CALL(__NR_read, 3, AT(OUT), 200), 200), 2);
	assert_memory_equal(sim_mem(s, 1, OUT), sim_mem(s, 0, OUT), 200);
	assert_int_equal(records(s, CALL(__NR_read, 3, AT(OUT), 200), -EAGAIN), 2);
	assert_int_equal(records(s, receive, 10), 4);
	assert_int_equal(records(s, receive, -EAGAIN), 2);
	sim_free(s);
	o.level = MV_LEVEL_LOCKSTEP;
	s = sim_new(&o);
	assert_true(sim_all(s, CALL(__NR_getppid)));
	assert_true(mv_set_progress(s->run, mv_thread_set(s->t[0]), 1, &head, &tail));
	assert_int_equal(head, 2);
	sim_free(s);
}

/* Input and output share a payload; what is longer than one follows. */
static void input_and_output(void **state)
{
	struct mv_call call = CALL(__NR_newfstatat, AT_FDCWD, AT(0x100), AT(OUT), 0);
	struct sim *s = sim_new(NULL);

	(void)state;
	sim_put(s, 0x100, "/etc/x", 7);
	memset(sim_mem(s, 0, OUT), 'y', 144);
	assert_int_equal(records(s, call, 0), 1);
	assert_memory_equal(sim_mem(s, 1, OUT), sim_mem(s, 0, OUT), 144);
	sim_leads(s, call, 0);
	memcpy(sim_mem(s, 1, 0x100), "/etc/y", 7);
	s->step[1] = sim_enter(s->t[1], call);
	sim_expect(&s->step[1], MV_STOP);
	sim_expect_difference(s, MV_DIFF_BYTES, 1);
	sim_free(s);
}

/* A signal ends it before it is known of. */
static void one_record_interrupted(void **state)
{
	struct mv_call call = CALL(__NR_fstat, 3, AT(OUT));
	struct sim *s = sim_new(NULL);
	struct mv_step step = sim_enter(s->t[0], call);

	(void)state;
	sim_expect_run(&step, __NR_fstat);
	step = sim_signal(s->t[0], 10, MV_SIGNAL_IN_CALL, -513);
	sim_expect_signal(&step, MV_DONE, 10);
	step = sim_enter(s->t[1], call);
	sim_expect_signal(&step, MV_INTERRUPT, 10);
	assert_int_equal(step.result, -513);
	assert_int_equal(records(s, call, 0), 1);
	sim_free(s);
}

/* Nothing is left of a call that its thread died in. */
static void dead_in_one_record(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_step step = sim_enter(s->t[0], CALL(__NR_getppid));

	(void)state;
	sim_expect_run(&step, __NR_getppid);
	mv_set_gone(s->run, mv_thread_set(s->t[0]), 0, 9);
	step = sim_enter(s->t[1], CALL(__NR_getppid));
	sim_expect(&step, MV_PARK);
	assert_int_equal(mv_run_verdict(s->run)->kind, MV_VERDICT_NONE);
	sim_free(s);
}

static void one_variant(void **state)
{
	struct sim_options o = sim_defaults;
	struct sim *s;

	(void)state;
	o.variants = 1;
	o.level = MV_LEVEL_LOCKSTEP;
	s = sim_new(&o);
	for (int i = 0; i < 1000; i++)		/* nobody reads the ring, nobody is waited for */
		sim_leads(s, CALL(__NR_read, 3, AT(OUT), 1000), 1000);
	sim_leads(s, CALL(__NR_chdir, AT(0x100)), 0);
	sim_free(s);
}

static int64_t own_results(struct sim *s, unsigned variant, const struct mv_step *step)
{
	(void)s;
	(void)step;
	return 100 + variant;
}

static int64_t own_addresses(struct sim *s, unsigned variant, const struct mv_step *step)
{
	(void)s;
	(void)step;
	return (int64_t)sim_addr(variant, 0x100000);
}

static void all_call(void **state)
{
	struct sim *s = sim_new(NULL);

	(void)state;
	assert_true(sim_all(s, CALL(__NR_umask, 022)));
	assert_int_equal(s->runs[0], 1);
	assert_int_equal(s->runs[1], 1);
	s->kernel = own_addresses;
	assert_true(sim_all(s, CALL(__NR_mmap, 0, 8192, 3, 0x22, -1, 0)));
	sim_expect_done(&s->step[0], (int64_t)sim_addr(0, 0x100000));
	sim_expect_done(&s->step[1], (int64_t)sim_addr(1, 0x100000));
	s->kernel = NULL;
	/* Addresses in the new mapping mean the same, and are each variant's own. */
	assert_true(sim_all(s, CALL(__NR_mprotect, AT(0x100000 + 4096), 4096, 1)));
	assert_int_equal(s->runs[1], 1);
	assert_true(sim_all(s, CALL(__NR_munmap, AT(0x100000), 8192)));
	/* What failed in the leader is not tried. */
	s->result = -ENOMEM;
	assert_true(sim_all(s, CALL(__NR_umask, 022)));
	assert_int_equal(s->runs[1], 0);
	sim_expect_done(&s->step[1], -ENOMEM);
	sim_free(s);
}

static void allovw_call(void **state)
{
	struct sim *s = sim_new(NULL);

	(void)state;
	s->kernel = own_results;
	assert_true(sim_all(s, CALL(__NR_set_tid_address, AT(0x100))));
	assert_int_equal(s->runs[1], 1);
	sim_expect_done(&s->step[0], 100);
	sim_expect_done(&s->step[1], 100);
	sim_free(s);
}

static void denied_calls(void **state)
{
	struct sim *s = sim_new(NULL);

	(void)state;
	assert_true(sim_all(s, CALL(__NR_io_uring_setup, 1, 0)));
	sim_expect_done(&s->step[0], -ENOSYS);
	sim_expect_done(&s->step[1], -ENOSYS);
	assert_int_equal(s->runs[0] + s->runs[1], 0);
	assert_true(sim_all(s, CALL(__NR_fcntl, 3, 999, 0)));	/* an unknown selector */
	sim_expect_done(&s->step[1], -EINVAL);
	/* It is compared all the same. */
	assert_false(sim_each(s, (struct mv_call[]){ CALL(__NR_io_uring_setup, 1, 0), CALL(__NR_io_uring_setup, 2, 0) }));
	sim_expect_difference(s, MV_DIFF_ARG, 1);
	sim_free(s);
}

/* Calls outside of the stream: each as often as it likes. */
static void local_call(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_step step;

	(void)state;
	for (int i = 0; i < 200; i++) {
		step = sim_enter(s->t[1], CALL(__NR_futex, AT(0x100), 1, 1));
		sim_expect_run(&step, __NR_futex);
		step = sim_exit(s->t[1], i);
		sim_expect_done(&step, i);
	}
	sim_leads(s, CALL(__NR_getpid), 5);
	sim_follows(s, CALL(__NR_getpid), 5);
	sim_free(s);
}

/* A descriptor of a memfd exists in every variant: reading it is everybody's business, the result the leader's. */
static void twin_descriptors(void **state)
{
	struct sim *s = sim_new(NULL);

	(void)state;
	s->result = 3;
	assert_true(sim_all(s, CALL(__NR_memfd_create, AT(0x100), 0)));
	assert_true(sim_all(s, CALL(__NR_write, 3, AT(0x100), 3)));
	assert_int_equal(s->runs[1], 1);
	s->result = 7;
	assert_true(sim_all(s, CALL(__NR_dup2, 3, 7)));
	s->result = 2;
	assert_true(sim_all(s, CALL(__NR_read, 7, AT(0x100), 2)));
	assert_int_equal(s->runs[1], 1);
	assert_true(sim_all(s, CALL(__NR_read, 8, AT(0x100), 2)));
	assert_int_equal(s->runs[1], 0);
	sim_free(s);
}

static void unsupported(void **state)
{
	static const struct { struct mv_call call; const char *name, *nr; } cases[] = {
		{ { 600, { 0 } }, "unknown call", "600" },
		{ { 340, { 0 } }, "unknown call", "340" },
		{ { MV_PSEUDO_END, { 0 } }, "unknown call", "4103" },
		{ { UINT32_MAX, { 0 } }, "unknown call", "4294967295" },
		{ { __NR_ioctl, { 3, 0x54ff, 0 } }, "ioctl", "16" },
		{ { __NR_ioctl, { 3, 0x7a01, 0 } }, "ioctl", "16" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sim *s = sim_new(NULL);
		struct mv_step step = sim_enter(s->t[0], cases[i].call);
		const struct mv_verdict *v = mv_run_verdict(s->run);

		sim_expect(&step, MV_STOP);
		assert_int_equal(v->kind, MV_VERDICT_UNSUPPORTED);
		assert_int_equal(v->variant_call.nr, cases[i].call.nr);
		assert_non_null(strstr(v->text, cases[i].name));
		assert_non_null(strstr(v->text, cases[i].nr));
		step = sim_enter(s->t[1], CALL(__NR_getpid));	/* the run is over for all */
		sim_expect(&step, MV_STOP);
		step = sim_retry(s->t[0]);
		sim_expect(&step, MV_STOP);
		sim_free(s);
	}
}

/* ---- lockstep, levels ---- */

static void lockstep(void **state)
{
	struct sim_options o = sim_defaults;
	struct mv_call call = CALL(__NR_write, 1, AT(0x100), 5);
	struct mv_step step;
	struct sim *s;

	(void)state;
	o.variants = 3;
	o.level = MV_LEVEL_LOCKSTEP;
	s = sim_new(&o);
	step = sim_enter(s->t[0], call);
	sim_expect(&step, MV_PARK);
	assert_false(mv_thread_behind(s->t[0]));
	assert_true(mv_thread_behind(s->t[1]));
	step = sim_enter(s->t[1], call);
	sim_expect(&step, MV_PARK);
	step = sim_retry(s->t[0]);
	sim_expect(&step, MV_PARK);
	assert_false(mv_thread_behind(s->t[1]));
	assert_true(mv_thread_behind(s->t[2]));
	step = sim_enter(s->t[2], call);
	sim_expect(&step, MV_PARK);
	step = sim_retry(s->t[0]);
	sim_expect_run(&step, __NR_write);
	step = sim_retry(s->t[1]);
	sim_expect(&step, MV_PARK);
	step = sim_exit(s->t[0], 5);
	sim_expect_done(&step, 5);
	for (unsigned i = 1; i < 3; i++) {
		step = sim_retry(s->t[i]);
		sim_expect_done(&step, 5);
	}
	/* A difference is found before anybody runs it. */
	step = sim_enter(s->t[0], call);
	sim_expect(&step, MV_PARK);
	call.args[0] = 2;
	step = sim_enter(s->t[2], call);
	sim_expect(&step, MV_STOP);
	step = sim_retry(s->t[0]);
	sim_expect(&step, MV_STOP);
	sim_expect_difference(s, MV_DIFF_ARG, 2);
	sim_free(s);
}

/* What is sensitive a follower claims before the leader is told that it agrees, and not if it does not. */
static void claims(void **state)
{
	struct sim_options o = sim_defaults;
	struct mv_call call = CALL(__NR_setuid, 7);
	struct mv_step step;
	struct sim *s;

	(void)state;
	o.level = MV_LEVEL_LOCKSTEP;
	s = sim_new(&o);
	step = sim_enter(s->t[1], call);
	assert_int_equal(s->claims[1], 0);	/* the leader may come with something else */
	step = sim_enter(s->t[0], call);
	sim_expect(&step, MV_PARK);
	step = sim_retry(s->t[1]);
	assert_int_equal(s->claims[1], 1);
	step = sim_retry(s->t[0]);
	sim_expect_run(&step, __NR_setuid);
	step = sim_exit(s->t[0], 0);
	step = sim_retry(s->t[1]);
	sim_expect_run(&step, __NR_setuid);
	step = sim_exit(s->t[1], 0);
	sim_expect_done(&step, 0);
	step = sim_enter(s->t[0], CALL(__NR_write, 1, AT(0x100), 1));
	step = sim_enter(s->t[1], CALL(__NR_write, 1, AT(0x100), 1));
	assert_int_equal(s->claims[1], 1);
	step = sim_retry(s->t[0]);
	step = sim_exit(s->t[0], 1);
	step = sim_retry(s->t[1]);
	sim_expect_done(&step, 1);
	step = sim_enter(s->t[0], call);
	call.args[0]++;
	step = sim_enter(s->t[1], call);
	sim_expect(&step, MV_STOP);
	assert_int_equal(s->claims[0], 0);
	assert_int_equal(s->claims[1], 1);
	sim_free(s);
}

static void levels_by_descriptor(void **state)
{
	struct sim_options o = sim_defaults;
	struct mv_step step;
	struct sim *s;

	(void)state;
	o.no_threads = true;
	s = sim_new(&o);
	s->policy.level[__NR_write][MV_FDKIND_SOCKET] = MV_LEVEL_LOCKSTEP;
	s->policy.level[__NR_write][MV_FDKIND_PIPE] = MV_LEVEL_DENY;
	s->policy.deny_errno[__NR_write] = ENOSPC;
	s->policy.level[__NR_read][MV_FDKIND_NONE] = MV_LEVEL_UNCHECKED;
	sim_start(s);
	for (unsigned i = 0; i < 2; i++) {
		mv_process_fd(mv_thread_process(s->t[i]), 5, MV_FDKIND_SOCKET);
		mv_process_fd(mv_thread_process(s->t[i]), 6, MV_FDKIND_PIPE);
	}
	sim_leads(s, CALL(__NR_write, 4, AT(0x100), 1), 1);
	sim_follows(s, CALL(__NR_write, 4, AT(0x100), 1), 1);
	step = sim_enter(s->t[0], CALL(__NR_write, 6, AT(0x100), 1));
	sim_expect_done(&step, -ENOSPC);
	sim_follows(s, CALL(__NR_write, 6, AT(0x100), 1), -ENOSPC);
	/* Unchecked: neither operands nor lengths need agree, the result is the leader's all the same. */
	memset(sim_mem(s, 0, OUT), 7, 2);
	sim_leads(s, CALL(__NR_read, 4, AT(OUT), 2), 2);
	sim_follows(s, CALL(__NR_read, 9, AT(OUT), 50), 2);
	assert_int_equal(*(uint16_t *)sim_mem(s, 1, OUT), 0x707);
	step = sim_enter(s->t[0], CALL(__NR_write, 5, AT(0x100), 1));
	sim_expect(&step, MV_PARK);
	step = sim_enter(s->t[1], CALL(__NR_write, 5, AT(0x100), 1));
	sim_expect(&step, MV_PARK);
	step = sim_retry(s->t[0]);
	sim_expect_run(&step, __NR_write);
	/* Unchecked or not, another call is another call. */
	step = sim_exit(s->t[0], 1);
	step = sim_retry(s->t[1]);
	sim_expect_done(&step, 1);
	assert_false(sim_each(s, (struct mv_call[]){ CALL(__NR_read, 4, 0, 0), CALL(__NR_getpid) }));
	sim_expect_difference(s, MV_DIFF_NR, 1);
	sim_free(s);
}

/* Memory that becomes executable has execve's level. */
static void executable_memory(void **state)
{
	static const struct { struct mv_call call; bool waits; } cases[] = {
		{ { __NR_mprotect, { AT(0), 4096, 5 } }, true }, { { __NR_mprotect, { AT(0), 4096, 3 } }, false },
		{ { __NR_mmap, { 0, 4096, 4, 0x22 } }, true }, { { __NR_mmap, { 0, 4096, 3, 0x22 } }, false },
		{ { __NR_pkey_mprotect, { AT(0), 4096, 7, 0 } }, true }, { { __NR_munmap, { AT(0), 4096, 4 } }, false },
	};
	struct sim_options o = sim_defaults;

	(void)state;
	o.no_threads = true;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sim *s = sim_new(&o);
		struct mv_step step;

		s->policy.level[__NR_execve][0] = MV_LEVEL_LOCKSTEP;
		sim_start(s);
		step = sim_enter(s->t[0], cases[i].call);
		assert_int_equal(step.action, cases[i].waits ? MV_PARK : MV_RUN);
		sim_free(s);
	}
}

/* The leader does not go on from chdir and exec before all are there. */
static void held_calls(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_step step = sim_enter(s->t[0], CALL(__NR_chdir, AT(0x100)));

	(void)state;
	sim_expect_run(&step, __NR_chdir);
	step = sim_exit(s->t[0], 0);
	sim_expect(&step, MV_PARK);
	assert_true(mv_thread_behind(s->t[1]));
	step = sim_enter(s->t[1], CALL(__NR_chdir, AT(0x100)));
	sim_expect_run(&step, __NR_chdir);
	step = sim_retry(s->t[0]);
	sim_expect(&step, MV_PARK);
	step = sim_exit(s->t[1], 0);
	sim_expect_done(&step, 0);
	step = sim_retry(s->t[0]);
	sim_expect_done(&step, 0);
	/* A failure is nothing to wait for. */
	sim_leads(s, CALL(__NR_chdir, AT(0x100)), -ENOENT);
	sim_follows(s, CALL(__NR_chdir, AT(0x100)), -ENOENT);
	sim_free(s);
}

static void exec_and_exit(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_step step[2] = { 0 };

	(void)state;
	for (unsigned v = 0; v < 2; v++) {
		step[v] = sim_enter(s->t[v], CALL(__NR_execve, AT(0x100), 0, 0));
		if (!v)
			sim_expect_run(&step[v], __NR_execve);
	}
	sim_expect(&step[1], MV_PARK);
	mv_thread_exec(s->t[0], &step[0]);
	sim_expect(&step[0], MV_PARK);
	step[1] = sim_retry(s->t[1]);
	sim_expect_run(&step[1], __NR_execve);
	mv_thread_exec(s->t[1], &step[1]);
	sim_expect_done(&step[1], 0);
	step[0] = sim_retry(s->t[0]);
	sim_expect_done(&step[0], 0);
	/* exit_group runs at once in each that has compared it. */
	step[0] = sim_enter(s->t[0], CALL(__NR_exit_group, 3));
	sim_expect_run(&step[0], __NR_exit_group);
	step[1] = sim_enter(s->t[1], CALL(__NR_exit_group, 3));
	sim_expect_run(&step[1], __NR_exit_group);
	sim_expect_peace(s);
	sim_free(s);
}

/* ---- what a log says ---- */

static void standing(void **state)
{
	struct sim_options o = sim_defaults;
	struct mv_standing st;
	struct mv_step step;
	struct sim *s;

	(void)state;
	o.level = MV_LEVEL_LOCKSTEP;
	o.variants = 3;
	s = sim_new(&o);
	mv_thread_standing(s->t[0], &st);
	assert_string_equal(st.state, "between calls");
	assert_int_equal(st.written, 0);
	step = sim_enter(s->t[0], CALL(__NR_getpid));
	sim_expect(&step, MV_PARK);
	mv_thread_standing(s->t[0], &st);
	assert_string_equal(st.state, "wait for all to arrive");
	assert_string_equal(st.next, "none");
	assert_int_equal(st.call.nr, __NR_getpid);
	assert_int_equal(st.written, 1);
	assert_int_equal(st.consumed, 0);
	mv_thread_standing(s->t[2], &st);
	assert_string_equal(st.next, "call");
	assert_int_equal(st.consumed, 0);
	step = sim_enter(s->t[2], CALL(__NR_getpid));
	sim_expect(&step, MV_PARK);
	mv_thread_standing(s->t[2], &st);
	assert_string_equal(st.state, "fetch the result");
	assert_string_equal(st.next, "none");
	assert_int_equal(st.consumed, 1);
	mv_thread_standing(s->t[0], &st);
	assert_int_equal(st.consumed, 0);	/* the slowest counts */
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leader_call),
		cmocka_unit_test(records_of_calls),
		cmocka_unit_test(input_and_output),
		cmocka_unit_test(one_record_interrupted),
		cmocka_unit_test(dead_in_one_record),
		cmocka_unit_test(one_variant),
		cmocka_unit_test(all_call),
		cmocka_unit_test(allovw_call),
		cmocka_unit_test(denied_calls),
		cmocka_unit_test(local_call),
		cmocka_unit_test(twin_descriptors),
		cmocka_unit_test(unsupported),
		cmocka_unit_test(lockstep),
		cmocka_unit_test(claims),
		cmocka_unit_test(levels_by_descriptor),
		cmocka_unit_test(executable_memory),
		cmocka_unit_test(held_calls),
		cmocka_unit_test(exec_and_exit),
		cmocka_unit_test(standing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
