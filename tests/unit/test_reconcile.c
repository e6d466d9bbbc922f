/* What may differ between variants by its nature and is put right: names of temporary files, looks at the clock. */
#include "engine_sim.h"
#include <errno.h>
#include <fcntl.h>

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
	sim_leads(s, CALL(__NR_getpid), 1);
	step = sim_enter(s->t[1], look);
	sim_expect_run(&step, __NR_clock_gettime);
	step = sim_exit(s->t[1], 0);
	sim_expect_done(&step, 0);
	sim_follows(s, CALL(__NR_getpid), 1);
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
	sim_leads(s, CALL(__NR_getuid), 2);
	step = sim_retry(s->t[1]);
	sim_expect_done(&step, 2);
	assert_int_equal(time[0], 1);
	/* The follower looks once more: it sees the clock as it last saw it. */
	sim_leads(s, CALL(__NR_getpid), 3);
	memset(sim_mem(s, 1, OUT), 0, 16);
	step = sim_enter(s->t[1], look);
	sim_expect_done(&step, 0);
	assert_int_equal(time[0], 1);
	assert_int_equal(time[1], 5);
	sim_follows(s, CALL(__NR_getpid), 3);
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

static void leader_looks(struct sim *s, struct mv_call call)
{
	struct mv_step step = sim_enter(s->t[0], call);

	sim_expect_run(&step, call.nr);
	step = sim_exit(s->t[0], write_time(s, 0, &step));
	sim_expect_done(&step, 0);
}

/* Which look is the one too many?  That at the coarse clock, whoever takes it. */
static void two_clocks(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_call coarse = CALL(__NR_clock_gettime, 6, AT(OUT)), exact = CALL(__NR_clock_gettime, 1, AT(OUT));
	const uint64_t *time = sim_mem(s, 1, OUT);
	struct mv_step step;

	(void)state;
	s->kernel = write_time;
	assert_true(sim_all(s, coarse));
	assert_true(sim_all(s, exact));
	assert_int_equal(time[0], 2);
	/* The follower's: answered at once, and the leader's exact look is not lost. */
	leader_looks(s, exact);
	step = sim_enter(s->t[1], coarse);
	sim_expect_done(&step, 0);
	assert_int_equal(time[0], 1);
	step = sim_enter(s->t[1], exact);
	sim_expect_done(&step, 0);
	assert_int_equal(time[0], 3);
	/* The leader's. */
	leader_looks(s, coarse);
	leader_looks(s, exact);
	step = sim_enter(s->t[1], exact);
	sim_expect_done(&step, 0);
	assert_int_equal(time[0], 5);
	/* Where there is only one, it is the exact one. */
	leader_looks(s, exact);
	sim_leads(s, CALL(__NR_getuid), 2);
	sim_follows(s, CALL(__NR_getuid), 2);
	sim_leads(s, CALL(__NR_getpid), 3);
	step = sim_enter(s->t[1], exact);
	sim_expect_done(&step, 0);
	assert_int_equal(time[0], 5);
	sim_follows(s, CALL(__NR_getpid), 3);
	sim_expect_peace(s);
	sim_free(s);
}

/* Where rdtsc cannot be trapped, a look is seen only in those variants in which it could be rewritten. */
static void unseen_counter(void **state)
{
	struct sim *s = sim_new(NULL);
	struct mv_call look = { .nr = MV_PSEUDO_RDTSC };
	struct mv_step step;

	(void)state;
	sim_leads(s, look, 1);
	sim_leads(s, CALL(__NR_getuid), 2);
	sim_follows(s, CALL(__NR_getuid), 2);
	sim_leads(s, CALL(__NR_getpid), 3);
	step = sim_enter(s->t[1], look);
	sim_expect_run(&step, MV_PSEUDO_RDTSC);
	step = sim_exit(s->t[1], 4);
	sim_expect_done(&step, 4);
	sim_follows(s, CALL(__NR_getpid), 3);
	sim_leads(s, look, 5);
	sim_follows(s, look, 5);
	sim_expect_peace(s);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(temporary_names),
		cmocka_unit_test(looks_at_the_clock),
		cmocka_unit_test(two_clocks),
		cmocka_unit_test(unseen_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
