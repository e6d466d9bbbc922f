#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "engine/mm.h"
#include "engine/random.h"

#define PAGE ((uint64_t)4096)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define STRIPE ((uint64_t)1 << MV_STRIPE_SHIFT)

static long live_bytes;		/* what ops.alloc gave and ops.free did not get back */
static int allocs_left;

static void *counted_alloc(size_t size)
{
	if (allocs_left <= 0)
		return NULL;
	allocs_left--;
	live_bytes += (long)size;
	return calloc(1, size);
}

static void counted_free(void *p, size_t size)
{
	live_bytes -= (long)size;
	free(p);
}

static const struct mv_ops ops = { .alloc = counted_alloc, .free = counted_free };

static int fresh(void **state)
{
	(void)state;
	live_bytes = 0;
	allocs_left = 1000000;
	return 0;
}

static int leak_free(void **state)
{
	(void)state;
	return live_bytes != 0;
}

static struct mv_mm *make(unsigned variant, unsigned variants, uint64_t number)
{
	uint64_t seed[4] = { number, 1, 2, 3 };
	struct mv_layout l;
	struct mv_mm *mm;

	mv_layout_init(&l, MV_LAYOUT_DISJOINT, variant, variants, seed);
	mm = mv_mm_new(&ops, &l);
	assert_non_null(mm);
	return mm;
}

static void expect(const struct mv_mm *mm, uint64_t addr, uint64_t ordinal, uint64_t offset)
{
	uint64_t out[2];

	mv_mm_normalise(mm, addr, out);
	assert_int_equal(out[0], ordinal);
	assert_int_equal(out[1], offset);
}

struct list { unsigned n; struct mv_mapping m[64]; };

static void collect(void *ctx, const struct mv_mapping *m)
{
	struct list *list = ctx;

	assert_true(list->n < 64);
	list->m[list->n++] = *m;
}

static struct list list_of(const struct mv_mm *mm)
{
	struct list list = { 0 };

	mv_mm_each(mm, collect, &list);
	return list;
}

static void add_and_find(void **state)
{
	struct mv_mm *mm = make(0, 2, 1);

	(void)state;
	assert_null(mv_mm_find(mm, 0x5000));
	expect(mm, 0x5000, MV_MAP_NONE, 0x5000);
	assert_int_equal(mv_mm_add(mm, 0x5010, 1, 20, 0), 0);	/* rounds to pages */
	assert_int_equal(mv_mm_add(mm, 0x8000, 0, 21, 0), 0);	/* nothing */
	assert_int_equal(mv_mm_add(mm, 0x6000, 2 * PAGE, 22, MV_MM_SHARED), 0);
	assert_int_equal(mv_mm_add(mm, 0x1000, PAGE, 23, 0), 0);
	assert_int_equal(list_of(mm).n, 3);
	assert_int_equal(mv_mm_find(mm, 0x5000)->ordinal, 20);
	assert_int_equal(mv_mm_find(mm, 0x5fff)->end, 0x6000);
	assert_int_equal(mv_mm_find(mm, 0x7fff)->flags, MV_MM_SHARED);
	assert_null(mv_mm_find(mm, 0x8000));
	assert_null(mv_mm_find(mm, 0x4fff));
	expect(mm, 0x5123, 20, 0x123);
	expect(mm, 0x6000, 22, 0);		/* the end of one and the start of another: the other */
	expect(mm, 0x8000, 22, 2 * PAGE);	/* the end */
	expect(mm, 0x8001, MV_MAP_NONE, 0x8001);
	expect(mm, 0x2000, 23, PAGE);
	assert_int_equal(mv_mm_ordinal(mm), MV_MAP_FIRST);
	assert_int_equal(mv_mm_ordinal(mm), MV_MAP_FIRST + 1);
	mv_mm_brk(mm)->cur = 5;
	mv_mm_clear(mm);
	assert_int_equal(list_of(mm).n, 0);
	assert_int_equal(mv_mm_ordinal(mm), MV_MAP_FIRST);
	assert_int_equal(mv_mm_brk(mm)->cur, 0);
	mv_mm_unref(mm);
}

