/*
 * What is compared and what is copied: every length rule, vectors, messages, addresses, strings, sets, structs, faults.
 * Each test lets two variants make the same call with memory that differs in one place.
 */
#include "engine_sim.h"
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- inputs ---- */

typedef void (*filler)(struct sim *s);

static void nothing(struct sim *s)
{
	(void)s;
}

/* Do the variants agree about a call when byte number at differs? */
static bool agree_flipped(filler fill, struct mv_call call, uint64_t at)
{
	struct sim *s = sim_new(NULL);
	bool agreed;

	fill(s);
	*(uint8_t *)sim_mem(s, 1, at) ^= 0x41;
	agreed = sim_all(s, call);
	if (!agreed)
		assert_int_equal(mv_run_verdict(s->run)->kind, MV_VERDICT_DIVERGENCE);
	sim_free(s);
	return agreed;
}

/* Exactly the bytes [at, at + len) count. */
static void compared(filler fill, struct mv_call call, uint64_t at, uint64_t len)
{
	assert_true(agree_flipped(fill, call, SIM_SIZE - 1));
	assert_true(agree_flipped(fill, call, at - 1));
	if (len) {
		assert_false(agree_flipped(fill, call, at));
		assert_false(agree_flipped(fill, call, at + len / 2));
		assert_false(agree_flipped(fill, call, at + len - 1));
	}
	assert_true(agree_flipped(fill, call, at + len));
}

static void input_lengths(void **state)
{
	(void)state;
	compared(nothing, CALL(__NR_capset, AT(64), AT(0x1000)), 0x1000, 24);		/* constant */
	compared(nothing, CALL(__NR_write, 1, AT(0x1000), 0), 0x1000, 0);		/* argument */
	compared(nothing, CALL(__NR_write, 1, AT(0x1000), 1), 0x1000, 1);
	compared(nothing, CALL(__NR_write, 1, AT(0x1000), 4096), 0x1000, 4096);
	compared(nothing, CALL(__NR_write, 1, AT(0x1001), 4097), 0x1001, 4097);
	compared(nothing, CALL(__NR_write, 1, AT(0x1000), 100000), 0x1000, 100000);	/* by hash */
	compared(nothing, CALL(__NR_write, 1, AT(0x1000), 3 << 20), 0x1000, 3 << 20);
	compared(nothing, CALL(__NR_setgroups, 3, AT(0x1000)), 0x1000, 12);		/* argument times */
	compared(nothing, CALL(__NR_msgsnd, 1, AT(0x1000), 5, 0), 0x1000, 13);		/* argument plus */
	compared(nothing, CALL(__NR_set_mempolicy, 1, AT(0x1000), 0), 0x1000, 0);	/* bits, of which one is lost */
	compared(nothing, CALL(__NR_set_mempolicy, 1, AT(0x1000), 1), 0x1000, 0);
	compared(nothing, CALL(__NR_set_mempolicy, 1, AT(0x1000), 2), 0x1000, 8);
	compared(nothing, CALL(__NR_set_mempolicy, 1, AT(0x1000), 65), 0x1000, 8);
	compared(nothing, CALL(__NR_set_mempolicy, 1, AT(0x1000), 66), 0x1000, 16);
}

static void signal_sets(void **state)
{
	(void)state;
	compared(nothing, CALL(__NR_rt_sigprocmask, 0, AT(0x1000), 0, 8), 0x1000, 8);
	compared(nothing, CALL(__NR_rt_sigprocmask, 0, AT(0x1000), 0, 128), 0x1000, 8);	/* libc's is longer */
	compared(nothing, CALL(__NR_rt_sigprocmask, 0, AT(0x1000), 0, 4), 0x1000, 4);
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
			compared(nothing, call, 0x1000, sizes[i].bytes);
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
	assert_false(agree_flipped(nothing, call, 0x1000 + 4999 * 8 + 5));
	assert_true(agree_flipped(nothing, call, 0x1000 + 5000 * 8));
}

/* ---- structs ---- */

