/*
 * What is compared: every length rule of inputs, sets, structs, vectors, strings, faults.  Each test lets two variants make
 * the same call with memory that differs in one place.
 */
#include "operands.h"
#include <errno.h>

static void input_lengths(void **state)
{
	(void)state;
	compared(fill_nothing, CALL(__NR_capset, AT(64), AT(0x1000)), 0x1000, 24);		/* constant */
	compared(fill_nothing, CALL(__NR_write, 1, AT(0x1000), 0), 0x1000, 0);		/* argument */
	compared(fill_nothing, CALL(__NR_write, 1, AT(0x1000), 1), 0x1000, 1);
	compared(fill_nothing, CALL(__NR_write, 1, AT(0x1000), 4096), 0x1000, 4096);
	compared(fill_nothing, CALL(__NR_write, 1, AT(0x1001), 4097), 0x1001, 4097);
	compared(fill_nothing, CALL(__NR_write, 1, AT(0x1000), 100000), 0x1000, 100000);	/* by hash */
	compared(fill_nothing, CALL(__NR_write, 1, AT(0x1000), 3 << 20), 0x1000, 3 << 20);
	compared(fill_nothing, CALL(__NR_setgroups, 3, AT(0x1000)), 0x1000, 12);		/* argument times */
	compared(fill_nothing, CALL(__NR_msgsnd, 1, AT(0x1000), 5, 0), 0x1000, 13);		/* argument plus */
	compared(fill_nothing, CALL(__NR_set_mempolicy, 1, AT(0x1000), 0), 0x1000, 0);	/* bits, of which one is lost */
	compared(fill_nothing, CALL(__NR_set_mempolicy, 1, AT(0x1000), 1), 0x1000, 0);
	compared(fill_nothing, CALL(__NR_set_mempolicy, 1, AT(0x1000), 2), 0x1000, 8);
	compared(fill_nothing, CALL(__NR_set_mempolicy, 1, AT(0x1000), 65), 0x1000, 8);
	compared(fill_nothing, CALL(__NR_set_mempolicy, 1, AT(0x1000), 66), 0x1000, 16);
}

static void signal_sets(void **state)
{
	(void)state;
	compared(fill_nothing, CALL(__NR_rt_sigprocmask, 0, AT(0x1000), 0, 8), 0x1000, 8);
	compared(fill_nothing, CALL(__NR_rt_sigprocmask, 0, AT(0x1000), 0, 128), 0x1000, 8);	/* libc's is longer */
	compared(fill_nothing, CALL(__NR_rt_sigprocmask, 0, AT(0x1000), 0, 4), 0x1000, 4);
	/* A null set is compared with one that is there. */
	for (unsigned i = 0; i < 2; i++) {
		struct sim *s = sim_new(NULL);
		struct mv_call calls[] = {
			CALL(__NR_rt_sigprocmask, 0, i ? AT(0x1000) : 0, 0, 8), CALL(__NR_rt_sigprocmask, 0, 0, 0, 8),
		};

		assert_int_equal(sim_each(s, calls), !i);
		sim_free(s);
	}
}

static void fill_sigarg(struct sim *s)
{
	sim_put_pointer(s, 0x100, 0x2000);
	sim_put64(s, 0x108, 8);
}

static void fill_sigarg_null(struct sim *s)
{
	sim_put64(s, 0x108, 8);
}

static void pselect_mask(void **state)
{
	struct mv_call call = CALL(__NR_pselect6, 0, 0, 0, 0, 0, AT(0x100));

	(void)state;
	compared(fill_sigarg, call, 0x2000, 8);
	compared(fill_sigarg_null, call, 0x2000, 0);
	assert_false(agree_flipped(fill_sigarg_null, call, 0x100));	/* one has a mask */
}