static void top_of_the_space(void **state)
{
	struct mv_mm *mm = make(0, 2, 1);

	(void)state;
	assert_int_equal(mv_mm_add(mm, 0xffffffffff600000u, PAGE, MV_MAP_OTHER, MV_MM_FIXED_PLACE), 0);
	expect(mm, 0xffffffffff600400u, MV_MAP_OTHER, 0x400);
	assert_int_equal(mv_mm_add(mm, 0x10000, PAGE, 17, 0), 0);
	assert_int_equal(mv_mm_remove(mm, 0x20000, UINT64_MAX), 0);
	assert_int_equal(list_of(mm).n, 1);
	mv_mm_unref(mm);
}

static void remove_and_split(void **state)
{
	struct mv_mm *mm = make(0, 2, 1);
	struct list list;

	(void)state;
	mv_mm_add(mm, 0x10000, 16 * PAGE, 20, 0);
	mv_mm_add(mm, 0x20000, 16 * PAGE, 21, 0);
	mv_mm_remove(mm, 0x14000, 2 * PAGE);	/* the middle */
	list = list_of(mm);
	assert_int_equal(list.n, 3);
	assert_int_equal(list.m[0].end, 0x14000);
	assert_int_equal(list.m[1].start, 0x16000);
	assert_int_equal(list.m[1].origin, 0x6000);
	expect(mm, 0x17001, 20, 0x7001);
	expect(mm, 0x14000, 20, 0x4000);
	expect(mm, 0x15000, MV_MAP_NONE, 0x15000);
	mv_mm_remove(mm, 0x1f000, 2 * PAGE);	/* an end and a beginning */
	list = list_of(mm);
	assert_int_equal(list.n, 3);
	assert_int_equal(list.m[1].end, 0x1f000);
	assert_int_equal(list.m[2].start, 0x21000);
	expect(mm, 0x21000, 21, 0x1000);
	mv_mm_add(mm, 0x24000, PAGE, 22, 0);	/* mapped over: three parts */
	expect(mm, 0x23fff, 21, 0x3fff);
	expect(mm, 0x24000, 22, 0);
	expect(mm, 0x25000, 21, 0x5000);
	mv_mm_remove(mm, 0x10000, 0x15000);	/* several, whole, and a part */
	list = list_of(mm);
	assert_int_equal(list.n, 1);
	assert_int_equal(list.m[0].origin, 0x5000);
	mv_mm_remove(mm, 0, 0x100000);
	assert_int_equal(list_of(mm).n, 0);
	mv_mm_remove(mm, 0, 0x100000);
	mv_mm_unref(mm);
}

/* A place that another thread was given between the call that unmapped it and our being told. */
static void remove_what_was(void **state)
{
	struct mv_mm *mm = make(0, 2, 1);
	uint64_t then;

	(void)state;
	mv_mm_add(mm, 0x10000, 4 * PAGE, 20, 0);
	then = mv_mm_now(mm);
	mv_mm_add(mm, 0x11000, PAGE, 21, 0);
	assert_int_equal(mv_mm_remove_of(mm, 0x10000, 4 * PAGE, then), 0);
	assert_int_equal(list_of(mm).n, 1);
	expect(mm, 0x11000, 21, 0);
	mv_mm_remove_of(mm, 0x10000, 4 * PAGE, mv_mm_now(mm));
	assert_int_equal(list_of(mm).n, 0);
	mv_mm_unref(mm);
}

static void merging(void **state)
{
	struct mv_mm *mm = make(0, 2, 1);

	(void)state;
	mv_mm_add(mm, 0x10000, 4 * PAGE, 20, 0);
	mv_mm_add(mm, 0x10000, PAGE, 20, 0);		/* its own head again: one mapping */
	assert_int_equal(list_of(mm).n, 1);
	expect(mm, 0x13000, 20, 0x3000);
	mv_mm_add(mm, 0x10000, PAGE, 20, MV_MM_FILE);	/* other flags */
	assert_int_equal(list_of(mm).n, 2);
	mv_mm_add(mm, 0x14000, PAGE, 21, 0);		/* another ordinal */
	mv_mm_add(mm, 0xf000, PAGE, 20, MV_MM_FILE);	/* another origin */
	assert_int_equal(list_of(mm).n, 4);
	mv_mm_unref(mm);
}