static void padding(void **state)
{
	struct mv_call lock = CALL(__NR_fcntl, 3, 6, AT(0x1000));	/* F_SETLK */

	(void)state;
	for (unsigned i = 0; i < 40; i++) {	/* struct flock: 2 + 2, hole of 4, 8 + 8, pid */
		bool counts = i < 4 || (i >= 8 && i < 24);

		assert_int_equal(agree_flipped(nothing, lock, 0x1000 + i), !counts);
	}
	for (unsigned i = 0; i < 32; i++) {	/* struct stack_t: pointer, flags, hole, size */
		bool counts = (i >= 8 && i < 12) || (i >= 16 && i < 24);

		assert_int_equal(agree_flipped(nothing, CALL(__NR_sigaltstack, AT(0x1000), 0), 0x1000 + i), !counts);
	}
	for (unsigned i = 0; i < 16; i++)	/* struct epoll_event: the data is the program's own */
		assert_int_equal(agree_flipped(nothing, CALL(__NR_epoll_ctl, 3, 1, 4, AT(0x1000)), 0x1000 + i), i >= 4);
	for (unsigned i = 0; i < 14; i++)	/* two of struct sembuf */
		assert_int_equal(agree_flipped(nothing, CALL(__NR_semop, 0, AT(0x1000), 2), 0x1000 + i), i >= 12);
	/* EPOLL_CTL_DEL does not read its event. */
	assert_true(agree_flipped(nothing, CALL(__NR_epoll_ctl, 3, 2, 4, AT(0x1000)), 0x1000));
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
		assert_int_equal(agree_flipped(nothing, CALL(__NR_rt_sigaction, 10, AT(0x1000), 0, 8), 0x1000 + i),
				 (i >= 16 && i < 24) || i >= 32);
}

/* ---- vectors ---- */

static void put_iov(struct sim *s, uint64_t at, uint64_t base, uint64_t len)
{
	sim_put_pointer(s, at, base);
	sim_put64(s, at + 8, len);
}

static void fill_iov(struct sim *s)
{
	put_iov(s, 0x100, 0x2000, 5);
	put_iov(s, 0x110, 0x3000, 0);
	put_iov(s, 0x120, 0x4ff0, 0x20);	/* across a page */
}

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

/* ---- messages ---- */

struct message {
	uint64_t name;
	uint32_t namelen, pad0;
	uint64_t iov, iovlen, control, controllen;
	uint32_t flags, pad1;
};

/* A message at 0x100: name of 8 at 0x1000, a vector of 2 at 0x200 (0x2000, 0x3000), control data of 56 at 0x4000. */
static void put_message(struct sim *s, uint64_t at)
{
	uint32_t namelen = 8;

	sim_put_pointer(s, at, 0x1000);
	sim_put(s, at + 8, &namelen, 4);
	sim_put_pointer(s, at + 16, 0x200);
	sim_put64(s, at + 24, 2);
	sim_put_pointer(s, at + 32, 0x4000);
	sim_put64(s, at + 40, 56);
	put_iov(s, 0x200, 0x2000, 10);
	put_iov(s, 0x210, 0x3000, 10);
}

static void put_cmsg(struct sim *s, uint64_t at, uint64_t len, int32_t level, int32_t type)
{
	sim_put64(s, at, len);
	sim_put(s, at + 8, &level, 4);
	sim_put(s, at + 12, &type, 4);
}

static void fill_message(struct sim *s)
{
	put_message(s, 0x100);
	put_cmsg(s, 0x4000, 16 + 4, 1, 1);	/* 20 bytes, padding to 24 */
	put_cmsg(s, 0x4018, 16 + 12, 0, 8);	/* 28 bytes, padding to 32 */
}

static void messages(void **state)
{
	struct mv_call call = CALL(__NR_sendmsg, 3, AT(0x100), 0);

	(void)state;
	compared(fill_message, call, 0x1000, 8);
	compared(fill_message, call, 0x2000, 10);
	compared(fill_message, call, 0x3000, 10);
	for (unsigned i = 0; i < 64; i++) {
		/* Control messages count, what is between and behind them does not. */
		bool counts = i < 20 || (i >= 24 && i < 24 + 28);

		if (agree_flipped(fill_message, call, 0x4000 + i) == counts)
			fail_msg("byte %u of the control data", i);
	}
	assert_false(agree_flipped(fill_message, call, 0x100 + 8));	/* namelen */
	assert_true(agree_flipped(fill_message, call, 0x100 + 12));	/* padding */
	assert_false(agree_flipped(fill_message, call, 0x100 + 40));	/* controllen */
	assert_true(agree_flipped(fill_message, call, 0x100 + 48));	/* msg_flags is an output */
	assert_true(agree_flipped(fill_message, call, 0x100 + 52));
}

