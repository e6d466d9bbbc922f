#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "rewrite/plan.h"
#include "rewrite/trampoline.h"
#include "rewrite_files.h"

struct expected {
	const char *function;
	struct { int kind, why, nr; } sites[2];	/* nr -2: no such site */
};

#define NOT_THERE { 0, 0, -2 }
#define P1(nr) { MV_SITE_P1, MV_WHY_NOT, nr }
#define F { MV_SITE_F, MV_WHY_NOT, -1 }
#define NONE(why, nr) { MV_SITE_NONE, MV_WHY_##why, nr }

static const struct expected cases[] = {
	{ "p1", { P1(39), NOT_THERE } },
	{ "p1_branch_to_syscall", { P1(-1), NOT_THERE } },
	{ "p1_rip", { P1(0), NOT_THERE } },
	{ "p1_rip_immediate", { P1(39), NOT_THERE } },
	{ "p1_twice", { P1(39), P1(110) } },
	{ "f_branch_into_mov", { F, NOT_THERE } },
	{ "f_lock", { F, NOT_THERE } },
	{ "f_lock_alone", { F, NOT_THERE } },
	{ "f", { F, NOT_THERE } },
	{ "f_rip", { F, NOT_THERE } },
	{ "f_jcc", { F, NOT_THERE } },
	{ "f_jcc_back", { F, NOT_THERE } },
	{ "f_loop", { F, NOT_THERE } },
	{ "f_jmp", { F, NOT_THERE } },
	{ "f_three", { F, NOT_THERE } },
	{ "f_ret", { F, NOT_THERE } },
	{ "f_indirect", { F, NOT_THERE } },
	{ "f_branch_from_far", { F, NOT_THERE } },
	{ "target", { NONE(TARGET, -1), NOT_THERE } },
	{ "target_from_far", { NONE(TARGET, -1), NOT_THERE } },
	{ "prefix", { NONE(PREFIX, 39), NOT_THERE } },
	{ "sigreturn", { NONE(SIGRETURN, 15), NOT_THERE } },
	{ "sigreturn_branch", { NONE(SIGRETURN, -1), NOT_THERE } },
	{ "call", { NONE(FIXED, -1), NOT_THERE } },
	{ "data_behind_ret", { NONE(FIXED, -1), NOT_THERE } },
	{ "next_is_syscall", { NONE(FIXED, -1), F } },
	{ "neighbour", { NONE(NEIGHBOUR, -1), P1(39) } },
	{ "at_end_padded", { NONE(END, -1), NOT_THERE } },
	{ "at_end", { NONE(END, -1), NOT_THERE } },
	{ "data", { P1(39), NOT_THERE } },
	{ "counter", { F, NOT_THERE } },
	{ "counter_p1", { { MV_SITE_P1, MV_WHY_NOT, -1 }, NOT_THERE } },
	{ "counter_and_call", { P1(-1), F } },
	{ "counter_target", { NONE(TARGET, -1), NOT_THERE } },
	{ "counter_and_processor", { NOT_THERE, NOT_THERE } },
	{ "undecodable", { NOT_THERE, NOT_THERE } },
	{ "by_symbol", { P1(39), NOT_THERE } },
	{ "longer", { P1(39), NOT_THERE } },
};

static void hand_written_cases(void **state)
{
	struct mv_plan plan;

	(void)state;
	plan_of(cases_path(), &plan);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct expected *e = &cases[i];
		uint64_t start, size;
		unsigned n = 0;

		find_symbol(cases_path(), e->function, &start, &size);
		for (unsigned s = 0; s < plan.n; s++) {
			const struct mv_site *site = &plan.sites[s];

			if (site->vaddr - start >= size)
				continue;
			if (n == 2 || e->sites[n].kind != site->kind || e->sites[n].why != site->why || e->sites[n].nr != site->nr)
				fail_msg("%s: site %u: kind %d why %d nr %d", e->function, n, site->kind, site->why, site->nr);
			n++;
		}
		if (n < 2 && e->sites[n].nr != -2)
			fail_msg("%s: %u sites", e->function, n);
	}
	assert_int_equal(plan.unbounded, 1);
	mv_plan_free(&plan);
}

