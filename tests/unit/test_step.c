/*
 * The step machines, through the public interface: who is told to run what and when, what the others get, which verdict
 * a difference ends in.
 */
#include "engine_sim.h"
#include <errno.h>
#include <fcntl.h>

#define OUT 0x10000
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513

/* One variant's call, to be told to run nr; the other halves are spelled out where order matters. */
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

static void one_variant(void **state)
{
	struct sim_options o = sim_defaults;
	struct sim *s;

	(void)state;
	o.variants = 1;
	o.level = MV_LEVEL_LOCKSTEP;
	s = sim_new(&o);
	for (int i = 0; i < 1000; i++)		/* nobody reads the ring, nobody is waited for */
		leads(s, CALL(__NR_read, 3, AT(OUT), 1000), 1000);
	leads(s, CALL(__NR_chdir, AT(0x100)), 0);
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
	leads(s, CALL(__NR_getpid), 5);
	follows(s, CALL(__NR_getpid), 5);
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
		{ { MV_PSEUDO_END, { 0 } }, "unknown call", "4100" },
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

static void levels_by_descriptor(void **state)
{
	struct mv_step step;
	struct sim *s;

	(void)state;
	s = sim_new(&(struct sim_options){ .variants = 2, .records = 64, .bytes = 1 << 16, .arena = 8 << 20,
		.level = MV_LEVEL_RELAXED, .layout = MV_LAYOUT_ASLR, .no_threads = true });
	s->policy.level[__NR_write][MV_FDKIND_SOCKET] = MV_LEVEL_LOCKSTEP;
	s->policy.level[__NR_write][MV_FDKIND_PIPE] = MV_LEVEL_DENY;
	s->policy.deny_errno[__NR_write] = ENOSPC;
	s->policy.level[__NR_read][MV_FDKIND_NONE] = MV_LEVEL_UNCHECKED;
	s->run = mv_run_new(s->arena, s->arena_size, &s->config);
	for (unsigned i = 0; i < 2; i++) {
		s->t[i] = mv_thread_root(s->run, i, SIM_TID, &sim_ops, &s->task[i]);
		mv_process_fd(mv_thread_process(s->t[i]), 5, MV_FDKIND_SOCKET);
		mv_process_fd(mv_thread_process(s->t[i]), 6, MV_FDKIND_PIPE);
	}
	leads(s, CALL(__NR_write, 4, AT(0x100), 1), 1);
	follows(s, CALL(__NR_write, 4, AT(0x100), 1), 1);
	step = sim_enter(s->t[0], CALL(__NR_write, 6, AT(0x100), 1));
	sim_expect_done(&step, -ENOSPC);
	follows(s, CALL(__NR_write, 6, AT(0x100), 1), -ENOSPC);
	/* Unchecked: neither operands nor lengths need agree, the result is the leader's all the same. */
	memset(sim_mem(s, 0, OUT), 7, 2);
	leads(s, CALL(__NR_read, 4, AT(OUT), 2), 2);
	follows(s, CALL(__NR_read, 9, AT(OUT), 50), 2);
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

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sim *s = sim_new(&(struct sim_options){ .variants = 2, .records = 64, .bytes = 1 << 16,
			.arena = 8 << 20, .level = MV_LEVEL_RELAXED, .layout = MV_LAYOUT_ASLR, .no_threads = true });
		struct mv_step step;

		s->policy.level[__NR_execve][0] = MV_LEVEL_LOCKSTEP;
		s->run = mv_run_new(s->arena, s->arena_size, &s->config);
		for (unsigned v = 0; v < 2; v++)
			s->t[v] = mv_thread_root(s->run, v, SIM_TID, &sim_ops, &s->task[v]);
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
	leads(s, CALL(__NR_chdir, AT(0x100)), -ENOENT);
	follows(s, CALL(__NR_chdir, AT(0x100)), -ENOENT);
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

/* ---- rings ---- */

static void full_ring(void **state)
{
	struct sim_options o = sim_defaults;
	struct mv_call call = CALL(__NR_getpid);
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
		sim_expect_run(&step, __NR_getpid);
		step = sim_exit(s->t[0], n);
		sim_expect_done(&step, n);
	}
	assert_int_equal(n, 4);		/* two records each */
	moves = mv_thread_moves(s->t[0]);
	step = sim_retry(s->t[0]);
	sim_expect(&step, MV_PARK);
	assert_int_equal(mv_thread_moves(s->t[0]), moves);
	follows(s, call, 0);
	step = sim_retry(s->t[0]);
	sim_expect_run(&step, __NR_getpid);
	step = sim_exit(s->t[0], n);
	sim_expect_done(&step, n);
	for (unsigned i = 1; i <= n; i++)
		follows(s, call, i);
	sim_free(s);
}

/* The call has run, and the ring has no room for its result: the leader waits with it. */
static void no_room_for_the_result(void **state)
{
	struct sim_options o = sim_defaults;
	struct mv_step step;
	struct sim *s;

	(void)state;
	o.records = 8;
	s = sim_new(&o);
	for (int i = 0; i < 3; i++)
		leads(s, CALL(__NR_getpid), i);
	leads(s, CALL(__NR_umask, 0), 0);
	follows(s, CALL(__NR_getpid), 0);
	leads(s, CALL(__NR_getpid), 7);
	step = sim_enter(s->t[1], CALL(__NR_getpid));
	sim_expect_done(&step, 1);
	step = sim_enter(s->t[0], CALL(__NR_read, 3, AT(OUT), 100));
	sim_expect_run(&step, __NR_read);
	memset(sim_mem(s, 0, OUT), 'x', 10);
	step = sim_exit(s->t[0], 10);	/* result, but no room for data */
	sim_expect(&step, MV_PARK);
	follows(s, CALL(__NR_getpid), 2);
	step = sim_retry(s->t[0]);
	sim_expect_done(&step, 10);
	s->step[1] = sim_enter(s->t[1], CALL(__NR_umask, 0));
	sim_expect_run(&s->step[1], __NR_umask);
	s->step[1] = sim_exit(s->t[1], 0);
	follows(s, CALL(__NR_getpid), 7);
	follows(s, CALL(__NR_read, 3, AT(OUT), 100), 10);
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

/* ---- verdicts ---- */

static void differing_call(void **state)
{
	struct sim *s = sim_new(NULL);
	const struct mv_verdict *v;

	(void)state;
	leads(s, CALL(__NR_getpid), 5);
	assert_int_equal(mv_run_verdict(s->run)->kind, MV_VERDICT_NONE);
	s->step[1] = sim_enter(s->t[1], CALL(__NR_getuid));
	sim_expect(&s->step[1], MV_STOP);
	v = sim_expect_difference(s, MV_DIFF_NR, 1);
	assert_int_equal(v->leader_call.nr, __NR_getpid);
	assert_int_equal(v->variant_call.nr, __NR_getuid);
	assert_int_equal(v->leader_value, __NR_getpid);
	assert_int_equal(v->variant_value, __NR_getuid);
	s->step[0] = sim_enter(s->t[0], CALL(__NR_getpid));
	sim_expect(&s->step[0], MV_STOP);
	sim_free(s);
}

static void differing_argument(void **state)
{
	struct sim *s = sim_new(NULL);
	const struct mv_verdict *v;

	(void)state;
	/* A descriptor is an int. */
	assert_true(sim_each(s, (struct mv_call[]){ CALL(__NR_fsync, 3), CALL(__NR_fsync, 0xff00000003) }));
	assert_false(sim_each(s, (struct mv_call[]){ CALL(__NR_lseek, 3, 10, 0), CALL(__NR_lseek, 3, 1ull << 40, 1) }));
	v = sim_expect_difference(s, MV_DIFF_ARG, 1);
	assert_int_equal(v->arg, 1);
	assert_int_equal(v->leader_value, 10);
	assert_int_equal(v->variant_value, 1ull << 40);
	assert_int_equal(v->variant_call.args[2], 1);
	sim_free(s);
}

static void differing_pointer(void **state)
{
	struct sim *s = sim_new(NULL);
	const struct mv_verdict *v;

	(void)state;
	assert_false(sim_each(s, (struct mv_call[]){ CALL(__NR_read, 3, AT(OUT), 9), CALL(__NR_read, 3, 0, 9) }));
	v = sim_expect_difference(s, MV_DIFF_ARG, 1);
	assert_int_equal(v->arg, 1);
	assert_int_equal(v->leader_value, 1);
	assert_int_equal(v->variant_value, 0);
	sim_free(s);
}

static void differing_bytes(void **state)
{
	struct sim *s = sim_new(NULL);
	const struct mv_verdict *v;

	(void)state;
	sim_put(s, 0x100, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", 38);
	memcpy(sim_mem(s, 1, 0x100 + 22), "EXAMPLE", 7);
	assert_false(sim_all(s, CALL(__NR_write, 1, AT(0x100), 36)));
	v = sim_expect_difference(s, MV_DIFF_BYTES, 1);
	assert_int_equal(v->arg, 1);
	assert_int_equal(v->offset, 22);
	assert_int_equal(v->known, 14);		/* up to the end */
	assert_memory_equal(v->leader_bytes, "example.org\r\n\r", 14);
	assert_memory_equal(v->variant_bytes, "EXAMPLE.org\r\n\r", 14);
	sim_free(s);
	/* The argument they are behind, when there are several. */
	s = sim_new(NULL);
	strcpy(sim_mem(s, 0, 0x300), "/new");
	strcpy(sim_mem(s, 1, 0x300), "/nex");
	sim_put(s, 0x200, "/old", 5);
	assert_false(sim_all(s, CALL(__NR_renameat, AT_FDCWD, AT(0x200), AT_FDCWD, AT(0x300))));
	v = sim_expect_difference(s, MV_DIFF_BYTES, 1);
	assert_int_equal(v->arg, 3);
	assert_int_equal(v->offset, 3);
	assert_int_equal(v->known, 2);
	assert_memory_equal(v->leader_bytes, "w", 2);
	assert_memory_equal(v->variant_bytes, "x", 2);
	sim_free(s);
	/* Beyond what is sent along it is known that they differ, not where. */
	s = sim_new(NULL);
	*(uint8_t *)sim_mem(s, 1, OUT + 5000) = 1;
	assert_false(sim_all(s, CALL(__NR_write, 1, AT(OUT), 10000)));
	v = sim_expect_difference(s, MV_DIFF_BYTES, 1);
	assert_int_equal(v->arg, 1);
	assert_int_equal(v->known, 0);
	sim_free(s);
}

static void differing_length(void **state)
{
	struct sim *s = sim_new(NULL);
	const struct mv_verdict *v;

	(void)state;
	memset(sim_mem(s, 0, OUT), 'x', 5000);
	memset(sim_mem(s, 1, OUT), 'x', 6000);
	assert_false(sim_all(s, CALL(__NR_unlink, AT(OUT))));
	v = sim_expect_difference(s, MV_DIFF_LENGTH, 1);
	assert_int_equal(v->arg, 0);
	assert_int_equal(v->leader_value, 5001);
	assert_int_equal(v->variant_value, 6001);
	sim_free(s);
}

static void differing_fault(void **state)
{
	struct sim *s = sim_new(NULL);
	const struct mv_verdict *v;

	(void)state;
	s->hole[1][OUT / SIM_PAGE] = true;
	assert_false(sim_all(s, CALL(__NR_write, 1, AT(OUT), 5)));
	v = sim_expect_difference(s, MV_DIFF_FAULT, 1);
	assert_int_equal(v->arg, 1);
	assert_int_equal(v->leader_value, 1);	/* readable */
	assert_int_equal(v->variant_value, 0);
	sim_free(s);
}

static int64_t follower_fails(struct sim *s, unsigned variant, const struct mv_step *step)
{
	(void)step;
	return variant ? -EPERM : s->result;
}

static int64_t follower_gets_another(struct sim *s, unsigned variant, const struct mv_step *step)
{
	(void)step;
	return s->result + variant;
}

static void differing_result(void **state)
{
	static const struct { struct mv_call call; int64_t result; bool other_number_matters; } cases[] = {
		{ { __NR_umask, { 022 } }, 0, false }, { { __NR_socket, { 1, 1, 0 } }, 5, true },
		{ { __NR_set_tid_address, { AT(0) } }, 8, false }, { { __NR_setuid, { 0 } }, 0, false },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sim *s = sim_new(NULL);
		const struct mv_verdict *v;

		s->kernel = follower_fails;
		s->result = cases[i].result;
		assert_false(sim_all(s, cases[i].call));
		sim_expect(&s->step[1], MV_STOP);
		v = sim_expect_difference(s, MV_DIFF_RESULT, 1);
		assert_int_equal(v->leader_value, cases[i].result);
		assert_int_equal(v->variant_value, (uint64_t)-EPERM);
		assert_int_equal(v->leader_call.nr, cases[i].call.nr);
		sim_free(s);
		s = sim_new(NULL);
		s->kernel = follower_gets_another;
		s->result = cases[i].result;
		assert_int_equal(sim_all(s, cases[i].call), !cases[i].other_number_matters);
		if (cases[i].other_number_matters)
			sim_expect_difference(s, MV_DIFF_RESULT, 1);
		sim_free(s);
	}
}

/* An output that cannot be written in one variant only. */
static void unwritable_output(void **state)
{
	struct sim *s = sim_new(NULL);
	const struct mv_verdict *v;

	(void)state;
	s->hole[1][OUT / SIM_PAGE] = true;
	s->result = 10;
	assert_false(sim_all(s, CALL(__NR_read, 3, AT(OUT), 10)));
	v = sim_expect_difference(s, MV_DIFF_RESULT, 1);
	assert_int_equal(v->leader_value, 10);
	assert_int_equal(v->variant_value, (uint64_t)-EFAULT);
	sim_free(s);
}

static void absent(void **state)
{
	struct sim_options o = sim_defaults;
	const struct mv_verdict *v;
	struct mv_step step;
	struct sim *s;

	(void)state;
	o.level = MV_LEVEL_LOCKSTEP;
	s = sim_new(&o);
	assert_true(sim_all(s, CALL(__NR_getpid)));
	step = sim_enter(s->t[0], CALL(__NR_lseek, 4, 5, 6));
	sim_expect(&step, MV_PARK);
	mv_thread_absent(s->t[1], "it is in the dentist's chair");
	v = sim_expect_difference(s, MV_DIFF_ABSENT, 1);
	assert_int_equal(v->leader_call.nr, __NR_lseek);
	assert_int_equal(v->leader_call.args[1], 5);
	assert_int_equal(v->variant_call.nr, __NR_getpid);	/* its last one */
	assert_string_equal(v->text, "it is in the dentist's chair");
	mv_run_fail(s->run, MV_VERDICT_FAILURE, "later");	/* the first one stays */
	assert_int_equal(v->difference, MV_DIFF_ABSENT);
	step = sim_retry(s->t[0]);
	sim_expect(&step, MV_STOP);
	sim_free(s);
}

/* The leader's call that the verdict is about, among its last ones. */
static struct mv_call disagreed(struct sim *s)
{
	const struct mv_verdict *v = mv_run_verdict(s->run);
	struct mv_history h[64];
	unsigned n = mv_thread_history(s->t[0], h, 64);

	for (unsigned i = 0; i < n; i++)
		if (h[i].seq == v->seq)
			return h[i].call;
	fail_msg("the leader has made no call %llu", (unsigned long long)v->seq);
	return (struct mv_call){ 0 };
}

static void leader_ahead(void **state)
{
	struct sim *s = sim_new(NULL);

	(void)state;
	for (uint64_t i = 1; i < 6; i++)
		leads(s, CALL(__NR_lseek, 3, i, 0), (int64_t)i);
	follows(s, CALL(__NR_lseek, 3, 1, 0), 1);
	s->step[1] = sim_enter(s->t[1], CALL(__NR_lseek, 3, 9, 0));
	sim_expect_difference(s, MV_DIFF_ARG, 1);
	assert_int_equal(disagreed(s).args[1], 2);
	sim_free(s);

	s = sim_new(NULL);
	for (uint64_t i = 1; i < 6; i++)
		leads(s, CALL(__NR_umask, i), 0);
	for (uint64_t i = 1; i < 4; i++) {
		s->step[1] = sim_enter(s->t[1], CALL(__NR_umask, i));
		sim_expect_run(&s->step[1], __NR_umask);
		s->step[1] = sim_exit(s->t[1], i < 3 ? 0 : -EPERM);
	}
	sim_expect_difference(s, MV_DIFF_RESULT, 1);
	assert_int_equal(disagreed(s).args[0], 3);
	sim_free(s);

	s = sim_new(NULL);
	for (uint64_t i = 1; i < 6; i++)
		leads(s, CALL(__NR_lseek, 3, i, 0), (int64_t)i);
	follows(s, CALL(__NR_lseek, 3, 1, 0), 1);
	mv_thread_absent(s->t[1], "");
	sim_expect_difference(s, MV_DIFF_ABSENT, 1);
	assert_int_equal(disagreed(s).args[1], 2);
	sim_free(s);
}

static void faults_in_one(void **state)
{
	static const struct { struct mv_call leader, follower; bool agree; } cases[] = {
		{ { MV_PSEUDO_FAULT, { 11, 1 } }, { MV_PSEUDO_FAULT, { 11, 1 } }, true },
		{ { MV_PSEUDO_FAULT, { 11, 1 } }, { MV_PSEUDO_FAULT, { 11, 2 } }, false },
		{ { MV_PSEUDO_FAULT, { 11, 1 } }, { __NR_getpid, { 0 } }, false },
		{ { __NR_getpid, { 0 } }, { MV_PSEUDO_FAULT, { 11, 1 } }, false },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sim *s = sim_new(NULL);
		bool agreed = sim_each(s, (struct mv_call[]){ cases[i].leader, cases[i].follower });

		assert_int_equal(agreed, cases[i].agree);
		if (!agreed)
			sim_expect_difference(s, MV_DIFF_SIGNAL, 1);
		sim_free(s);
	}
}

/* ---- signals ---- */

static void signal_at_a_boundary(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_step step;

	(void)state;
	leads(s, CALL(__NR_getpid), 5);
	step = sim_signal(s->t[0], 10, MV_SIGNAL_BOUNDARY, 0);
	sim_expect_signal(&step, MV_DONE, 10);
	assert_false(mv_thread_in_call(s->t[0]));
	leads(s, CALL(__NR_getuid), 6);			/* the handler's call */
	leads(s, CALL(__NR_getgid), 7);
	step = sim_enter(s->t[1], CALL(__NR_getpid));
	sim_expect_done(&step, 5);
	assert_false(mv_pending_signal(s->t[1], &step));	/* not anywhere: at the boundary */
	step = sim_enter(s->t[1], CALL(__NR_getgid));
	sim_expect_signal(&step, MV_SIGNAL, 10);
	assert_false(mv_thread_in_call(s->t[1]));
	follows(s, CALL(__NR_getuid), 6);
	follows(s, CALL(__NR_getgid), 7);		/* made again */
	sim_free(s);
}

static void signal_somewhere(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_step step;

	(void)state;
	assert_false(mv_pending_signal(s->t[1], &step));
	leads(s, CALL(__NR_getpid), 5);
	step = sim_signal(s->t[0], 14, MV_SIGNAL_ASYNC, 0);
	sim_expect_signal(&step, MV_DONE, 14);
	assert_false(mv_pending_signal(s->t[1], &step));	/* the call comes first */
	follows(s, CALL(__NR_getpid), 5);
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
	leads(s, CALL(__NR_kill, 1000, 0), 0);
	follows(s, CALL(__NR_kill, 1000, 0), 0);
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
		leads(s, CALL(__NR_read, 0, AT(OUT), 10), 0);
		follows(s, CALL(__NR_read, 0, AT(OUT), 10), 0);
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
	/* An interrupted call needs three records; two have room. */
	for (int i = 0; i < 2; i++)
		leads(s, CALL(__NR_getpid), i);
	step = sim_signal(s->t[0], 1, MV_SIGNAL_ASYNC, 0);
	step = sim_enter(s->t[0], CALL(__NR_nanosleep, AT(0x100), AT(OUT)));
	sim_expect_run(&step, __NR_nanosleep);
	memset(sim_mem(s, 0, OUT), 'r', 16);
	step = sim_signal(s->t[0], 7, MV_SIGNAL_IN_CALL, -EINTR);
	sim_expect(&step, MV_PARK);
	follows(s, CALL(__NR_getpid), 0);
	step = sim_retry(s->t[0]);
	sim_expect_signal(&step, MV_DONE, 7);
	follows(s, CALL(__NR_getpid), 1);
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

/* ---- descriptors ---- */

static void placeholders(void **state)
{
	static const struct { struct mv_call call; uint64_t flags; } cases[] = {
		{ { __NR_open, { AT(0x100), O_RDONLY } }, 0 },
		{ { __NR_open, { AT(0x100), O_RDONLY | O_CLOEXEC } }, O_CLOEXEC },
		{ { __NR_openat, { AT_FDCWD, AT(0x100), O_CLOEXEC } }, O_CLOEXEC },
		{ { __NR_openat, { AT_FDCWD, AT(0x100), O_RDWR } }, 0 },
		{ { __NR_openat2, { AT_FDCWD, AT(0x100), AT(0x800), 24 } }, O_CLOEXEC },
		{ { __NR_creat, { AT(0x100), O_CLOEXEC } }, 0 },
		{ { __NR_accept, { 3, 0, 0 } }, 0 },
		{ { __NR_accept4, { 3, 0, 0, O_CLOEXEC } }, O_CLOEXEC },
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		struct mv_call call = cases[i / 2].call;
		uint64_t flags = cases[i / 2].flags;
		struct sim *s = sim_new(NULL);
		struct mv_step step;

		sim_put(s, 0x100, "/etc/x", 7);
		sim_put64(s, 0x800, O_CLOEXEC);
		leads(s, call, 9);
		step = sim_enter(s->t[1], call);
		sim_expect_run(&step, __NR_eventfd2);
		assert_int_equal(step.call.args[1], flags);
		if (i & 1) {		/* another number was free there */
			step = sim_exit(s->t[1], 6);
			sim_expect_run(&step, __NR_dup3);
			assert_int_equal(step.call.args[0], 6);
			assert_int_equal(step.call.args[1], 9);
			assert_int_equal(step.call.args[2], flags);
			step = sim_exit(s->t[1], 9);
			sim_expect_run(&step, __NR_close);
			assert_int_equal(step.call.args[0], 6);
			step = sim_exit(s->t[1], 0);
		} else {
			step = sim_exit(s->t[1], 9);
		}
		sim_expect_done(&step, 9);
		leads(s, call, -ENOENT);
		follows(s, call, -ENOENT);
		sim_free(s);
	}
}

static void no_placeholder(void **state)
{
	struct sim *s = sim_new(NULL);
	const struct mv_verdict *v;
	struct mv_step step;

	(void)state;
	leads(s, CALL(__NR_accept, 3, 0, 0), 9);
	step = sim_enter(s->t[1], CALL(__NR_accept, 3, 0, 0));
	sim_expect_run(&step, __NR_eventfd2);
	step = sim_exit(s->t[1], -EMFILE);
	sim_expect(&step, MV_STOP);
	v = sim_expect_difference(s, MV_DIFF_RESULT, 1);
	assert_int_equal(v->leader_value, 9);
	assert_int_equal(v->variant_value, (uint64_t)-EMFILE);
	sim_free(s);
}

/* Descriptors that come with a message get placeholders, one after the other. */
static void received_descriptors(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_call call = CALL(__NR_recvmsg, 3, AT(0x100), 0x40000000);
	uint64_t control[] = { 16 + 8, 1ull << 32 | 1, 8ull << 32 | 7 };	/* SCM_RIGHTS: 7, 8 */
	struct mv_step step;

	(void)state;
	sim_put_pointer(s, 0x100 + 32, 0x1000);
	sim_put64(s, 0x100 + 40, 64);
	step = sim_enter(s->t[1], call);
	sim_expect(&step, MV_PARK);
	step = sim_enter(s->t[0], call);
	memcpy(sim_mem(s, 0, 0x1000), control, sizeof(control));
	*(uint64_t *)sim_mem(s, 0, 0x100 + 40) = sizeof(control);
	step = sim_exit(s->t[0], 0);
	sim_expect_done(&step, 0);
	for (int fd = 7; fd < 9; fd++) {
		step = fd == 7 ? sim_retry(s->t[1]) : sim_exit(s->t[1], 7);
		sim_expect_run(&step, __NR_eventfd2);
		assert_int_equal(step.call.args[1], O_CLOEXEC);
	}
	step = sim_exit(s->t[1], 8);
	sim_expect_done(&step, 0);
	sim_free(s);
}

/* /proc/self/maps is each variant's own file; reading it is outside of the stream. /proc/self/mem is nobody's. */
static void own_files(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_step step;

	(void)state;
	sim_put(s, 0x100, "/proc/1000/maps", 16);
	sim_put(s, 0x200, "/proc/self/mem", 15);
	sim_put(s, 0x300, "/proc/10000/maps", 17);
	leads(s, CALL(__NR_openat, AT_FDCWD, AT(0x100), O_CLOEXEC), 4);
	step = sim_enter(s->t[1], CALL(__NR_openat, AT_FDCWD, AT(0x100), O_CLOEXEC));
	sim_expect(&step, MV_IMPORT);
	assert_string_equal(mv_proc_file(step.handle), "maps");
	assert_int_equal(step.fd, 4);
	assert_true(step.cloexec);
	step = sim_exit(s->t[1], 4);
	sim_expect_done(&step, 4);
	step = sim_enter(s->t[1], CALL(__NR_read, 4, AT(OUT), 100));
	sim_expect_run(&step, __NR_read);
	step = sim_exit(s->t[1], 33);
	sim_expect_done(&step, 33);
	assert_true(sim_all(s, CALL(__NR_openat, AT_FDCWD, AT(0x200), O_RDWR)));
	sim_expect_done(&s->step[0], -EACCES);
	sim_expect_done(&s->step[1], -EACCES);
	leads(s, CALL(__NR_openat, AT_FDCWD, AT(0x300), 0), 5);
	step = sim_enter(s->t[1], CALL(__NR_openat, AT_FDCWD, AT(0x300), 0));
	sim_expect_run(&step, __NR_eventfd2);	/* another process */
	assert_null(mv_proc_file(1));
	assert_null(mv_proc_file(MV_HANDLE_PROC + 100));
	sim_free(s);
}

static void temporary_names(void **state)
{
	static const struct { const char *leader, *follower; uint64_t flags; bool agree; } cases[] = {
		{ "/tmp/abcDEF", "/tmp/ghiJK9", O_CREAT | O_EXCL | O_RDWR, true },
		{ "/tmp/abcDEF.x", "/tmp/abXDEF.x", O_CREAT | O_EXCL, true },
		{ "/tmp/same", "/tmp/same", O_CREAT | O_EXCL, true },
		{ "/tmp/abcDEF", "/tmp/ghiJK9", O_CREAT, false },
		{ "/tmp/abcDEF", "/tmp/ghiJK9", O_EXCL, false },
		{ "/tmp/abcDEFabcDEF", "/tmp/ghiJK9ghiJK9", O_CREAT | O_EXCL, true },
		{ "/tmp/abcDEFabcDEFa", "/tmp/ghiJK9ghiJK9g", O_CREAT | O_EXCL, false },	/* thirteen */
		{ "/tmp/abc/EF", "/tmp/ghi.K9", O_CREAT | O_EXCL, false },	/* not a letter */
		{ "/tmp/abcDEF", "/tmp/abcDE", O_CREAT | O_EXCL, false },	/* another length */
		{ "/tmp/aaaaaaaaaaaaaaa", "/tmp/baaaaaaaaaaaaab", O_CREAT | O_EXCL, false },	/* not neighbours */
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		const char *leader = cases[i / 2].leader, *follower = cases[i / 2].follower;
		uint64_t flags = cases[i / 2].flags;
		struct mv_call call = i & 1 ? CALL(__NR_openat, AT_FDCWD, AT(0x100), flags, 0600)
					    : CALL(__NR_open, AT(0x100), flags, 0600);
		struct sim *s = sim_new(NULL);

		strcpy(sim_mem(s, 0, 0x100), leader);
		strcpy(sim_mem(s, 1, 0x100), follower);
		s->result = 4;
		assert_int_equal(sim_all(s, call), cases[i / 2].agree);
		/* The program reads its name back. */
		assert_string_equal(sim_mem(s, 1, 0x100), cases[i / 2].agree ? leader : follower);
		assert_string_equal(sim_mem(s, 0, 0x100), leader);
		sim_free(s);
	}
	/* mkdtemp; mkdir of other modes is no temporary directory. */
	for (unsigned mode = 0700; mode <= 0755; mode += 055) {
		struct sim *s = sim_new(NULL);

		strcpy(sim_mem(s, 0, 0x100), "d-abcdef");
		strcpy(sim_mem(s, 1, 0x100), "d-uvwxyz");
		assert_int_equal(sim_all(s, CALL(__NR_mkdir, AT(0x100), mode)), mode == 0700);
		sim_free(s);
	}
}

/* ---- epoll ---- */

static void put_event(struct sim *s, unsigned variant, uint64_t at, uint32_t events, uint64_t data)
{
	memcpy(sim_mem(s, variant, at), &events, 4);
	memcpy(sim_mem(s, variant, at + 4), &data, 8);
}

static void expect_event(struct sim *s, unsigned variant, uint64_t at, uint32_t events, uint64_t data)
{
	uint32_t e;
	uint64_t d;

	memcpy(&e, sim_mem(s, variant, at), 4);
	memcpy(&d, sim_mem(s, variant, at + 4), 8);
	assert_int_equal(e, events);
	assert_int_equal(d, data);
}

#define EVENTS 3000u	/* more than one piece: 36000 bytes */

static int64_t write_events(struct sim *s, unsigned variant, const struct mv_step *step)
{
	(void)step;
	if (!variant)
		for (unsigned i = 0; i < EVENTS; i++)
			put_event(s, 0, OUT + 12 * i, i, sim_addr(0, i % 100 * 16));
	return EVENTS;
}

static void epoll(void **state)
{
	static const size_t rings[] = { 16384, 1 << 18 };

	(void)state;
	for (unsigned r = 0; r < 2; r++) {
		struct sim_options o = sim_defaults;
		struct sim *s;

		o.bytes = rings[r];
		s = sim_new(&o);
		s->result = 5;
		assert_true(sim_all(s, CALL(__NR_epoll_create1, 0)));
		s->result = 0;
		for (unsigned fd = 0; fd < 100; fd++) {
			for (unsigned v = 0; v < 2; v++)
				put_event(s, v, 0x100, 1, sim_addr(v, fd * 16));	/* a pointer */
			assert_true(sim_all(s, CALL(__NR_epoll_ctl, 5, 1, fd, AT(0x100))));
			assert_int_equal(s->runs[1], 0);
		}
		s->kernel = write_events;
		assert_true(sim_all(s, CALL(__NR_epoll_wait, 5, AT(OUT), EVENTS, -1)));
		for (unsigned v = 0; v < 2; v++)
			for (unsigned i = 0; i < EVENTS; i++)
				expect_event(s, v, OUT + 12 * i, i, sim_addr(v, i % 100 * 16));
		/* Deleted, and the events it still had are gone with it. */
		s->kernel = NULL;
		assert_true(sim_all(s, CALL(__NR_epoll_ctl, 5, 2, 7, 0)));
		sim_expect_peace(s);
		sim_free(s);
	}
}

/* ---- calls that not every variant need make ---- */

static int64_t write_time(struct sim *s, unsigned variant, const struct mv_step *step)
{
	uint64_t *time = sim_mem(s, variant, OUT);

	(void)step;
	assert_int_equal(variant, 0);
	time[0]++;
	time[1] = 5;
	return 0;
}

static void looks_at_the_clock(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_call look = CALL(__NR_clock_gettime, 6, AT(OUT));
	const uint64_t *time = sim_mem(s, 1, OUT);
	struct mv_step step;

	(void)state;
	/* Before the first one there is nothing to show: the kernel answers. */
	leads(s, CALL(__NR_getpid), 1);
	step = sim_enter(s->t[1], look);
	sim_expect_run(&step, __NR_clock_gettime);
	step = sim_exit(s->t[1], 0);
	sim_expect_done(&step, 0);
	follows(s, CALL(__NR_getpid), 1);
	s->kernel = write_time;
	assert_true(sim_all(s, look));
	assert_int_equal(time[0], 1);
	assert_int_equal(time[1], 5);
	/* The leader looks twice more: the follower passes over that, piece by piece as it comes. */
	for (unsigned i = 0; i < 2; i++) {
		step = sim_enter(s->t[0], look);
		sim_expect_run(&step, __NR_clock_gettime);
		if (!i) {
			step = sim_enter(s->t[1], CALL(__NR_getuid));
			sim_expect(&step, MV_PARK);
		}
		step = sim_exit(s->t[0], 0);
		sim_expect_done(&step, 0);
		step = sim_retry(s->t[1]);
		sim_expect(&step, MV_PARK);
	}
	leads(s, CALL(__NR_getuid), 2);
	step = sim_retry(s->t[1]);
	sim_expect_done(&step, 2);
	assert_int_equal(time[0], 1);
	/* The follower looks once more: it sees the clock as it last saw it. */
	leads(s, CALL(__NR_getpid), 3);
	memset(sim_mem(s, 1, OUT), 0, 16);
	step = sim_enter(s->t[1], look);
	sim_expect_done(&step, 0);
	assert_int_equal(time[0], 1);
	assert_int_equal(time[1], 5);
	follows(s, CALL(__NR_getpid), 3);
	/* Interrupted and signalled calls of the leader around it stay in order. */
	step = sim_enter(s->t[0], look);
	step = sim_exit(s->t[0], -EFAULT);
	sim_expect_done(&step, -EFAULT);
	step = sim_signal(s->t[0], 10, MV_SIGNAL_BOUNDARY, 0);
	step = sim_enter(s->t[1], CALL(__NR_getuid));
	sim_expect_signal(&step, MV_SIGNAL, 10);
	sim_expect_peace(s);
	sim_free(s);
}

/* ---- processes and threads ---- */

#define CLONE_FLAGS_THREAD 0x3d0f00

static struct mv_thread *child(struct sim *s, unsigned v, uint32_t tid)
{
	struct mv_thread *t = mv_thread_child(s->t[v], tid, &s->task[v]);

	assert_non_null(t);
	assert_int_equal(mv_thread_tid(t), tid);
	assert_int_equal(mv_thread_variant(t), v);
	return t;
}

/* Both variants make a child with that call. */
static void clone_both(struct sim *s, struct mv_call call, uint32_t tid, struct mv_thread *children[2])
{
	struct mv_step step = sim_enter(s->t[0], call);

	sim_expect_run(&step, call.nr);
	assert_int_equal(step.child_tid, 0);
	step = sim_exit(s->t[0], tid);
	sim_expect_done(&step, tid);
	children[0] = child(s, 0, tid);
	step = sim_enter(s->t[1], call);
	sim_expect_run(&step, call.nr);
	assert_int_equal(step.child_tid, tid);
	step = sim_exit(s->t[1], tid);
	sim_expect_done(&step, tid);
	children[1] = child(s, 1, tid);
}

static void forked(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_thread *c[2];
	struct mv_step step;

	(void)state;
	clone_both(s, CALL(__NR_fork), 1001, c);
	assert_false(mv_clone_is_thread(s->t[0]));
	assert_ptr_not_equal(mv_thread_process(c[0]), mv_thread_process(s->t[0]));
	/* Its calls are compared with its twin's, not with its parent's. */
	step = sim_enter(c[1], CALL(__NR_getpid));
	sim_expect(&step, MV_PARK);
	leads(s, CALL(__NR_getuid), 0);
	step = sim_retry(c[1]);
	sim_expect(&step, MV_PARK);
	step = sim_enter(c[0], CALL(__NR_getpid));
	step = sim_exit(c[0], 1001);
	step = sim_retry(c[1]);
	sim_expect_done(&step, 1001);
	follows(s, CALL(__NR_getuid), 0);
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
	leads(s, CALL(__NR_fork), -EAGAIN);
	follows(s, CALL(__NR_fork), -EAGAIN);
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
	assert_true(sim_all(s, CALL(__NR_clone, 0x20000 | 17)));	/* CLONE_NEWNS */
	sim_expect_done(&s->step[1], -EPERM);
	assert_true(sim_all(s, CALL(__NR_clone3, AT(0x100), 32)));
	sim_expect_done(&s->step[1], -EINVAL);
	s->hole[0][1] = s->hole[1][1] = true;
	assert_true(sim_all(s, CALL(__NR_clone3, AT(0x1000), 88)));
	sim_expect_done(&s->step[1], -EFAULT);
	sim_put64(s, 0x100, 0x10000000);				/* CLONE_NEWUSER */
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
	clone_both(s, CALL(__NR_clone, CLONE_FLAGS_THREAD), 1001, c);
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

/* A call that blocks takes its place when it returns, interrupted ones too: nobody may be passed over. */
static void order_of_interrupted_calls(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_thread *c[2];
	struct mv_step a, b;

	(void)state;
	clone_both(s, CALL(__NR_clone, CLONE_FLAGS_THREAD), 1001, c);
	a = sim_enter(c[0], CALL(__NR_accept, 9, 0, 0));
	sim_expect_run(&a, __NR_accept);
	leads(s, CALL(__NR_socket, 1, 1, 0), 3);
	a = sim_signal(c[0], 10, MV_SIGNAL_IN_CALL, -EINTR);
	sim_expect_signal(&a, MV_DONE, 10);
	leads(s, CALL(__NR_socket, 2, 2, 0), 4);
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
		children[n] = child(s, 0, 1001 + n);
		step = sim_enter(s->t[1], CALL(__NR_fork));
		sim_expect_run(&step, __NR_fork);
		step = sim_exit(s->t[1], 1001 + n);
		sim_expect_done(&step, 1001 + n);
		mv_thread_gone(child(s, 1, 1001 + n), 0);
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
		leads(s, CALL(__NR_fork), 1001);
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

/* ---- reports ---- */

static void history(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_history h[64];
	struct mv_step step;

	(void)state;
	assert_int_equal(mv_thread_history(s->t[0], h, 64), 0);
	for (int i = 0; i < 30; i++) {
		leads(s, CALL(__NR_lseek, 3, i, 0), i);
		follows(s, CALL(__NR_lseek, 3, i, 0), i);
	}
	step = sim_signal(s->t[0], 10, MV_SIGNAL_BOUNDARY, 0);	/* no call, and no result of one */
	sim_expect_signal(&step, MV_DONE, 10);
	step = sim_enter(s->t[1], CALL(__NR_getpid));
	sim_expect_signal(&step, MV_SIGNAL, 10);
	step = sim_enter(s->t[0], CALL(__NR_getuid));
	sim_expect_run(&step, __NR_getuid);
	for (unsigned v = 0; v < 2; v++) {
		unsigned n = mv_thread_history(s->t[v], h, 64), first = 30 - (n - !v);

		assert_in_range(n, 10, 64);
		for (unsigned i = 0; i + !v < n; i++) {
			assert_int_equal(h[i].call.args[1], first + i);
			assert_true(h[i].done);
			assert_int_equal(h[i].result, first + i);
		}
		if (!v)
			assert_false(h[n - 1].done);
	}
	assert_int_equal(mv_thread_history(s->t[0], h, 2), 2);
	assert_int_equal(h[0].call.nr, __NR_lseek);
	assert_int_equal(h[1].call.nr, __NR_getuid);
	assert_string_equal(mv_call_name(&CALL(__NR_fcntl, 3, 0)), "fcntl(F_DUPFD)");
	assert_non_null(mv_call_name(&CALL(UINT32_MAX)));
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leader_call),
		cmocka_unit_test(one_variant),
		cmocka_unit_test(all_call),
		cmocka_unit_test(allovw_call),
		cmocka_unit_test(denied_calls),
		cmocka_unit_test(local_call),
		cmocka_unit_test(twin_descriptors),
		cmocka_unit_test(unsupported),
		cmocka_unit_test(lockstep),
		cmocka_unit_test(levels_by_descriptor),
		cmocka_unit_test(executable_memory),
		cmocka_unit_test(held_calls),
		cmocka_unit_test(exec_and_exit),
		cmocka_unit_test(full_ring),
		cmocka_unit_test(no_room_for_the_result),
		cmocka_unit_test(large_outputs),
		cmocka_unit_test(differing_call),
		cmocka_unit_test(differing_argument),
		cmocka_unit_test(differing_pointer),
		cmocka_unit_test(differing_bytes),
		cmocka_unit_test(differing_length),
		cmocka_unit_test(differing_fault),
		cmocka_unit_test(differing_result),
		cmocka_unit_test(unwritable_output),
		cmocka_unit_test(absent),
		cmocka_unit_test(leader_ahead),
		cmocka_unit_test(faults_in_one),
		cmocka_unit_test(signal_at_a_boundary),
		cmocka_unit_test(signal_somewhere),
		cmocka_unit_test(signal_at_return),
		cmocka_unit_test(signal_in_a_call),
		cmocka_unit_test(interrupted_sleep),
		cmocka_unit_test(signals_in_a_full_ring),
		cmocka_unit_test(signal_in_a_local_call),
		cmocka_unit_test(placeholders),
		cmocka_unit_test(no_placeholder),
		cmocka_unit_test(received_descriptors),
		cmocka_unit_test(own_files),
		cmocka_unit_test(temporary_names),
		cmocka_unit_test(epoll),
		cmocka_unit_test(looks_at_the_clock),
		cmocka_unit_test(forked),
		cmocka_unit_test(failed_clone),
		cmocka_unit_test(interrupted_clone),
		cmocka_unit_test(refused_clones),
		cmocka_unit_test(order),
		cmocka_unit_test(order_of_interrupted_calls),
		cmocka_unit_test(arena_exhausted),
		cmocka_unit_test(tiny_arenas),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