static void messages_to_receive(void **state)
{
	struct mv_call call = CALL(__NR_recvmsg, 3, AT(0x100), 0);

	(void)state;
	for (uint64_t at = 0x1000; at <= 0x4000; at += 0x1000)
		compared(fill_message, call, at, 0);
	assert_false(agree_flipped(fill_message, call, 0x100 + 8));
	assert_false(agree_flipped(fill_message, call, 0x208));
	assert_false(agree_flipped(fill_message, call, 0x100 + 40));
}

static void fill_broken_control(struct sim *s)
{
	put_message(s, 0x100);
	put_cmsg(s, 0x4000, 1000, 1, 1);	/* longer than all of it: EINVAL for everybody */
}

static void fill_short_control(struct sim *s)
{
	put_message(s, 0x100);
	put_cmsg(s, 0x4000, 3, 1, 1);		/* shorter than its own head */
}

static void broken_control(void **state)
{
	struct mv_call call = CALL(__NR_sendmsg, 3, AT(0x100), 0);

	(void)state;
	compared(fill_broken_control, call, 0x4000, 16);
	compared(fill_short_control, call, 0x4000, 16);
}

static void fill_messages(struct sim *s)
{
	fill_message(s);
	sim_put(s, 0x140, sim_mem(s, 0, 0x100), 56);
	put_message(s, 0x140);
	sim_put_pointer(s, 0x140, 0x1800);	/* the second one has another name */
}

static void many_messages(void **state)
{
	(void)state;
	compared(fill_messages, CALL(__NR_sendmmsg, 3, AT(0x100), 2, 0), 0x1800, 8);
	compared(fill_messages, CALL(__NR_sendmmsg, 3, AT(0x100), 1, 0), 0x1800, 0);
	compared(fill_messages, CALL(__NR_recvmmsg, 3, AT(0x100), 2, 0, 0), 0x1800, 0);
	assert_false(agree_flipped(fill_messages, CALL(__NR_recvmmsg, 3, AT(0x100), 2, 0, 0), 0x140 + 8));
	assert_true(agree_flipped(fill_messages, CALL(__NR_recvmmsg, 3, AT(0x100), 1, 0, 0), 0x140 + 8));
}

/* ---- addresses ---- */

static void fill_unix(struct sim *s)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "/run/x" };

	sim_put(s, 0x1000, &sa, sizeof(sa));
}

static void fill_abstract(struct sim *s)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "\0ab\0cd" };

	sim_put(s, 0x1000, &sa, sizeof(sa));
}

static void fill_inet(struct sim *s)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = 80, .sin_addr.s_addr = 0x100007f };

	sim_put(s, 0x1000, &sa, sizeof(sa));
}

static void fill_inet6(struct sim *s)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = 80 };

	sim_put(s, 0x1000, &sa, sizeof(sa));
}