/* Every page of a small space against a plain model, while random ranges come and go. */
static void against_a_model(void **state)
{
	enum { PAGES = 300 };
	struct { uint32_t ordinal; uint64_t offset; } model[PAGES] = { 0 };
	struct mv_mm *mm = make(0, 2, 1);
	uint64_t rng = 11;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		uint64_t x = mv_random_step(&rng), first = x % PAGES, n = (x >> 16) % 12 + 1;
		uint32_t ordinal = x >> 40 & 1 ? mv_mm_ordinal(mm) : 0;

		if (first + n > PAGES)
			n = PAGES - first;
		if (ordinal)
			assert_int_equal(mv_mm_add(mm, first * PAGE, n * PAGE, ordinal, 0), 0);
		else
			assert_int_equal(mv_mm_remove(mm, first * PAGE, n * PAGE), 0);
		for (uint64_t i = 0; i < n; i++) {
			model[first + i].ordinal = ordinal;
			model[first + i].offset = i * PAGE;
		}
		for (uint64_t i = 0; i < PAGES; i++) {
			if (model[i].ordinal)
				expect(mm, i * PAGE + 5, model[i].ordinal, model[i].offset + 5);
			else
				expect(mm, i * PAGE + 5, MV_MAP_NONE, i * PAGE + 5);
		}
	}
	mv_mm_unref(mm);
}

static void fork_copy(void **state)
{
	struct mv_mm *mm = make(1, 2, 4), *copy;
	uint64_t next;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(mv_mm_add(mm, i * 0x4000, PAGE, mv_mm_ordinal(mm), 0), 0);
	*mv_mm_brk(mm) = (struct mv_brk){ 1, 2, 3 };
	copy = mv_mm_copy(mm);
	assert_non_null(copy);
	next = mv_mm_place(mm, 5 * PAGE, true, false);
	assert_int_equal(mv_mm_place(copy, 5 * PAGE, true, false), next);
	assert_int_equal(mv_mm_ordinal(copy), mv_mm_ordinal(mm));
	assert_int_equal(mv_mm_brk(copy)->limit, 3);
	mv_mm_clear(mm);
	mv_mm_unref(mm);
	for (uint64_t i = 0; i < 1000; i++)
		expect(copy, i * 0x4000, MV_MAP_FIRST + i, 0);
	assert_ptr_equal(mv_mm_ref(copy), copy);
	mv_mm_unref(copy);
	assert_non_null(mv_mm_find(copy, 0));
	mv_mm_unref(copy);
	mv_mm_unref(NULL);
}

static void out_of_memory(void **state)
{
	struct mv_mm *mm;
	struct mv_layout l = { 0 };
	unsigned n = 0;

	(void)state;
	allocs_left = 0;
	assert_null(mv_mm_new(&ops, &l));
	allocs_left = 1;
	assert_null(mv_mm_new(&ops, &l));
	assert_int_equal(live_bytes, 0);
	allocs_left = 2;
	mm = mv_mm_new(&ops, &l);
	assert_non_null(mm);
	assert_null(mv_mm_copy(mm));
	allocs_left = 1;
	assert_null(mv_mm_copy(mm));
	allocs_left = 0;
	while (mv_mm_add(mm, n * 0x4000, 3 * PAGE, 16 + n, 0) == 0)
		n++;
	assert_true(n > 10);
	assert_int_equal(mv_mm_add(mm, n * 0x4000, PAGE, 16, 0), -ENOMEM);
	assert_null(mv_mm_find(mm, n * 0x4000));
	expect(mm, 0x1000, 16, 0x1000);		/* what was there still is */

	/* Splits take what spare room there is, then fail and change nothing; what needs no room goes on working. */
	for (n = 0; mv_mm_remove(mm, n * 0x4000 + PAGE, PAGE) == 0; n++)
		;
	assert_int_equal(mv_mm_remove(mm, n * 0x4000 + PAGE, PAGE), -ENOMEM);
	expect(mm, n * 0x4000 + PAGE, 16 + n, PAGE);
	assert_int_equal(mv_mm_remove(mm, n * 0x4000, PAGE), 0);
	assert_int_equal(mv_mm_remove(mm, n * 0x4000, 0x10000), 0);
	assert_null(mv_mm_find(mm, n * 0x4000 + PAGE));
	allocs_left = 1;
	assert_int_equal(mv_mm_add(mm, 0x10000000, PAGE, 99, 0), 0);
	mv_mm_unref(mm);
}

