/*
 * What is copied to followers: every length rule of outputs, vectors and messages that the kernel scatters over.
 */
#include "operands.h"
#include <errno.h>

static int64_t write_output(struct sim *s, unsigned variant, const struct mv_step *step)
{
	(void)step;
	if (!variant)
		memset(sim_mem(s, 0, 0x10000), 0xaa, 0x10000);
	return s->result;
}

/* Of what the leader's kernel writes from 0x10000, exactly [0x10000, 0x10000 + len) arrives. */
static void replicated_from(filler fill, struct mv_call call, int64_t result, uint64_t len)
{
	struct sim *s = sim_new(NULL);
	const uint8_t *got = sim_mem(s, 1, 0x10000);

	for (unsigned v = 0; v < 2; v++)
		memset(sim_mem(s, v, 0xf000), 0x55, 0x11000);
	fill(s);
	s->kernel = write_output;
	s->result = result;
	sim_all(s, call);
	sim_expect_peace(s);
	sim_expect_done(&s->step[0], result);
	sim_expect_done(&s->step[1], result);
	assert_int_equal(got[-1], 0x55);
	for (uint64_t i = 0; i < 0x10000; i++)
		if (got[i] != (i < len ? 0xaa : 0x55))
			fail_msg("call %u: byte %llu is %x", call.nr, (unsigned long long)i, got[i]);
	sim_free(s);
}

static void replicated(struct mv_call call, int64_t result, uint64_t len)
{
	replicated_from(fill_nothing, call, result, len);
}

static void output_lengths(void **state)
{
	uint64_t out = AT(0x10000);

	(void)state;
	replicated(CALL(__NR_fstat, 3, out), 0, 144);
	replicated(CALL(__NR_rt_sigpending, out, 8), 0, 8);
	replicated(CALL(__NR_read, 3, out, 1000), 0, 0);
	replicated(CALL(__NR_read, 3, out, 1000), 7, 7);
	replicated(CALL(__NR_read, 3, out, 60000), 60000, 60000);
	replicated(CALL(__NR_getgroups, 10, out), 3, 12);
	replicated(CALL(__NR_getgroups, 0, out), 3, 0);			/* how many are there? */
	replicated(CALL(__NR_msgrcv, 1, out, 100, 0, 0), 5, 13);
	replicated(CALL(__NR_recvfrom, 3, out, 10, 0x20, 0, 0), 8, 8);
	replicated(CALL(__NR_recvfrom, 3, out, 10, 0x20, 0, 0), 5000, 10);	/* MSG_TRUNC: longer than the buffer */
	replicated(CALL(__NR_fgetxattr, 3, AT(0x1000), out, 100), 20, 20);
	replicated(CALL(__NR_fgetxattr, 3, AT(0x1000), out, 0), 20, 0);
	replicated(CALL(__NR_mincore, 0, 1, out), 0, 1);
	replicated(CALL(__NR_mincore, 0, 4096, out), 0, 1);
	replicated(CALL(__NR_mincore, 0, 4097, out), 0, 2);
	replicated(CALL(__NR_get_mempolicy, 0, out, 65, 0, 0), 0, 8);
	replicated(CALL(__NR_get_mempolicy, 0, out, 66, 0, 0), 0, 16);
	replicated(CALL(__NR_poll, out, 3, 0), 1, 24);
	replicated(CALL(__NR_select, 65, 0, out), 1, 16);
	replicated(CALL(__NR_getcwd, out, 100), 12, 12);
}

static void outputs_on_error(void **state)
{
	uint64_t out = AT(0x10000);

	(void)state;
	replicated(CALL(__NR_read, 3, out, 1000), -EIO, 0);
	replicated(CALL(__NR_fstat, 3, out), -EBADF, 0);
	replicated(CALL(__NR_poll, out, 3, 0), -EINTR, 0);
	replicated(CALL(__NR_nanosleep, AT(0x1000), out), -EINTR, 16);
	replicated(CALL(__NR_capget, out, 0), -EINVAL, 8);
}

static uint32_t length_before;

static void fill_length(struct sim *s)
{
	sim_put(s, 0x1000, &length_before, 4);
}

static int64_t write_name(struct sim *s, unsigned variant, const struct mv_step *step)
{
	(void)step;
	if (!variant) {
		memset(sim_mem(s, 0, 0x10000), 0xaa, 0x100);
		*(uint32_t *)sim_mem(s, 0, 0x1000) = 16;
	}
	return s->result;
}

static void value_result(void **state)
{
	static const struct { uint32_t before; uint64_t len; } cases[] = { { 0, 0 }, { 4, 4 }, { 16, 16 }, { 128, 16 } };

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sim *s = sim_new(NULL);
		const uint8_t *got = sim_mem(s, 1, 0x10000);

		length_before = cases[i].before;
		fill_length(s);
		s->kernel = write_name;
		assert_true(sim_all(s, CALL(__NR_getsockname, 3, AT(0x10000), AT(0x1000))));
		for (unsigned b = 0; b < 200; b++)
			assert_int_equal(got[b], b < cases[i].len ? 0xaa : 0);
		assert_int_equal(*(uint32_t *)sim_mem(s, 1, 0x1000), 16);
		sim_free(s);
	}
	/* The length that goes in is compared; a null address asks for nothing. */
	assert_false(agree_flipped(fill_nothing, CALL(__NR_getsockname, 3, AT(0x10000), AT(0x1000)), 0x1000));
	assert_true(agree_flipped(fill_nothing, CALL(__NR_recvfrom, 3, AT(0x10000), 5, 0, 0, AT(0x1000)), 0x1000));
}