static void descriptor_sets(void **state)
{
	static const struct { uint64_t bits, bytes; } sizes[] = {
		{ 0, 0 }, { 1, 8 }, { 64, 8 }, { 65, 16 }, { 128, 16 }, { 1000, 128 }, { 1024, 128 }, { 1025, 136 },
		{ 0xabcd00000040, 8 },		/* an int: what is above does not count */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (unsigned arg = 1; arg < 4; arg++) {
			struct mv_call call = CALL(__NR_select, sizes[i].bits);

			call.args[arg] = AT(0x1000);
			compared(fill_nothing, call, 0x1000, sizes[i].bytes);
		}
}

static void fill_pollfds(struct sim *s)
{
	static const struct { int32_t fd; int16_t events, revents; } fds[] = { { 3, 1, 7 }, { -1, 1, 0 }, { 4, 5, 0 } };

	sim_put(s, 0x1000, fds, sizeof(fds));
}

static void poll_entries(void **state)
{
	struct mv_call call = CALL(__NR_poll, AT(0x1000), 3, 0);

	(void)state;
	for (unsigned i = 0; i < 3 * 8; i++) {
		bool negative = i / 8 == 1;
		/* Events of negative ones and all revents are garbage; the descriptor always counts. */
		bool counts = i % 8 < 4 || (i % 8 < 6 && !negative);

		assert_int_equal(agree_flipped(fill_pollfds, call, 0x1000 + i), !counts);
	}
	assert_true(agree_flipped(fill_pollfds, call, 0x1000 + 24));
	/* More than fit into one piece. */
	call.args[1] = 5000;
	assert_false(agree_flipped(fill_nothing, call, 0x1000 + 4999 * 8 + 5));
	assert_true(agree_flipped(fill_nothing, call, 0x1000 + 5000 * 8));
}

/*
 * The smallest ring the header allows: its records hold 2 KiB of input, and up to 4 KiB are not hashed.  Every byte
 * counts all the same.
 */
static void inputs_in_the_smallest_ring(void **state)
{
	struct sim_options o = sim_defaults;

	(void)state;
	o.records = 8;
	o.bytes = 16384;
	for (uint64_t len = 1024; len <= 8192; len += 1024) {
		struct sim *s = sim_new(&o);

		*(uint8_t *)sim_mem(s, 1, 0x1000 + len - 1) = 1;
		if (sim_all(s, CALL(__NR_write, 1, AT(0x1000), len)))
			fail_msg("the last of %llu bytes is not compared", (unsigned long long)len);
		sim_expect_difference(s, MV_DIFF_BYTES, 1);
		sim_free(s);
	}
}

/* ---- structs ---- */

static void padding(void **state)
{
	struct mv_call lock = CALL(__NR_fcntl, 3, 6, AT(0x1000));	/* F_SETLK */

	(void)state;
	for (unsigned i = 0; i < 40; i++) {	/* struct flock: 2 + 2, hole of 4, 8 + 8, pid */
		bool counts = i < 4 || (i >= 8 && i < 24);

		assert_int_equal(agree_flipped(fill_nothing, lock, 0x1000 + i), !counts);
	}
	for (unsigned i = 0; i < 32; i++) {	/* struct stack_t: pointer, flags, hole, size */
		bool counts = (i >= 8 && i < 12) || (i >= 16 && i < 24);

		assert_int_equal(agree_flipped(fill_nothing, CALL(__NR_sigaltstack, AT(0x1000), 0), 0x1000 + i), !counts);
	}
	for (unsigned i = 0; i < 16; i++)	/* struct epoll_event: the data is the program's own */
		assert_int_equal(agree_flipped(fill_nothing, CALL(__NR_epoll_ctl, 3, 1, 4, AT(0x1000)), 0x1000 + i), i >= 4);
	for (unsigned i = 0; i < 14; i++)	/* two of struct sembuf */
		assert_int_equal(agree_flipped(fill_nothing, CALL(__NR_semop, 0, AT(0x1000), 2), 0x1000 + i), i >= 12);
	/* EPOLL_CTL_DEL does not read its event. */
	assert_true(agree_flipped(fill_nothing, CALL(__NR_epoll_ctl, 3, 2, 4, AT(0x1000)), 0x1000));
}

static void handlers(void **state)
{
	static const struct { uint64_t leader, follower; bool agree; } cases[] = {
		{ 0, 0, true }, { 1, 1, true }, { 0, 1, false }, { 1, 0x5000, false }, { 0, 0x5000, false },
		{ 0x5000, 0x777000, true },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sim *s = sim_new(NULL);

		memcpy(sim_mem(s, 0, 0x1000), &cases[i].leader, 8);
		memcpy(sim_mem(s, 1, 0x1000), &cases[i].follower, 8);
		assert_int_equal(sim_all(s, CALL(__NR_rt_sigaction, 10, AT(0x1000), 0, 8)), cases[i].agree);
		sim_free(s);
	}
	for (unsigned i = 8; i < 40; i++)	/* flags, restorer, mask */
		assert_int_equal(agree_flipped(fill_nothing, CALL(__NR_rt_sigaction, 10, AT(0x1000), 0, 8), 0x1000 + i),
				 (i >= 16 && i < 24) || i >= 32);
}

/* ---- vectors ---- */

static void vectors(void **state)
{
	struct mv_call call = CALL(__NR_writev, 1, AT(0x100), 3);

	(void)state;
	compared(fill_iov, call, 0x2000, 5);
	compared(fill_iov, call, 0x3000, 0);
	compared(fill_iov, call, 0x4ff0, 0x20);
	for (unsigned i = 0; i < 3; i++)
		assert_false(agree_flipped(fill_iov, call, 0x100 + 16 * i + 8));
	call.args[2] = 2;
	compared(fill_iov, call, 0x4ff0, 0);
	call.args[2] = 0;
	compared(fill_iov, call, 0x2000, 0);
	call.args[2] = 1025;		/* EINVAL whatever it is */
	compared(fill_iov, call, 0x2000, 0);
	/* Of a vector to read into, lengths count and contents do not. */
	call = CALL(__NR_readv, 0, AT(0x100), 3);
	compared(fill_iov, call, 0x2000, 0);
	assert_false(agree_flipped(fill_iov, call, 0x108));
}

/* The same bytes in another division are another call. */
static void division_of_vectors(void **state)
{
	struct sim *s = sim_new(NULL);
	uint64_t *iov;

	(void)state;
	put_iov(s, 0x100, 0x2000, 5);
	put_iov(s, 0x110, 0x2005, 5);
	iov = sim_mem(s, 1, 0x100);
	iov[1] = 6;
	iov[2]++;
	iov[3] = 4;
	assert_false(sim_all(s, CALL(__NR_writev, 1, AT(0x100), 2)));
	sim_expect_difference(s, MV_DIFF_BYTES, 1);
	sim_free(s);
}

/* ---- strings ---- */

static void fill_string_at_end(struct sim *s)
{
	sim_put(s, 0x1000 + SIM_PAGE - 5, "/a/b", 5);
	s->hole[0][2] = s->hole[1][2] = true;	/* what is behind its NUL must not be touched */
}

static void fill_string_across(struct sim *s)
{
	sim_put(s, 0x1000 + SIM_PAGE - 2, "/a/b", 5);
}

static void fill_string_long(struct sim *s)
{
	memset(sim_mem(s, 0, 0x1000), 'x', 10000);
	memset(sim_mem(s, 1, 0x1000), 'x', 10000);
}

static void strings(void **state)
{
	struct sim *s = sim_new(NULL);

	(void)state;
	fill_string_at_end(s);
	assert_true(sim_all(s, CALL(__NR_unlink, AT(0x1000 + SIM_PAGE - 5))));
	sim_free(s);
	assert_false(agree_flipped(fill_string_at_end, CALL(__NR_unlink, AT(0x1000 + SIM_PAGE - 5)), 0x1000 + SIM_PAGE - 2));
	compared(fill_string_across, CALL(__NR_unlink, AT(0x1000 + SIM_PAGE - 2)), 0x1000 + SIM_PAGE - 2, 5);
	compared(fill_string_long, CALL(__NR_unlink, AT(0x1000)), 0x1000, 10001);
	compared(fill_nothing, CALL(__NR_unlink, AT(0x1000)), 0x1000, 1);	/* the empty one */
}

static void fill_vector(struct sim *s)
{
	sim_put_pointer(s, 0x100, 0x2000);
	sim_put_pointer(s, 0x108, 0x3000);
	sim_put(s, 0x1000, "/bin/x", 7);
	sim_put(s, 0x2000, "arg", 4);
	sim_put(s, 0x3000, "a=b", 4);
}

static void vectors_of_strings(void **state)
{
	struct mv_call call = CALL(__NR_execve, AT(0x1000), AT(0x100), AT(0x108));

	(void)state;
	compared(fill_vector, call, 0x2000, 4);
	compared(fill_vector, call, 0x3000, 4);
	assert_false(agree_flipped(fill_vector, call, 0x110));	/* one string more, at a bad address */
}

/* "ab", "c" and "a", "bc" are different vectors, whatever they look like in a row. */
static void strings_do_not_run_together(void **state)
{
	struct sim *s = sim_new(NULL);

	(void)state;
	sim_put_pointer(s, 0x100, 0x2000);
	sim_put_pointer(s, 0x108, 0x3000);
	strcpy(sim_mem(s, 0, 0x2000), "ab");
	strcpy(sim_mem(s, 0, 0x3000), "c");
	strcpy(sim_mem(s, 1, 0x2000), "a");
	strcpy(sim_mem(s, 1, 0x3000), "bc");
	assert_false(sim_all(s, CALL(__NR_execve, AT(0x1000), AT(0x100), 0)));
	sim_free(s);
}

/* ---- faults ---- */

static bool agree_with_holes(filler fill, struct mv_call call, unsigned page, bool leader, bool follower)
{
	struct sim *s = sim_new(NULL);
	bool agreed;

	fill(s);
	s->hole[0][page] = leader;
	s->hole[1][page] = follower;
	s->result = -EFAULT;
	agreed = sim_all(s, call);
	if (agreed)
		sim_expect_done(&s->step[1], -EFAULT);
	else
		assert_int_equal(mv_run_verdict(s->run)->difference, MV_DIFF_FAULT);
	sim_free(s);
	return agreed;
}

static void faults(void **state)
{
	static const struct { filler fill; struct mv_call call; unsigned page; } cases[] = {
		{ fill_nothing, { __NR_write, { 1, AT(0x8000), 5 } }, 8 },
		{ fill_nothing, { __NR_write, { 1, AT(0x7ffe), 5 } }, 8 },
		{ fill_nothing, { __NR_write, { 1, AT(0x1000), 100000 } }, 8 },
		{ fill_nothing, { __NR_unlink, { AT(0x8000) } }, 8 },
		{ fill_string_across, { __NR_unlink, { AT(0x1000 + SIM_PAGE - 2) } }, 2 },
		{ fill_iov, { __NR_writev, { 1, AT(0x100), 3 } }, 0 },
		{ fill_iov, { __NR_writev, { 1, AT(0x100), 3 } }, 5 },
		{ fill_message, { __NR_sendmsg, { 3, AT(0x100), 0 } }, 0 },
		{ fill_message, { __NR_sendmsg, { 3, AT(0x100), 0 } }, 1 },
		{ fill_message, { __NR_sendmsg, { 3, AT(0x100), 0 } }, 3 },
		{ fill_message, { __NR_sendmsg, { 3, AT(0x100), 0 } }, 4 },
		{ fill_messages, { __NR_sendmmsg, { 3, AT(0x100), 2, 0 } }, 3 },
		{ fill_unix, { __NR_connect, { 3, AT(0x1000), 110 } }, 1 },
		{ fill_nothing, { __NR_poll, { AT(0x7ff8), 2, 0 } }, 8 },
		{ fill_nothing, { __NR_select, { 64, AT(0x8000) } }, 8 },
		{ fill_nothing, { __NR_rt_sigprocmask, { 0, AT(0x8000), 0, 8 } }, 8 },
		{ fill_nothing, { __NR_fcntl, { 3, 6, AT(0x8000) } }, 8 },
		{ fill_nothing, { __NR_pselect6, { 0, 0, 0, 0, 0, AT(0x8000) } }, 8 },
		{ fill_sigarg, { __NR_pselect6, { 0, 0, 0, 0, 0, AT(0x100) } }, 2 },
		{ fill_vector, { __NR_execve, { AT(0x1000), AT(0x100), 0 } }, 0 },
		{ fill_vector, { __NR_execve, { AT(0x1000), AT(0x100), 0 } }, 3 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		filler fill = cases[i].fill;
		struct mv_call call = cases[i].call;

		if (!agree_with_holes(fill, call, cases[i].page, true, true))
			fail_msg("case %u: both fault alike", i);
		if (agree_with_holes(fill, call, cases[i].page, true, false))
			fail_msg("case %u: only the leader faults", i);
		if (agree_with_holes(fill, call, cases[i].page, false, true))
			fail_msg("case %u: only the follower faults", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(input_lengths),
		cmocka_unit_test(signal_sets),
		cmocka_unit_test(pselect_mask),
		cmocka_unit_test(descriptor_sets),
		cmocka_unit_test(poll_entries),
		cmocka_unit_test(inputs_in_the_smallest_ring),
		cmocka_unit_test(padding),
		cmocka_unit_test(handlers),
		cmocka_unit_test(vectors),
		cmocka_unit_test(division_of_vectors),
		cmocka_unit_test(strings),
		cmocka_unit_test(vectors_of_strings),
		cmocka_unit_test(strings_do_not_run_together),
		cmocka_unit_test(faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
