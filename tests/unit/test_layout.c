#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "engine/layout.h"

#define SEEDS 2000
#define MIB ((uint64_t)1 << 20)
#define STRIPE ((uint64_t)1 << MV_STRIPE_SHIFT)

static void make(struct mv_layout *l, enum mv_layout_mode mode, unsigned n, uint64_t number)
{
	uint64_t seed[4] = { number, number * 3, 0, ~number };

	memset(l, 0xcc, n * sizeof(*l));
	for (unsigned i = 0; i < n; i++)
		mv_layout_init(&l[i], mode, i, n, seed);
}

static void check_area(const struct mv_layout *l, const struct mv_area *a, uint64_t low, uint64_t high)
{
	assert_int_equal(a->start % 4096, 0);
	assert_int_equal(a->end % 4096, 0);
	assert_true(a->start < a->end);
	assert_true(a->start >= low);
	assert_true(a->end <= high);
	assert_int_equal(a->start >> MV_SLICE_SHIFT, l->slice >> MV_SLICE_SHIFT);
	assert_true(a->start % STRIPE >= l->window + 64 * MIB);
	assert_true(a->end % STRIPE <= l->window + l->window_size - 64 * MIB);
	assert_int_equal((a->start >> MV_STRIPE_SHIFT) & 7, l->stripe);
}

static void disjoint(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= MV_VARIANTS_MAX; n++) {
		for (unsigned seed = 0; seed < SEEDS; seed++) {
			struct mv_layout l[MV_VARIANTS_MAX];

			make(l, MV_LAYOUT_DISJOINT, n, seed);
			for (unsigned i = 0; i < n; i++) {
				uint64_t w = l[i].window_size, slice = l[i].slice >> MV_SLICE_SHIFT;
				uint64_t base = l[i].slice + l[i].stripe * STRIPE + l[i].window;

				assert_true(slice < 15 && slice != 0 && slice != 10);
				assert_int_equal(l[i].slice % ((uint64_t)1 << MV_SLICE_SHIFT), 0);
				assert_int_equal(w, STRIPE / (n <= 2 ? 2 : n <= 4 ? 4 : 8));
				assert_int_equal(l[i].window % w, 0);
				assert_true(l[i].window + w <= STRIPE);
				check_area(&l[i], &l[i].image, base, base + w / 8);
				check_area(&l[i], &l[i].files, base + w / 8, base + w / 4);
				check_area(&l[i], &l[i].anon, base + w / 4, base + w - w / 16);
				check_area(&l[i], &l[i].stack, base + w - w / 16, base + w);
				assert_true(l[i].anon.end - l[i].anon.start >= w / 2);
				assert_int_equal(l[i].anon.end % w, l[0].anon.end % w);
				assert_int_equal(l[i].brk_phase, l[0].brk_phase);
				assert_true(l[i].brk_phase < MV_BRK_ALIGN && l[i].brk_phase % 4096 == 0);
				assert_int_equal(l[i].anon.end - l[i].anon.start, l[0].anon.end - l[0].anon.start);
				assert_int_equal(l[i].files.end - l[i].files.start,
						 l[0].files.end - l[0].files.start);
				for (unsigned k = 0; k < i; k++) {
					assert_int_not_equal(l[i].slice, l[k].slice);
					assert_int_not_equal(l[i].window, l[k].window);
				}
			}
		}
	}
}

static void same_seed_same_layout(void **state)
{
	struct mv_layout a[8], b[8];

	(void)state;
	for (unsigned seed = 0; seed < SEEDS; seed++) {
		make(a, MV_LAYOUT_DISJOINT, 8, seed);
		make(b, MV_LAYOUT_DISJOINT, 8, seed);
		for (unsigned i = 0; i < 8; i++) {
			assert_int_equal(a[i].slice, b[i].slice);
			assert_int_equal(a[i].window, b[i].window);
			assert_memory_equal(&a[i].image, &b[i].image, 4 * sizeof(struct mv_area));
			for (unsigned k = 0; k < 4; k++)
				assert_int_equal(mv_layout_random(&a[i]), mv_layout_random(&b[i]));
		}
	}
}

/* Each slice and window is dealt to variant 0 about as often as any other, and every seed word matters. */
static void dealt_at_random(void **state)
{
	unsigned slices[16] = { 0 }, windows[2] = { 0 }, stripes[8] = { 0 }, used = 0;
	unsigned moved = 0;
	uint64_t last = 0;
	struct mv_layout l;

	(void)state;
	for (unsigned seed = 0; seed < SEEDS; seed++) {
		uint64_t words[4] = { 0 };

		words[seed % 4] = seed + 1;
		mv_layout_init(&l, MV_LAYOUT_DISJOINT, 0, 2, words);
		slices[l.slice >> MV_SLICE_SHIFT]++;
		windows[l.window != 0]++;
		stripes[l.stripe]++;
		moved += l.anon.end % l.window_size != last;
		last = l.anon.end % l.window_size;
	}
	for (unsigned i = 0; i < 16; i++)
		used += slices[i] > 0;
	for (unsigned i = 0; i < 16; i++)
		if (slices[i])
			assert_in_range(slices[i], SEEDS / used / 2, SEEDS / used * 2);
	assert_true(used >= MV_VARIANTS_MAX);
	assert_true(moved > SEEDS * 9 / 10);	/* what is common to all variants is still not the same in every run */
	assert_in_range(windows[0], SEEDS / 3, SEEDS * 2 / 3);
	for (unsigned i = 0; i < 8; i++)
		assert_in_range(stripes[i], SEEDS / 16, SEEDS / 4);
}

static void other_modes(void **state)
{
	struct mv_layout same[3], aslr[3];
	uint64_t first;

	(void)state;
	make(same, MV_LAYOUT_SAME, 3, 9);
	make(aslr, MV_LAYOUT_ASLR, 3, 9);
	assert_int_equal(same[1].anon.end, 0);
	assert_int_equal(aslr[1].image.end, 0);
	first = mv_layout_random(&same[0]);
	assert_int_equal(mv_layout_random(&same[1]), first);
	assert_int_equal(mv_layout_random(&same[2]), first);
	first = mv_layout_random(&aslr[0]);
	assert_int_not_equal(mv_layout_random(&aslr[1]), first);
	assert_int_not_equal(mv_layout_random(&aslr[2]), first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disjoint),
		cmocka_unit_test(same_seed_same_layout),
		cmocka_unit_test(dealt_at_random),
		cmocka_unit_test(other_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