static void socket_addresses(void **state)
{
	uint64_t at = AT(0x1000);

	(void)state;
	compared(fill_unix, CALL(__NR_connect, 3, at, sizeof(struct sockaddr_un)), 0x1000, 2 + 7);
	compared(fill_unix, CALL(__NR_connect, 3, at, 2 + 4), 0x1000, 2 + 4);		/* no NUL in it */
	compared(fill_unix, CALL(__NR_bind, 3, at, 2), 0x1000, 2);
	compared(fill_abstract, CALL(__NR_connect, 3, at, 2 + 6), 0x1000, 2 + 6);	/* NULs belong to the name */
	compared(fill_abstract, CALL(__NR_connect, 3, at, 2 + 20), 0x1000, 2 + 20);
	compared(fill_inet, CALL(__NR_connect, 3, at, sizeof(struct sockaddr_in)), 0x1000, 8);
	compared(fill_inet, CALL(__NR_connect, 3, at, 4), 0x1000, 4);
	compared(fill_inet6, CALL(__NR_connect, 3, at, sizeof(struct sockaddr_in6)), 0x1000, 28);
	compared(nothing, CALL(__NR_connect, 3, at, 16), 0x1000, 16);
	/* Lengths for which the kernel does not look at the address. */
	compared(nothing, CALL(__NR_connect, 3, at, 0), 0x1000, 0);
	compared(nothing, CALL(__NR_connect, 3, at, 129), 0x1000, 0);
	compared(nothing, CALL(__NR_connect, 3, at, 0xffffffff), 0x1000, 0);
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
	compared(nothing, CALL(__NR_unlink, AT(0x1000)), 0x1000, 1);	/* the empty one */
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
		{ nothing, { __NR_write, { 1, AT(0x8000), 5 } }, 8 },
		{ nothing, { __NR_write, { 1, AT(0x7ffe), 5 } }, 8 },
		{ nothing, { __NR_write, { 1, AT(0x1000), 100000 } }, 8 },
		{ nothing, { __NR_unlink, { AT(0x8000) } }, 8 },
		{ fill_string_across, { __NR_unlink, { AT(0x1000 + SIM_PAGE - 2) } }, 2 },
		{ fill_iov, { __NR_writev, { 1, AT(0x100), 3 } }, 0 },
		{ fill_iov, { __NR_writev, { 1, AT(0x100), 3 } }, 5 },
		{ fill_message, { __NR_sendmsg, { 3, AT(0x100), 0 } }, 0 },
		{ fill_message, { __NR_sendmsg, { 3, AT(0x100), 0 } }, 1 },
		{ fill_message, { __NR_sendmsg, { 3, AT(0x100), 0 } }, 3 },
		{ fill_message, { __NR_sendmsg, { 3, AT(0x100), 0 } }, 4 },
		{ fill_messages, { __NR_sendmmsg, { 3, AT(0x100), 2, 0 } }, 3 },
		{ fill_unix, { __NR_connect, { 3, AT(0x1000), 110 } }, 1 },
		{ nothing, { __NR_poll, { AT(0x7ff8), 2, 0 } }, 8 },
		{ nothing, { __NR_select, { 64, AT(0x8000) } }, 8 },
		{ nothing, { __NR_rt_sigprocmask, { 0, AT(0x8000), 0, 8 } }, 8 },
		{ nothing, { __NR_fcntl, { 3, 6, AT(0x8000) } }, 8 },
		{ nothing, { __NR_pselect6, { 0, 0, 0, 0, 0, AT(0x8000) } }, 8 },
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

/* ---- outputs ---- */

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
	replicated_from(nothing, call, result, len);
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
	assert_false(agree_flipped(nothing, CALL(__NR_getsockname, 3, AT(0x10000), AT(0x1000)), 0x1000));
	assert_true(agree_flipped(nothing, CALL(__NR_recvfrom, 3, AT(0x10000), 5, 0, 0, AT(0x1000)), 0x1000));
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
	compared(nothing, CALL(__NR_ioctl, 3, in, AT(0x1000)), 0x1000, 12);
	compared(nothing, CALL(__NR_ioctl, 3, out, AT(0x1000)), 0x1000, 0);
	replicated(CALL(__NR_ioctl, 3, out, AT(0x10000)), 0, 12);
	replicated(CALL(__NR_ioctl, 3, in, AT(0x10000)), 0, 0);
	replicated(CALL(__NR_ioctl, 3, out, AT(0x10000)), -ENOTTY, 0);
	compared(nothing, CALL(__NR_ioctl, 3, 0x5414, AT(0x1000)), 0x1000, 8);	/* TIOCSWINSZ has a row */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(input_lengths),
		cmocka_unit_test(signal_sets),
		cmocka_unit_test(pselect_mask),
		cmocka_unit_test(descriptor_sets),
		cmocka_unit_test(poll_entries),
		cmocka_unit_test(padding),
		cmocka_unit_test(handlers),
		cmocka_unit_test(vectors),
		cmocka_unit_test(division_of_vectors),
		cmocka_unit_test(messages),
		cmocka_unit_test(messages_to_receive),
		cmocka_unit_test(broken_control),
		cmocka_unit_test(many_messages),
		cmocka_unit_test(socket_addresses),
		cmocka_unit_test(strings),
		cmocka_unit_test(vectors_of_strings),
		cmocka_unit_test(strings_do_not_run_together),
		cmocka_unit_test(faults),
		cmocka_unit_test(output_lengths),
		cmocka_unit_test(outputs_on_error),
		cmocka_unit_test(value_result),
		cmocka_unit_test(scattered_vector),
		cmocka_unit_test(scattered_message),
		cmocka_unit_test(scattered_messages),
		cmocka_unit_test(ioctl_by_number),
		cmocka_unit_test(inputs_in_the_smallest_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