/* What must hold of every plan, whatever the file. */
static void check_plan(const struct mv_plan *plan)
{
	for (unsigned i = 0; i < plan->n; i++) {
		const struct mv_site *s = &plan->sites[i];

		if (s->kind == MV_SITE_NONE) {
			assert_int_not_equal(s->why, MV_WHY_NOT);
			continue;
		}
		assert_int_equal(s->why, MV_WHY_NOT);
		assert_memory_equal(s->bytes + s->before, mv_site_is_counter(s) ? "\x0f\x31" : "\x0f\x05", 2);
		assert_true(!mv_site_is_counter(s) || s->nr == -1);
		assert_true(s->length >= MV_PATCH_LEN && s->nr != 15);
		assert_true(mv_trampoline_size(s) <= MV_TRAMPOLINE_MAX);
		if (s->kind == MV_SITE_F)
			assert_true(s->traps & 2);	/* behind `syscall`, whatever follows */
		if (i) {
			const struct mv_site *last = s - 1;

			assert_true(s->vaddr - s->before >= last->vaddr + (last->kind == MV_SITE_F ? last->length : 2));
		}
	}
}

/* Real libraries: nearly all of what they have can be rewritten. */
static void real_files(void **state)
{
	const struct { const char *path; unsigned least; } files[] = {
		{ libc_path(), 300 },
		{ loader_path(), 20 },
		{ static_path(), 50 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct mv_plan plan;

		plan_of(files[i].path, &plan);
		check_plan(&plan);
		print_message("%s: %u calls, P1 %u, F %u, neither %u, unbounded %u\n", files[i].path, plan.n,
			      mv_plan_count(&plan, MV_SITE_P1), mv_plan_count(&plan, MV_SITE_F),
			      mv_plan_count(&plan, MV_SITE_NONE), plan.unbounded);
		assert_true(plan.n >= files[i].least);
		assert_true(mv_plan_count(&plan, MV_SITE_NONE) * 20 <= plan.n);
		mv_plan_free(&plan);
	}
}

/* What is no ELF file, and ELF files that are cut off or damaged anywhere, are errors or plans, no crashes. */
static void damaged_files(void **state)
{
	struct mv_error err;
	struct mv_plan plan;
	uint8_t *good;
	size_t length;
	int fd = copy_in_memory(cases_path(), &good, &length);
	off_t whole = (off_t)length;

	(void)state;
	for (off_t size = 0; size < whole; size += size < 1024 ? 7 : 331) {
		assert_return_code(ftruncate(fd, 0), errno);
		assert_int_equal(mv_plan_make(fd, &plan, &err), -ENOEXEC);
		assert_int_equal(pwrite(fd, good, (size_t)size, 0), size);
		if (!mv_plan_make(fd, &plan, &err))
			check_plan(&plan);
		mv_plan_free(&plan);
	}
	for (off_t at = 0; at < whole; at += at < 1024 ? 1 : 13) {
		uint8_t bad[4] = { 0xff, (uint8_t)at, 0x7f, 0xff };

		assert_int_equal(pwrite(fd, good, length, 0), whole);
		assert_int_equal(pwrite(fd, bad, sizeof(bad), at), sizeof(bad));
		if (!mv_plan_make(fd, &plan, &err))
			check_plan(&plan);
		mv_plan_free(&plan);
	}
	free(good);
	close(fd);
}

/* Code that the loader is going to change is left alone. */
static void text_relocations(void **state)
{
	struct mv_error err;
	struct mv_plan plan;
	uint8_t *bytes;
	size_t length;
	int fd = copy_in_memory(cases_path(), &bytes, &length);
	Elf64_Ehdr eh;
	Elf64_Phdr ph = { .p_type = PT_NULL };
	Elf64_Dyn dyn;

	(void)state;
	memcpy(&eh, bytes, sizeof(eh));
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		memcpy(&ph, bytes + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_type == PT_DYNAMIC)
			break;
	}
	assert_int_equal(ph.p_type, PT_DYNAMIC);
	dyn = (Elf64_Dyn){ .d_tag = DT_FLAGS, .d_un.d_val = DF_BIND_NOW };
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(pwrite(fd, &dyn, sizeof(dyn), (off_t)ph.p_offset), sizeof(dyn));
		assert_int_equal(mv_plan_make(fd, &plan, &err), 0);
		assert_int_equal(mv_plan_count(&plan, MV_SITE_NONE) == plan.n, i > 0);
		mv_plan_free(&plan);
		if (i)
			dyn.d_tag = DT_TEXTREL;
		dyn.d_un.d_val = DF_TEXTREL;
	}
	free(bytes);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hand_written_cases),
		cmocka_unit_test(real_files),
		cmocka_unit_test(damaged_files),
		cmocka_unit_test(text_relocations),
	};

	return cmocka_run_group_tests(tests, rewrite_setup, rewrite_teardown);
}
