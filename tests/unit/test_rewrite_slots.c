#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <cmocka.h>
#include "rewrite/slots.h"
#include "rewrite_files.h"

#define GIB ((uint64_t)1 << 30)
#define PAGE ((uint64_t)4096)

static void take_all(const struct mv_plan *plan, struct mv_slots *slots, uint64_t base, const struct mv_range *free,
		     unsigned nfree, uint64_t *places)
{
	for (unsigned i = 0; i < plan->n; i++) {
		places[i] = 0;
		if (plan->sites[i].kind != MV_SITE_NONE)
			assert_int_equal(mv_slots_take(slots, &plan->sites[i], base + plan->sites[i].vaddr, free, nfree,
						       &places[i]), 0);
	}
}

static void slots_are_deterministic_and_apart(void **state)
{
	const uint64_t base = 0x7f1234560000;
	const struct mv_range gaps[] = {
		{ base - 3 * GIB, base - GIB / 2 }, { base - GIB / 4 + 512, base }, { base + GIB / 4, base + 3 * GIB },
	};
	struct mv_slots a, b, other;
	uint64_t *x, *y, *z;
	struct mv_plan plan;
	unsigned differ = 0;

	(void)state;
	plan_of(libc_path(), &plan);
	x = calloc(plan.n, sizeof(*x));
	y = calloc(plan.n, sizeof(*y));
	z = calloc(plan.n, sizeof(*z));
	mv_slots_init(&a, 42);
	mv_slots_init(&b, 42);
	mv_slots_init(&other, 43);
	take_all(&plan, &a, base, gaps, 3, x);
	take_all(&plan, &b, base, gaps, 3, y);
	take_all(&plan, &other, base, gaps, 3, z);
	assert_memory_equal(x, y, plan.n * sizeof(*x));
	for (unsigned i = 0; i < plan.n; i++) {
		unsigned size = mv_trampoline_size(&plan.sites[i]);
		bool inside = false;

		differ += x[i] != z[i];
		if (!size)
			continue;
		for (unsigned r = 0; r < 3; r++)
			inside |= x[i] >= gaps[r].start && x[i] + size <= gaps[r].end;
		assert_true(inside && mv_slots_has(&a, x[i]) && mv_slots_has(&a, x[i] + size - 1));
		for (unsigned j = 0; j < i; j++)
			assert_true(!x[j] || x[j] + mv_trampoline_size(&plan.sites[j]) <= x[i] || x[i] + size <= x[j]);
	}
	assert_true(differ > plan.n / 2);
	mv_slots_free(&a);
	mv_slots_free(&b);
	mv_slots_free(&other);
	free(x);
	free(y);
	free(z);
	mv_plan_free(&plan);
}

static void slots_come_back_and_run_out(void **state)
{
	const uint64_t base = 0x7f1234560000;
	struct mv_range one = { base + 0x1000000, base + 0x1000000 + PAGE };
	const struct mv_site *site;
	struct mv_slots slots, copy;
	uint64_t slot, first = 0;
	struct mv_plan plan;
	unsigned n = 0;

	(void)state;
	plan_of(libc_path(), &plan);
	site = first_of(&plan, MV_SITE_P1);
	mv_slots_init(&slots, 7);
	assert_int_equal(mv_slots_take(&slots, site, base, NULL, 0, &slot), -ENOSPC);
	while (!mv_slots_take(&slots, site, base, &one, 1, &slot)) {
		first = n++ ? first : slot;
		assert_true(slot >= one.start && slot + mv_trampoline_size(site) <= one.end);
	}
	assert_int_equal(n, PAGE / 32);		/* 20 bytes each */
	assert_int_equal(slots.n, 1);
	assert_int_equal(mv_slots_copy(&copy, &slots), 0);
	mv_slots_give_back(&slots, site, first);
	assert_int_equal(mv_slots_take(&copy, site, base, &one, 1, &slot), -ENOSPC);
	assert_int_equal(mv_slots_take(&slots, site, base, &one, 1, &slot), 0);
	assert_int_equal(slot, first);
	assert_int_equal(mv_slots_take(&slots, first_of(&plan, MV_SITE_NONE), base, &one, 1, &slot), -EINVAL);
	/* Too far away, or less than a page. */
	one = (struct mv_range){ base + 3 * GIB, base + 4 * GIB };
	assert_int_equal(mv_slots_take(&slots, site, base, &one, 1, &slot), -ENOSPC);
	one = (struct mv_range){ base + 0x2000800, base + 0x2001800 - 1 };
	assert_int_equal(mv_slots_take(&slots, site, base, &one, 1, &slot), -ENOSPC);
	mv_slots_free(&slots);
	mv_slots_free(&copy);
	mv_plan_free(&plan);
}

/* An F site that wants traps in bytes 1, 2 and 3 finds one of the few places in a range that has few. */
static void slots_find_rare_places(void **state)
{
	const uint64_t base = 0x7f1234560000;
	const struct mv_range below = { base - 0x34000000, base - 0x33000000 };	/* distances 0xcc...... */
	const struct mv_range wrong = { base + 0x10000000, base + 0x15ffff00 };	/* 0x10 to 0x15: no trap byte */
	uint64_t start, size, slot;
	const struct mv_site *site = NULL;
	struct mv_trampoline t;
	struct mv_slots slots;
	struct mv_plan plan;

	(void)state;
	plan_of(cases_path(), &plan);
	find_symbol(cases_path(), "f_three", &start, &size);
	for (unsigned i = 0; i < plan.n; i++)
		if (plan.sites[i].vaddr - start < size)
			site = &plan.sites[i];
	assert_non_null(site);
	assert_int_equal(site->traps, 0xe);
	mv_slots_init(&slots, 1);
	assert_int_equal(mv_slots_take(&slots, site, base, &wrong, 1, &slot), -ENOSPC);
	assert_int_equal(mv_slots_take(&slots, site, base, &below, 1, &slot), 0);
	assert_int_equal(mv_trampoline_make(site, base, slot, 0, &t), 0);
	mv_slots_free(&slots);
	mv_plan_free(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_deterministic_and_apart),
		cmocka_unit_test(slots_come_back_and_run_out),
		cmocka_unit_test(slots_find_rare_places),
	};

	return cmocka_run_group_tests(tests, rewrite_setup, rewrite_teardown);
}
