#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "engine/arena.h"
#include "engine/random.h"

#define SIZE ((size_t)1 << 20)

static void *memory;

static struct mv_arena *make(void)
{
	memory = aligned_alloc(4096, SIZE);
	assert_non_null(memory);
	memset(memory, 0xee, SIZE);	/* zeroed blocks must not depend on zeroed memory */
	return mv_arena_init(memory, SIZE);
}

static void too_small(void **state)
{
	char *mem = aligned_alloc(4096, 4096);

	(void)state;
	assert_null(mv_arena_init(mem, 0));
	assert_null(mv_arena_init(mem, 64));
	free(mem);
}

static void blocks_are_zeroed_aligned_disjoint(void **state)
{
	struct mv_arena *a = make();
	uint64_t rng = 3, off[200];
	size_t len[200];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		unsigned char *p;

		len[i] = mv_random_step(&rng) % 3000;
		off[i] = mv_arena_alloc(a, len[i]);
		assert_int_not_equal(off[i], 0);
		assert_int_equal(off[i] % 64, 0);
		p = mv_arena_at(a, off[i]);
		assert_int_equal(mv_arena_offset(a, p), off[i]);
		for (size_t k = 0; k < len[i]; k++)
			assert_int_equal(p[k], 0);
		memset(p, (int)i, len[i]);
	}
	for (unsigned i = 0; i < 200; i++)
		for (size_t k = 0; k < len[i]; k++)
			assert_int_equal(((unsigned char *)mv_arena_at(a, off[i]))[k], i);
	free(memory);
}

/* For every size: the block holds it, is reused for its class, and waste is at most a third (or 64 bytes). */
static void size_classes(void **state)
{
	(void)state;
	for (size_t size = 1; size < 70000; size += size < 1100 ? 1 : 509) {
		struct mv_arena *a = make();
		size_t before = mv_arena_used(a), took;
		uint64_t x = mv_arena_alloc(a, size), y = mv_arena_alloc(a, size);

		took = (mv_arena_used(a) - before) / 2;
		assert_true(took >= size);
		assert_true(took <= size + 64 || took <= size + size / 2);
		assert_true(y - x >= size);
		memset(mv_arena_at(a, x), 0xff, size);
		mv_arena_free(a, x, size);
		assert_int_equal(mv_arena_alloc(a, size), x);
		assert_int_equal(((char *)mv_arena_at(a, x))[size - 1], 0);
		assert_int_equal(*(char *)mv_arena_at(a, x), 0);
		memset(mv_arena_at(a, x), 0xff, size);
		mv_arena_free(a, x, size);
		assert_int_equal(mv_arena_take(a, size), x);
		assert_int_equal(((unsigned char *)mv_arena_at(a, x))[size - 1], size > 8 ? 0xff : 0);	/* the list was in front */
		mv_arena_free(a, x, size);
		mv_arena_free(a, y, size);
		assert_int_equal(mv_arena_used(a), before);
		free(memory);
	}
}

static void exhausted(void **state)
{
	struct mv_arena *a = make();
	uint64_t last = 0, off;
	unsigned n = 0;

	(void)state;
	assert_int_equal(mv_arena_size(a), SIZE);
	assert_int_equal(mv_arena_alloc(a, SIZE), 0);
	assert_int_equal(mv_arena_alloc(a, SIZE_MAX), 0);
	while ((off = mv_arena_alloc(a, 4096))) {
		assert_true(off + 4096 <= SIZE);
		last = off;
		n++;
	}
	assert_in_range(n, SIZE / 4096 - 2, SIZE / 4096);
	mv_arena_free(a, last, 4096);
	assert_int_equal(mv_arena_alloc(a, 4096), last);
	assert_int_equal(mv_arena_alloc(a, 4096), 0);
	free(memory);
}

static void addresses(void **state)
{
	struct mv_arena *a = make();
	int elsewhere;
	size_t used = mv_arena_used(a);

	(void)state;
	assert_null(mv_arena_at(a, 0));
	assert_null(mv_arena_at(a, SIZE));
	assert_null(mv_arena_at(a, UINT64_MAX));
	assert_int_equal(mv_arena_offset(a, NULL), 0);
	assert_int_equal(mv_arena_offset(a, &elsewhere), 0);
	mv_arena_free(a, 0, 64);
	mv_arena_free(a, SIZE, 64);
	mv_arena_free(a, SIZE - 64, 4096);
	assert_int_equal(mv_arena_used(a), used);
	free(memory);
}

/* A list head or a next pointer that somebody overwrote yields no block outside of the arena. */
static void scribbled(void **state)
{
	struct mv_arena *a = make();
	uint64_t x = mv_arena_alloc(a, 100), y;

	(void)state;
	mv_arena_free(a, x, 100);
	memset(mv_arena_at(a, x), 0xff, 64);	/* use after free */
	assert_int_equal(mv_arena_alloc(a, 100), x);
	y = mv_arena_alloc(a, 100);
	assert_int_not_equal(y, 0);
	assert_non_null(mv_arena_at(a, y + 99));
	free(memory);
}

static void *churn(void *arg)
{
	struct mv_arena *a = memory;
	uint64_t rng = *(uint64_t *)arg, mark = rng, held[16] = { 0 };

	for (unsigned i = 0; i < 100000; i++) {
		uint64_t x = mv_random_step(&rng), *p;
		unsigned k = (unsigned)(x % 16);

		if (held[k]) {
			p = mv_arena_at(a, held[k]);
			if (p[0] != mark + k || p[11] != mark + k)
				return arg;
			mv_arena_free(a, held[k], 96);
			held[k] = 0;
			continue;
		}
		held[k] = mv_arena_alloc(a, 96);
		p = mv_arena_at(a, held[k]);
		if (!p || p[0] || p[11])
			return arg;
		p[0] = p[11] = mark + k;
	}
	for (unsigned k = 0; k < 16; k++)
		mv_arena_free(a, held[k], 96);
	return NULL;
}

static void threads(void **state)
{
	struct mv_arena *a = make();
	size_t used = mv_arena_used(a);
	uint64_t seeds[4] = { 100, 200, 300, 400 };
	pthread_t t[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, churn, &seeds[i]), 0);
	for (unsigned i = 0; i < 4; i++) {
		void *failed;

		pthread_join(t[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(mv_arena_used(a), used);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_small),
		cmocka_unit_test(blocks_are_zeroed_aligned_disjoint),
		cmocka_unit_test(size_classes),
		cmocka_unit_test(exhausted),
		cmocka_unit_test(addresses),
		cmocka_unit_test(scribbled),
		cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