static void kernel_chooses(void **state)
{
	uint64_t seed[4] = { 1, 2, 3, 4 };
	struct mv_layout l;
	struct mv_mm *mm;

	(void)state;
	for (unsigned mode = MV_LAYOUT_SAME; mode <= MV_LAYOUT_ASLR; mode++) {
		mv_layout_init(&l, (enum mv_layout_mode)mode, 0, 2, seed);
		mm = mv_mm_new(&ops, &l);
		assert_int_equal(mv_mm_place(mm, PAGE, false, false), 0);
		assert_int_equal(mv_mm_place(mm, PAGE, true, false), 0);
		mv_mm_unref(mm);
	}
}

static bool within(uint64_t addr, uint64_t len, const struct mv_area *a)
{
	return addr >= a->start && addr + len <= a->end;
}

/* The variant's own window, of whatever stripe, and never its stack area. */
static void check_place(struct mv_mm *mm, uint64_t addr, uint64_t len)
{
	const struct mv_layout *l = mv_mm_layout(mm);

	assert_int_not_equal(addr, 0);
	assert_int_equal(addr % PAGE, 0);
	assert_int_equal(addr >> MV_SLICE_SHIFT, l->slice >> MV_SLICE_SHIFT);
	assert_true(addr % STRIPE >= l->window + 64 * MIB);
	assert_true(addr % STRIPE + len <= l->window + l->window_size - 64 * MIB);
	assert_true(addr + len <= l->stack.start || addr >= l->stack.end);
	for (uint64_t at = addr; at < addr + len; at += len > GIB ? GIB : PAGE)
		assert_null(mv_mm_find(mm, at));
}

/* Variants that make the same calls get congruent addresses, whatever their file mappings do. */
static void twins(void **state)
{
	enum { N = 3, SLOTS = 60 };

	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		struct { uint64_t addr[N], len; bool file; } slots[SLOTS] = { 0 };
		uint64_t rng = seed, moved = 0;
		struct mv_mm *mm[N];

		for (unsigned v = 0; v < N; v++)
			mm[v] = make(v, N, seed);
		for (unsigned round = 0; round < 600; round++) {
			uint64_t x = mv_random_step(&rng), part;
			unsigned k = (unsigned)(x % SLOTS);
			bool down = (x >> 50) % 8 == 0;
			uint32_t flags = down ? MV_MM_GROWS_DOWN : 0;

			if (slots[k].len) {	/* unmap all, or an inner part, of what all have there */
				part = x >> 30 & 1 ? slots[k].len / 4 : 0;
				for (unsigned v = 0; v < N; v++)
					mv_mm_remove(mm[v], slots[k].addr[v] + part, slots[k].len - part);
				slots[k].len = 0;
				continue;
			}
			slots[k].file = (x >> 40) % 3 == 0;
			slots[k].len = ((x >> 8) % (x >> 41 & 1 ? 4000 : 40) + 1) * PAGE;
			for (unsigned v = 0; v < N; v++) {
				uint64_t addr = mv_mm_place(mm[v], slots[k].len, slots[k].file, down);

				check_place(mm[v], addr, slots[k].len);
				assert_true(within(addr, slots[k].len, slots[k].file ? &mv_mm_layout(mm[v])->files
										     : &mv_mm_layout(mm[v])->anon));
				assert_int_equal(mv_mm_add(mm[v], addr, slots[k].len, mv_mm_ordinal(mm[v]), flags), 0);
				slots[k].addr[v] = addr;
				if (slots[k].file) {
					moved += addr % GIB != slots[k].addr[0] % GIB;
					continue;
				}
				assert_int_equal(addr % mv_mm_layout(mm[v])->window_size,
						 slots[k].addr[0] % mv_mm_layout(mm[0])->window_size);
				if (slots[k].len >= 2 * MIB)
					assert_int_equal(addr % (2 * MIB), 0);
			}
		}
		assert_true(moved > 0);
		for (unsigned v = 0; v < N; v++)
			mv_mm_unref(mm[v]);
	}
}

