/* What libmvsync asks of the engine, and which calls are outside of the stream where threads run at once. */
#include "engine_sim.h"
#include <errno.h>
#include <mvsync/mvsync.h>
#include "engine/internal.h"
#include "engine/mm.h"

#define AREA 0x100000		/* offset of a mapping in each variant's memory */
#define AREA_SIZE 0x10000
#define PROT_RW 3
#define MAP_PRIVATE_ANONYMOUS 0x22

static struct sim *new_sim(bool parallel)
{
	struct sim_options o = sim_defaults;
	struct sim *s;

	o.no_threads = true;
	s = sim_new(&o);
	s->config.parallel = parallel;
	sim_start(s);
	return s;
}

static int64_t ask(struct sim *s, uint64_t what, uint64_t at)
{
	assert_true(sim_all(s, CALL(__NR_prctl, MVSYNC_PRCTL, what, at)));
	assert_int_equal(s->step[0].result, s->step[1].result);
	assert_int_equal(s->runs[0] + s->runs[1], 0);
	return s->step[0].result;
}

static void settings(void **state)
{
	struct sim *s = new_sim(true);
	struct mvsync_settings *l = sim_mem(s, 0, OUT), *f = sim_mem(s, 1, OUT);

	(void)state;
	assert_int_equal(ask(s, MVSYNC_SETTINGS, AT(OUT)), 0);
	assert_int_equal(l->variant, 0);
	assert_int_equal(f->variant, 1);
	assert_int_equal(l->variants, 2);
	assert_int_equal(l->flags, MVSYNC_HIDE);
	assert_int_equal(ask(s, MVSYNC_SETTINGS, AT(OUT)), -EINVAL);	/* once */
	assert_int_equal(ask(s, 99, AT(OUT)), -EINVAL);
	sim_free(s);
}

static void refused(void **state)
{
	struct sim *s = new_sim(false);

	(void)state;
	for (uint64_t what = MVSYNC_SETTINGS; what <= MVSYNC_DIFFERS; what++)
		assert_int_equal(ask(s, what, AT(OUT)), -EINVAL);
	sim_free(s);
}

static void own_answers(void **state)
{
	struct sim *s = new_sim(true);
	struct mv_step step;

	(void)state;
	step = sim_enter(s->t[0], CALL(__NR_prctl, MVSYNC_PRCTL, MVSYNC_LIVE));
	assert_int_equal(step.action, MV_DONE);
	assert_int_equal(step.result, 3);
	/* The leader accuses nobody. */
	step = sim_enter(s->t[0], CALL(__NR_prctl, MVSYNC_PRCTL, MVSYNC_DIFFERS, MVSYNC_MUTEX, MVSYNC_SEM));
	assert_int_equal(step.result, -EINVAL);
	step = sim_enter(s->t[1], CALL(__NR_prctl, MVSYNC_PRCTL, MVSYNC_DIFFERS, MVSYNC_OPS, MVSYNC_SEM));
	assert_int_equal(step.result, -EINVAL);
	assert_int_equal(mv_run_verdict(s->run)->kind, MV_VERDICT_NONE);
	sim_enter(s->t[1], CALL(__NR_prctl, MVSYNC_PRCTL, MVSYNC_DIFFERS, MVSYNC_MUTEX, MVSYNC_SEM));
	assert_int_equal(mv_run_verdict(s->run)->kind, MV_VERDICT_DIVERGENCE);
	assert_int_equal(mv_run_verdict(s->run)->difference, MV_DIFF_ORDER);
	assert_int_equal(mv_run_verdict(s->run)->variant, 1);
	assert_string_equal(mv_run_verdict(s->run)->text, "comes to a mutex where the leader's thread came to a semaphore");
	sim_free(s);
}

static const struct { uint32_t nr; uint64_t at, len, prot, flags; bool own; } calls[] = {
	{ __NR_mprotect, AREA, 4096, PROT_RW, 0, true },
	{ __NR_mprotect, AREA, 4096, 0, 0, true },
	{ __NR_mprotect, AREA, 4096, PROT_RW | 4, 0, false },		/* executable */
	{ __NR_mprotect, AREA + 2 * AREA_SIZE, 4096, PROT_RW, 0, false },	/* of a file */
	{ __NR_mprotect, AREA + AREA_SIZE, 2 * AREA_SIZE, PROT_RW, 0, false },	/* nothing, and of a file */
	{ __NR_munmap, AREA, 4096, 0, 0, true },
	{ __NR_munmap, AREA + 2 * AREA_SIZE, 4096, 0, 0, false },
	{ __NR_mmap, 0, 4096, PROT_RW, MAP_PRIVATE_ANONYMOUS, true },
	{ __NR_mmap, 0, 4096, PROT_RW | 4, MAP_PRIVATE_ANONYMOUS, false },
	{ __NR_mmap, 0, 4096, PROT_RW, 0x21, false },			/* shared */
	{ __NR_mmap, AREA + 2 * AREA_SIZE, 4096, PROT_RW, MAP_PRIVATE_ANONYMOUS | 0x10, false },	/* over the file */
};

/* A follower makes its own at once, and waits with the others for the leader. */
static void memory(bool threads)
{
	for (unsigned i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		struct sim *s = new_sim(true);
		struct mv_process *p = mv_thread_process(s->t[1]);
		struct mv_step step;

		assert_int_equal(mv_mm_add(mv_process_mm(p), sim_addr(1, AREA), AREA_SIZE, MV_MAP_FIRST, 0), 0);
		assert_int_equal(mv_mm_add(mv_process_mm(p), sim_addr(1, AREA + 2 * AREA_SIZE), AREA_SIZE, MV_MAP_FIRST + 1, MV_MM_FILE), 0);
		p->own_memory = threads;
		step = sim_enter(s->t[1], CALL(calls[i].nr, calls[i].at ? AT(calls[i].at) : 0, calls[i].len, calls[i].prot, calls[i].flags, -1));
		assert_int_equal(step.action, threads && calls[i].own ? MV_RUN : MV_PARK);
		sim_free(s);
	}
}

static void memory_of_one_thread(void **state)
{
	(void)state;
	memory(false);
}

static void memory_of_several(void **state)
{
	(void)state;
	memory(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings), cmocka_unit_test(refused), cmocka_unit_test(own_answers),
		cmocka_unit_test(memory_of_one_thread), cmocka_unit_test(memory_of_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