static int64_t write_vector(struct sim *s, unsigned variant, const struct mv_step *step)
{
	(void)step;
	if (!variant) {
		memset(sim_mem(s, 0, 0x2000), 'a', 0x100);
		memset(sim_mem(s, 0, 0x3000), 'b', 0x100);
		memset(sim_mem(s, 0, 0x4ff0), 'c', 0x100);
	}
	return s->result;
}

static unsigned count(struct sim *s, uint64_t at, char c)
{
	const char *p = sim_mem(s, 1, at);
	unsigned n = 0;

	while (p[n] == c)
		n++;
	assert_int_equal(p[n], 0);
	return n;
}

static void scattered_vector(void **state)
{
	static const struct { int64_t result; unsigned a, c; } cases[] = { { 0, 0, 0 }, { 3, 3, 0 }, { 5, 5, 0 }, { 12, 5, 7 },
		{ 37, 5, 32 }, { -EIO, 0, 0 } };

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sim *s = sim_new(NULL);

		fill_iov(s);
		s->kernel = write_vector;
		s->result = cases[i].result;
		assert_true(sim_all(s, CALL(__NR_readv, 0, AT(0x100), 3)));
		sim_expect_done(&s->step[1], cases[i].result);
		assert_int_equal(count(s, 0x2000, 'a'), cases[i].a);
		assert_int_equal(count(s, 0x3000, 'b'), 0);
		assert_int_equal(count(s, 0x4ff0, 'c'), cases[i].c);
		sim_free(s);
	}
}

static int64_t write_message(struct sim *s, unsigned variant, const struct mv_step *step)
{
	struct message *m = sim_mem(s, variant, 0x100);

	(void)step;
	if (variant)
		return s->result;
	memset(sim_mem(s, 0, 0x1000), 'n', 0x100);
	memset(sim_mem(s, 0, 0x2000), 'a', 0x100);
	memset(sim_mem(s, 0, 0x3000), 'b', 0x100);
	memset(sim_mem(s, 0, 0x4000), 'k', 0x100);
	m->namelen = 4;
	m->controllen = 3;
	m->flags = 0x20;
	return s->result;
}

static void scattered_message(void **state)
{
	struct sim *s = sim_new(NULL);
	const struct message *m = sim_mem(s, 1, 0x100);

	(void)state;
	put_message(s, 0x100);
	s->kernel = write_message;
	s->result = 13;
	assert_true(sim_all(s, CALL(__NR_recvmsg, 3, AT(0x100), 0)));
	assert_int_equal(count(s, 0x1000, 'n'), 4);
	assert_int_equal(count(s, 0x2000, 'a'), 10);
	assert_int_equal(count(s, 0x3000, 'b'), 3);
	assert_int_equal(count(s, 0x4000, 'k'), 3);
	assert_int_equal(m->namelen, 4);
	assert_int_equal(m->controllen, 3);
	assert_int_equal(m->flags, 0x20);
	assert_int_equal(m->name, sim_addr(1, 0x1000));		/* its own pointers */
	assert_int_equal(m->control, sim_addr(1, 0x4000));
	sim_free(s);
}

static int64_t write_messages(struct sim *s, unsigned variant, const struct mv_step *step)
{
	(void)step;
	if (!variant) {
		*(uint32_t *)sim_mem(s, 0, 0x100 + 56) = 12;
		*(uint32_t *)sim_mem(s, 0, 0x140 + 56) = 99;	/* stale: only one message came */
		memset(sim_mem(s, 0, 0x1800), 'n', 0x10);
	}
	return write_message(s, variant, step);
}

static void scattered_messages(void **state)
{
	struct sim *s = sim_new(NULL);

	(void)state;
	put_message(s, 0x100);
	put_message(s, 0x140);
	sim_put_pointer(s, 0x140, 0x1800);
	s->kernel = write_messages;
	s->result = 1;
	assert_true(sim_all(s, CALL(__NR_recvmmsg, 3, AT(0x100), 2, 0, 0)));
	assert_int_equal(count(s, 0x2000, 'a'), 10);
	assert_int_equal(count(s, 0x3000, 'b'), 2);
	assert_int_equal(count(s, 0x1800, 'n'), 0);
	assert_int_equal(*(uint32_t *)sim_mem(s, 1, 0x100 + 56), 12);
	assert_int_equal(*(uint32_t *)sim_mem(s, 1, 0x140 + 56), 0);
	sim_free(s);
}

/* A request without a row of its own: direction and size are in its number. */
static void ioctl_by_number(void **state)
{
	uint64_t in = 0x40000000 | 12 << 16 | 'z' << 8 | 1, out = 0x80000000 | 12 << 16 | 'z' << 8 | 1;

	(void)state;
	compared(fill_nothing, CALL(__NR_ioctl, 3, in, AT(0x1000)), 0x1000, 12);
	compared(fill_nothing, CALL(__NR_ioctl, 3, out, AT(0x1000)), 0x1000, 0);
	replicated(CALL(__NR_ioctl, 3, out, AT(0x10000)), 0, 12);
	replicated(CALL(__NR_ioctl, 3, in, AT(0x10000)), 0, 0);
	replicated(CALL(__NR_ioctl, 3, out, AT(0x10000)), -ENOTTY, 0);
	compared(fill_nothing, CALL(__NR_ioctl, 3, 0x5414, AT(0x1000)), 0x1000, 8);	/* TIOCSWINSZ has a row */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_lengths),
		cmocka_unit_test(outputs_on_error),
		cmocka_unit_test(value_result),
		cmocka_unit_test(scattered_vector),
		cmocka_unit_test(scattered_message),
		cmocka_unit_test(scattered_messages),
		cmocka_unit_test(ioctl_by_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
