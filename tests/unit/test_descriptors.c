/* Descriptors in followers: placeholders, files of their own, epoll sets. */
#include "engine_sim.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#define INHERITED 2000	/* the simulator's followers have one placeholder at the beginning */

static void expect_copy(const struct mv_step *step, int from, int to, uint64_t flags)
{
	sim_expect_run(step, __NR_fcntl);
	assert_int_equal(step->call.args[0], from);
	assert_int_equal(step->call.args[1], flags ? F_DUPFD_CLOEXEC : F_DUPFD);
	assert_int_equal(step->call.args[2], to);
}

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
		sim_leads(s, call, 9);
		step = sim_enter(s->t[1], call);
		expect_copy(&step, INHERITED, 9, flags);
		if (i & 1) {		/* that number is taken */
			step = sim_exit(s->t[1], 10);
			sim_expect_run(&step, __NR_dup3);
			assert_int_equal(step.call.args[0], 10);
			assert_int_equal(step.call.args[1], 9);
			assert_int_equal(step.call.args[2], flags);
			step = sim_exit(s->t[1], 9);
			sim_expect_run(&step, __NR_close);
			assert_int_equal(step.call.args[0], 10);
			step = sim_exit(s->t[1], 0);
		} else {
			step = sim_exit(s->t[1], 9);
		}
		sim_expect_done(&step, 9);
		sim_leads(s, call, -ENOENT);
		sim_follows(s, call, -ENOENT);
		sim_free(s);
	}
}

static void no_placeholder(void **state)
{
	struct sim *s = sim_new(NULL);
	const struct mv_verdict *v;
	struct mv_step step;

	(void)state;
	sim_leads(s, CALL(__NR_accept, 3, 0, 0), 9);
	step = sim_enter(s->t[1], CALL(__NR_accept, 3, 0, 0));
	expect_copy(&step, INHERITED, 9, 0);
	step = sim_exit(s->t[1], -EMFILE);
	sim_expect_run(&step, __NR_eventfd2);
	step = sim_exit(s->t[1], -EMFILE);
	sim_expect(&step, MV_STOP);
	v = sim_expect_difference(s, MV_DIFF_RESULT, 1);
	assert_int_equal(v->leader_value, 9);
	assert_int_equal(v->variant_value, (uint64_t)-EMFILE);
	sim_free(s);
}

/* The program has closed the one that would be copied, which the table does not know. */
static void closed_placeholder(void **state)
{
	static const uint64_t flags[] = { 0, O_CLOEXEC };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct mv_call call = CALL(__NR_accept4, 3, 0, 0, flags[i]);
		struct sim *s = sim_new(NULL);
		struct mv_step step;

		sim_leads(s, call, 9);
		step = sim_enter(s->t[1], call);
		expect_copy(&step, INHERITED, 9, flags[i]);
		step = sim_exit(s->t[1], -EBADF);
		sim_expect_run(&step, __NR_eventfd2);
		assert_int_equal(step.call.args[1], flags[i]);
		step = sim_exit(s->t[1], 6);	/* another number was free here */
		sim_expect_run(&step, __NR_dup3);
		assert_int_equal(step.call.args[0], 6);
		assert_int_equal(step.call.args[1], 9);
		assert_int_equal(step.call.args[2], flags[i]);
		step = sim_exit(s->t[1], 9);
		sim_expect_run(&step, __NR_close);
		step = sim_exit(s->t[1], 0);
		sim_expect_done(&step, 9);
		sim_leads(s, call, 10);
		step = sim_enter(s->t[1], call);
		expect_copy(&step, 9, 10, flags[i]);
		step = sim_exit(s->t[1], 10);
		sim_expect_done(&step, 10);
		sim_free(s);
	}
}

/* The leader's open file, which has come for mmap, is none: a copy would keep it open. */
static void imported_file(void **state)
{
	struct mv_call map = CALL(__NR_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, 9, 0);
	struct mv_call open = CALL(__NR_openat, AT_FDCWD, AT(0x100), 0);
	struct sim *s = sim_new(NULL);
	struct mv_step step;

	(void)state;
	sim_put(s, 0x100, "/etc/x", 7);
	sim_leads(s, open, 9);
	step = sim_enter(s->t[1], open);
	expect_copy(&step, INHERITED, 9, 0);
	step = sim_exit(s->t[1], 9);
	sim_leads(s, map, 0x7000);
	step = sim_enter(s->t[1], map);
	sim_expect_run(&step, __NR_fcntl);
	assert_int_equal(step.call.args[0], 9);
	assert_int_equal(step.call.args[1], F_GETFD);
	step = sim_exit(s->t[1], FD_CLOEXEC);
	sim_expect(&step, MV_IMPORT);
	assert_true(step.cloexec);
	step = sim_exit(s->t[1], 9);
	sim_expect_run(&step, __NR_mmap);
	step = sim_exit(s->t[1], 0x7000);
	sim_expect_done(&step, 0x7000);
	sim_leads(s, open, 10);
	step = sim_enter(s->t[1], open);
	expect_copy(&step, INHERITED, 10, 0);
	step = sim_exit(s->t[1], 10);
	sim_expect_done(&step, 10);
	sim_free(s);
}

