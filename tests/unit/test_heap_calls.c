/* What the diversifying heap asks of the engine, and what is then no longer compared. */
#include "engine_sim.h"
#include <errno.h>
#include <mvheap/mvheap.h>
#include "engine/mm.h"

#define HEAP 0x100000		/* offset of the heap's mapping in each variant's memory */
#define HEAP_SIZE 0x100000
#define PROT_RW 3

static struct sim *new_sim(enum mv_heap_mode heap)
{
	struct sim_options o = sim_defaults;
	struct sim *s;

	o.no_threads = true;
	s = sim_new(&o);
	s->config.heap = heap;
	s->config.slab_max = 100;
	s->config.slab_pad = 8192;
	s->config.heap_fill = true;
	sim_start(s);
	return s;
}

/* As mmap leaves it. */
static void map(struct sim *s, uint32_t flags)
{
	for (unsigned v = 0; v < 2; v++)
		assert_int_equal(mv_mm_add(mv_process_mm(mv_thread_process(s->t[v])), sim_addr(v, HEAP), HEAP_SIZE, MV_MAP_FIRST, flags), 0);
}

static int64_t ask(struct sim *s, uint64_t what, uint64_t at, uint64_t len)
{
	assert_true(sim_all(s, CALL(__NR_prctl, MVHEAP_PRCTL, what, at, len)));
	assert_int_equal(s->step[0].result, s->step[1].result);
	assert_int_equal(s->runs[0] + s->runs[1], 0);
	return s->step[0].result;
}

static void settings(void **state)
{
	struct mvheap_settings *l, *f;
	struct sim *s = new_sim(MV_HEAP_ALL);

	(void)state;
	l = sim_mem(s, 0, OUT);
	f = sim_mem(s, 1, OUT);
	assert_int_equal(ask(s, MVHEAP_SETTINGS, AT(OUT), 0), 0);
	assert_true(l->seed == f->seed);
	assert_int_equal(l->variant, 0);
	assert_int_equal(f->variant, 1);
	assert_int_equal(l->variants, 2);
	assert_int_equal(f->slab_max, 100);
	assert_int_equal(l->slab_pad, 8192);
	assert_int_equal(l->flags, MVHEAP_FILL | MVHEAP_HIDE);
	assert_int_equal(f->flags, l->flags);
	assert_int_equal(ask(s, MVHEAP_SETTINGS, AT(OUT), 0), -EINVAL);	/* once */
	assert_int_equal(ask(s, 7, AT(OUT), 0), -EINVAL);
	sim_free(s);
}

static void settings_of_followers(void **state)
{
	struct sim *s = new_sim(MV_HEAP_FOLLOWERS);
	struct mvheap_settings *l = sim_mem(s, 0, OUT), *f = sim_mem(s, 1, OUT);

	(void)state;
	assert_int_equal(ask(s, MVHEAP_SETTINGS, AT(OUT), 0), 0);
	assert_int_equal(l->flags, MVHEAP_HIDE);
	assert_int_equal(l->slab_pad, 0);
	assert_int_equal(f->flags, MVHEAP_FILL | MVHEAP_HIDE);
	assert_int_equal(f->slab_pad, 8192);
	assert_int_equal(l->slab_max, f->slab_max);
	sim_free(s);
}

static void refused(void **state)
{
	struct sim *s = new_sim(MV_HEAP_OFF);

	(void)state;
	assert_int_equal(ask(s, MVHEAP_SETTINGS, AT(OUT), 0), -EINVAL);
	sim_free(s);
	s = new_sim(MV_HEAP_ALL);
	assert_int_equal(ask(s, MVHEAP_SETTINGS, 8, 0), -EFAULT);
	sim_free(s);
}

/* Only a whole mapping that is private and anonymous becomes the heap's. */
static void regions(void **state)
{
	struct sim *s = new_sim(MV_HEAP_ALL);

	(void)state;
	map(s, 0);
	assert_int_equal(ask(s, MVHEAP_REGION, AT(HEAP), HEAP_SIZE / 2), -EINVAL);
	assert_int_equal(ask(s, MVHEAP_REGION, AT(HEAP + 4096), HEAP_SIZE - 4096), -EINVAL);
	assert_int_equal(ask(s, MVHEAP_REGION, AT(HEAP), HEAP_SIZE), 0);
	sim_free(s);
	for (unsigned i = 0; i < 2; i++) {
		s = new_sim(MV_HEAP_ALL);
		map(s, i ? MV_MM_SHARED : MV_MM_FILE);
		assert_int_equal(ask(s, MVHEAP_REGION, AT(HEAP), HEAP_SIZE), -EINVAL);
		sim_free(s);
	}
}

/* Each variant protects what it likes, as often as it likes, and the next call is compared as if it had not. */
static void protections(void **state)
{
	struct sim *s = new_sim(MV_HEAP_ALL);
	struct mv_step step;

	(void)state;
	map(s, 0);
	assert_int_equal(ask(s, MVHEAP_REGION, AT(HEAP), HEAP_SIZE), 0);
	for (unsigned i = 0; i < 3; i++) {
		step = sim_enter(s->t[1], CALL(__NR_mprotect, AT(HEAP + 4096 * i), 4096, i ? PROT_RW : 0));
		sim_expect_run(&step, __NR_mprotect);
		step = sim_exit(s->t[1], 0);
		sim_expect_done(&step, 0);
	}
	step = sim_enter(s->t[0], CALL(__NR_mprotect, AT(HEAP), HEAP_SIZE, PROT_RW));
	sim_expect_run(&step, __NR_mprotect);
	step = sim_exit(s->t[0], 0);
	sim_expect_done(&step, 0);
	s->result = 0;
	assert_true(sim_all(s, CALL(__NR_getuid)));
	sim_expect_peace(s);
	sim_free(s);
}

/* What is no affair of the heap's is compared as ever: execution, half outside, memory that was mapped over, other memory. */
static void compared(void **state)
{
	static const struct { uint64_t at, len; uint32_t prot; } calls[] = {
		{ HEAP, 4096, 5 }, { HEAP, 4096, 7 }, { HEAP, 4096, 1 }, { HEAP, HEAP_SIZE + 4096, PROT_RW }, { HEAP - 4096, 8192, PROT_RW },
		{ HEAP + 0x80000, 4096, PROT_RW }, { HEAP + 0x7f000, 8192, PROT_RW }, { HEAP + 8, 4096, PROT_RW },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct sim *s = new_sim(MV_HEAP_ALL);
		struct mv_step step;

		map(s, 0);
		assert_int_equal(ask(s, MVHEAP_REGION, AT(HEAP), HEAP_SIZE), 0);
		for (unsigned v = 0; v < 2; v++)
			mv_mm_add(mv_process_mm(mv_thread_process(s->t[v])), sim_addr(v, HEAP + 0x80000), 4096, MV_MAP_FIRST + 1, 0);
		step = sim_enter(s->t[1], CALL(__NR_mprotect, AT(calls[i].at), calls[i].len, calls[i].prot));
		sim_expect(&step, MV_PARK);
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings),
		cmocka_unit_test(settings_of_followers),
		cmocka_unit_test(refused),
		cmocka_unit_test(regions),
		cmocka_unit_test(protections),
		cmocka_unit_test(compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