static void top_down_first_fit(void **state)
{
	struct mv_mm *mm = make(0, 2, 8);
	uint64_t end = mv_mm_layout(mm)->anon.end, a, b;

	(void)state;
	a = mv_mm_place(mm, 10 * PAGE, false, false);
	assert_int_equal(a, end - 10 * PAGE);
	mv_mm_add(mm, a, 10 * PAGE, 16, 0);
	b = mv_mm_place(mm, 1, false, false);
	assert_int_equal(b, a - PAGE);
	mv_mm_add(mm, b, PAGE, 17, 0);
	mv_mm_remove(mm, a + PAGE, 4 * PAGE);
	assert_int_equal(mv_mm_place(mm, 4 * PAGE, false, false), a + PAGE);
	assert_int_equal(mv_mm_place(mm, 5 * PAGE, false, false), b - 5 * PAGE);
	mv_mm_add(mm, end - PAGE, 2 * PAGE, 18, 0);	/* across the end of the area */
	assert_int_equal(mv_mm_place(mm, 4 * PAGE, false, false), a + PAGE);
	assert_int_equal(mv_mm_place(mm, 0, false, false), 0);
	assert_int_equal(mv_mm_place(mm, UINT64_MAX, false, false), 0);
	assert_int_equal(mv_mm_place(mm, (uint64_t)1 << 47, true, false), 0);
	mv_mm_unref(mm);
}

static void guard_gap(void **state)
{
	struct mv_mm *mm = make(0, 2, 8);
	uint64_t end = mv_mm_layout(mm)->anon.end, s, x;

	(void)state;
	mv_mm_add(mm, end - MIB - 9 * PAGE, PAGE, 16, 0);
	s = mv_mm_place(mm, 8 * PAGE, false, true);
	assert_int_equal(s, end - 8 * PAGE);		/* just enough below */
	mv_mm_add(mm, end - MIB - 8 * PAGE, PAGE, 17, 0);
	s = mv_mm_place(mm, 8 * PAGE, false, true);
	assert_int_equal(s, end - MIB - 9 * PAGE - 8 * PAGE);
	mv_mm_add(mm, s, 8 * PAGE, 18, MV_MM_GROWS_DOWN);
	mv_mm_add(mm, s + 8 * PAGE, end - s - 8 * PAGE, 19, 0);
	x = mv_mm_place(mm, PAGE, false, false);
	assert_int_equal(x, s - MIB - PAGE);		/* and nothing comes near it later */
	mv_mm_unref(mm);
}

static void spares_the_break(void **state)
{
	struct mv_mm *mm = make(0, 2, 8);
	struct mv_area anon = mv_mm_layout(mm)->anon;
	uint64_t a;

	(void)state;
	*mv_mm_brk(mm) = (struct mv_brk){ anon.end - 100 * PAGE, anon.end - 100 * PAGE, anon.end - 10 * PAGE };
	a = mv_mm_place(mm, 10 * PAGE, false, false);
	assert_int_equal(a, anon.end - 10 * PAGE);
	assert_int_equal(mv_mm_place(mm, 11 * PAGE, false, false), anon.end - 111 * PAGE);
	*mv_mm_brk(mm) = (struct mv_brk){ anon.start, anon.start, anon.end };
	a = mv_mm_place(mm, PAGE, false, false);
	assert_int_not_equal(a, 0);
	assert_false(within(a, PAGE, &anon));
	mv_mm_unref(mm);
}