static void expect_moved(struct sim *s, struct mv_step *step, int from, int to, int flags)
{
	sim_expect_run(step, __NR_fcntl);
	assert_int_equal(step->call.args[0], from);
	assert_int_equal(step->call.args[1], F_GETFD);
	*step = sim_exit(s->t[1], flags ? FD_CLOEXEC : 0);
	sim_expect_run(step, __NR_dup3);
	assert_int_equal(step->call.args[0], from);
	assert_int_equal(step->call.args[1], to);
	assert_int_equal(step->call.args[2], flags);
	*step = sim_exit(s->t[1], to);
	sim_expect_run(step, __NR_close);
	assert_int_equal(step->call.args[0], from);
	*step = sim_exit(s->t[1], 0);
}

/* Another thread of the leader is in an open, which has a number already. */
static void higher_numbers(void **state)
{
	static const struct mv_call calls[] = {
		{ __NR_socket, { 1, 1, 0 } }, { __NR_dup, { 0 } }, { __NR_epoll_create1, { 0 } }, { __NR_memfd_create, { AT(0x100), 0 } },
		{ __NR_fcntl, { 0, F_DUPFD_CLOEXEC, 3 } },
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(calls) / sizeof(*calls); i++) {
		struct sim *s = sim_new(NULL);
		struct mv_call call = calls[i / 2];
		struct mv_step step;

		sim_leads(s, call, 7);
		step = sim_enter(s->t[1], call);
		sim_expect_run(&step, call.nr);
		step = sim_exit(s->t[1], 5);
		expect_moved(s, &step, 5, 7, i & 1 ? O_CLOEXEC : 0);
		sim_expect_done(&step, 7);
		sim_free(s);
	}
}

/* Never the other way round: the follower would have something open that the leader has not. */
static void lower_number(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_step step;

	(void)state;
	sim_leads(s, CALL(__NR_dup, 0), 5);
	step = sim_enter(s->t[1], CALL(__NR_dup, 0));
	sim_expect_run(&step, __NR_dup);
	step = sim_exit(s->t[1], 7);
	sim_expect(&step, MV_STOP);
	sim_expect_difference(s, MV_DIFF_RESULT, 1);
	sim_free(s);
}

static void put_pair(struct sim *s, unsigned variant, int first, int second)
{
	memcpy(sim_mem(s, variant, OUT), (int[]){ first, second }, 8);
}

static void pairs(void **state)
{
	static const struct { int want[2], own[2], moves[4]; } cases[] = {
		{ { 7, 8 }, { 7, 8 }, { 0 } },
		{ { 7, 9 }, { 7, 8 }, { 8, 9 } },
		{ { 8, 9 }, { 7, 8 }, { 8, 9, 7, 8 } },
		{ { 8, 9 }, { 7, 9 }, { 7, 8 } },
		{ { 9, 8 }, { 7, 8 }, { 8, 9, 7, 8 } },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mv_call call = CALL(__NR_pipe, AT(OUT));
		struct sim *s = sim_new(NULL);
		struct mv_step step = sim_enter(s->t[0], call);

		sim_expect_run(&step, __NR_pipe);
		put_pair(s, 0, cases[i].want[0], cases[i].want[1]);
		step = sim_exit(s->t[0], 0);
		sim_expect_done(&step, 0);
		step = sim_enter(s->t[1], call);
		sim_expect_run(&step, __NR_pipe);
		put_pair(s, 1, cases[i].own[0], cases[i].own[1]);
		step = sim_exit(s->t[1], 0);
		for (const int *m = cases[i].moves; m < cases[i].moves + 4 && *m; m += 2)
			expect_moved(s, &step, m[0], m[1], 0);
		sim_expect_done(&step, 0);
		assert_memory_equal(sim_mem(s, 1, OUT), cases[i].want, 8);
		sim_free(s);
	}
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
		expect_copy(&step, INHERITED, fd, O_CLOEXEC);
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
	sim_leads(s, CALL(__NR_openat, AT_FDCWD, AT(0x100), O_CLOEXEC), 4);
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
	sim_leads(s, CALL(__NR_openat, AT_FDCWD, AT(0x300), 0), 5);
	step = sim_enter(s->t[1], CALL(__NR_openat, AT_FDCWD, AT(0x300), 0));
	expect_copy(&step, INHERITED, 5, 0);	/* another process */
	assert_null(mv_proc_file(1));
	assert_null(mv_proc_file(MV_HANDLE_PROC + 100));
	sim_free(s);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(placeholders),
		cmocka_unit_test(no_placeholder),
		cmocka_unit_test(closed_placeholder),
		cmocka_unit_test(imported_file),
		cmocka_unit_test(higher_numbers),
		cmocka_unit_test(lower_number),
		cmocka_unit_test(pairs),
		cmocka_unit_test(received_descriptors),
		cmocka_unit_test(own_files),
		cmocka_unit_test(epoll),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
