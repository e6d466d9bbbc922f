/* Every way in which variants can differ: which verdict it ends in, and what is known of it. */
#include "engine_sim.h"
#include <errno.h>
#include <fcntl.h>

static void differing_call(void **state)
{
	struct sim *s = sim_new(NULL);
	const struct mv_verdict *v;

	(void)state;
	sim_leads(s, CALL(__NR_getpid), 5);
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
	assert_int_equal(v->known, 30);		/* from a little before up to the end */
	assert_memory_equal(v->leader_bytes, "HTTP/1.1\r\nHost: example.org\r\n\r", 30);
	assert_memory_equal(v->variant_bytes, "HTTP/1.1\r\nHost: EXAMPLE.org\r\n\r", 30);
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
	assert_int_equal(v->known, 5);		/* of this argument only */
	assert_memory_equal(v->leader_bytes, "/new", 5);
	assert_memory_equal(v->variant_bytes, "/nex", 5);
	sim_free(s);
	/* A length is compared before; what is behind the pointer tells more. */
	s = sim_new(NULL);
	strcpy(sim_mem(s, 0, 0x100), "an id 0x1234, and 0x56");
	strcpy(sim_mem(s, 1, 0x100), "an id 0x12345, and 0x67");
	assert_false(sim_each(s, (struct mv_call[]){ CALL(__NR_write, 1, AT(0x100), 22), CALL(__NR_write, 1, AT(0x100), 23) }));
	v = sim_expect_difference(s, MV_DIFF_ARG, 1);
	assert_int_equal(v->arg, 2);
	assert_int_equal(v->bytes_arg, 1);
	assert_int_equal(v->offset, 12);
	assert_int_equal(v->known, 22);		/* as many as both have */
	assert_memory_equal(v->leader_bytes, "an id 0x1234, and 0x56", 22);
	assert_memory_equal(v->variant_bytes, "an id 0x12345, and 0x6", 22);
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
		sim_leads(s, CALL(__NR_lseek, 3, i, 0), (int64_t)i);
	sim_follows(s, CALL(__NR_lseek, 3, 1, 0), 1);
	s->step[1] = sim_enter(s->t[1], CALL(__NR_lseek, 3, 9, 0));
	sim_expect_difference(s, MV_DIFF_ARG, 1);
	assert_int_equal(disagreed(s).args[1], 2);
	sim_free(s);

	s = sim_new(NULL);
	for (uint64_t i = 1; i < 6; i++)
		sim_leads(s, CALL(__NR_umask, i), 0);
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
		sim_leads(s, CALL(__NR_lseek, 3, i, 0), (int64_t)i);
	sim_follows(s, CALL(__NR_lseek, 3, 1, 0), 1);
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

/* ---- reports ---- */

static void history(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_history h[64];
	struct mv_step step;

	(void)state;
	assert_int_equal(mv_thread_history(s->t[0], h, 64), 0);
	for (int i = 0; i < 30; i++) {
		sim_leads(s, CALL(__NR_lseek, 3, i, 0), i);
		sim_follows(s, CALL(__NR_lseek, 3, i, 0), i);
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
		cmocka_unit_test(history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