/* Files overflow into the anonymous area, that into the other stripes, always alike in all variants; at last 0. */
static void overflow(void **state)
{
	struct mv_mm *mm[2] = { make(0, 2, 8), make(1, 2, 8) };
	const struct mv_layout *l = mv_mm_layout(mm[0]);
	uint64_t addr[2], len = 40 * GIB;
	unsigned in_anon = 0, elsewhere = 0, n = 0;

	(void)state;
	for (;; n++) {
		for (unsigned v = 0; v < 2; v++) {
			addr[v] = mv_mm_place(mm[v], len, true, false);
			if (!addr[v])
				continue;
			check_place(mm[v], addr[v], len);
			assert_int_equal(mv_mm_add(mm[v], addr[v], len, mv_mm_ordinal(mm[v]), MV_MM_FILE), 0);
		}
		assert_int_equal(!addr[0], !addr[1]);
		if (!addr[0])
			break;
		if (within(addr[0], len, &l->files))
			continue;
		assert_int_equal(addr[0] % l->window_size, addr[1] % l->window_size);
		if (within(addr[0], len, &l->anon))
			in_anon++;
		else
			elsewhere++;
	}
	assert_true(n > 60);
	assert_int_equal(n, 1 + in_anon + elsewhere);	/* one fits into the area for files */
	assert_true(in_anon >= 7);
	assert_int_equal(elsewhere % 7, 0);
	assert_true(elsewhere >= 7 * 10);
	assert_int_not_equal(mv_mm_place(mm[0], GIB, true, false), 0);	/* smaller ones still fit */
	mv_mm_unref(mm[0]);
	mv_mm_unref(mm[1]);
}

/* What is hidden is taken, but to the program nothing is there. */
static void hidden(void **state)
{
	struct mv_mm *mm = make(0, 2, 1);
	uint64_t at = mv_mm_place(mm, 10 * PAGE, false, false), other, n[2], unmapped[2];

	(void)state;
	mv_mm_normalise(mm, at + 3 * PAGE + 5, unmapped);
	assert_int_equal(mv_mm_add(mm, at, 10 * PAGE, MV_MAP_OTHER, MV_MM_HIDDEN), 0);
	mv_mm_normalise(mm, at + 3 * PAGE + 5, n);
	assert_memory_equal(n, unmapped, sizeof(n));
	mv_mm_normalise(mm, at + 10 * PAGE, n);
	assert_int_equal(n[0], MV_MAP_NONE);
	assert_int_equal(mv_mm_add(mm, at - 2 * PAGE, 2 * PAGE, 20, 0), 0);
	assert_int_equal(mv_mm_add(mm, at + 10 * PAGE, 2 * PAGE, 21, 0), 0);
	assert_int_equal(mv_mm_remove(mm, at + PAGE, PAGE), 0);
	assert_int_equal(mv_mm_remove(mm, at - PAGE, 12 * PAGE), 0);
	assert_non_null(mv_mm_find(mm, at));
	assert_non_null(mv_mm_find(mm, at + 9 * PAGE));
	assert_non_null(mv_mm_find(mm, at - 2 * PAGE));
	assert_null(mv_mm_find(mm, at - PAGE));
	assert_null(mv_mm_find(mm, at + 10 * PAGE));
	assert_non_null(mv_mm_find(mm, at + 11 * PAGE));
	other = mv_mm_place(mm, 10 * PAGE, false, false);
	assert_true(other + 10 * PAGE <= at || other >= at + 10 * PAGE);
	mv_mm_unref(mm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(add_and_find, fresh, leak_free),
		cmocka_unit_test_setup_teardown(top_of_the_space, fresh, leak_free),
		cmocka_unit_test_setup_teardown(remove_and_split, fresh, leak_free),
		cmocka_unit_test_setup_teardown(remove_what_was, fresh, leak_free),
		cmocka_unit_test_setup_teardown(merging, fresh, leak_free),
		cmocka_unit_test_setup_teardown(against_a_model, fresh, leak_free),
		cmocka_unit_test_setup_teardown(fork_copy, fresh, leak_free),
		cmocka_unit_test_setup_teardown(out_of_memory, fresh, leak_free),
		cmocka_unit_test_setup_teardown(kernel_chooses, fresh, leak_free),
		cmocka_unit_test_setup_teardown(twins, fresh, leak_free),
		cmocka_unit_test_setup_teardown(top_down_first_fit, fresh, leak_free),
		cmocka_unit_test_setup_teardown(hidden, fresh, leak_free),
		cmocka_unit_test_setup_teardown(guard_gap, fresh, leak_free),
		cmocka_unit_test_setup_teardown(spares_the_break, fresh, leak_free),
		cmocka_unit_test_setup_teardown(overflow, fresh, leak_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
