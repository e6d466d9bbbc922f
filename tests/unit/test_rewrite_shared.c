/* A text that is rewritten once for all who map it: what is changed, and that it is good wherever it is mapped. */
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
#include "rewrite/shared.h"
#include "rewrite_files.h"

#define PAGE 4096u
#define ENTRY 8

struct text {
	struct mv_plan plan;
	struct mv_shared shared;
	uint8_t *file, *bytes;		/* as it is in the file, and rewritten */
};

/* What a loader maps of the executable segment: whole pages. */
static void executable(int fd, uint64_t *offset, uint64_t *size)
{
	Elf64_Phdr ph;
	Elf64_Ehdr eh;

	assert_int_equal(pread(fd, &eh, sizeof(eh), 0), sizeof(eh));
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		assert_int_equal(pread(fd, &ph, sizeof(ph), (off_t)(eh.e_phoff + i * sizeof(ph))), sizeof(ph));
		if (ph.p_type != PT_LOAD || !(ph.p_flags & PF_X))
			continue;
		*offset = ph.p_offset & ~(uint64_t)(PAGE - 1);
		*size = ((ph.p_offset + ph.p_filesz + PAGE - 1) & ~(uint64_t)(PAGE - 1)) - *offset;
		return;
	}
	fail_msg("no executable segment");
}

static void text_start(struct text *t, const char *path, uint64_t seed)
{
	int fd = open_file(path);
	uint64_t offset = 0, size = 0;

	plan_of(path, &t->plan);
	executable(fd, &offset, &size);
	assert_int_equal(mv_shared_plan(&t->plan, offset, size, seed, &t->shared), 0);
	t->file = calloc(1, size);
	t->bytes = calloc(1, size + t->shared.tramp_size);
	assert_non_null(t->file);
	assert_non_null(t->bytes);
	assert_true(pread(fd, t->file, size, (off_t)offset) > 0);
	memcpy(t->bytes, t->file, size);
	assert_int_equal(mv_shared_apply(&t->shared, ENTRY, t->bytes), 0);
	close(fd);
}

static void text_stop(struct text *t)
{
	mv_shared_free(&t->shared);
	mv_plan_free(&t->plan);
	free(t->file);
	free(t->bytes);
}

static int64_t jump_target(const uint8_t *bytes, int64_t at)
{
	int32_t distance;

	assert_int_equal(bytes[at], 0xe9);
	memcpy(&distance, bytes + at + 1, sizeof(distance));
	return at + MV_PATCH_LEN + distance;
}

/* Only patches differ from the file, each leads to its own trampoline, and each trampoline is what it would be elsewhere too. */
static void check_text(const struct text *t, uint64_t address)
{
	const struct mv_shared *s = &t->shared;
	uint8_t *rest = malloc(s->size), *used = calloc(1, s->tramp_size);

	assert_non_null(rest);
	assert_non_null(used);
	memcpy(rest, t->bytes, s->size);
	for (unsigned i = 0; i < s->n; i++) {
		const struct mv_shared_site *site = &s->sites[i];
		int64_t patch = site->at - site->site->before, in = site->slot - s->distance;
		struct mv_trampoline tramp;

		assert_int_equal(jump_target(t->bytes, patch), site->slot);
		assert_int_equal(mv_trampoline_make(site->site, address + (uint64_t)site->at, address + (uint64_t)site->slot, ENTRY, &tramp), 0);
		assert_in_range(in, 0, s->tramp_size - tramp.size);
		assert_memory_equal(t->bytes + s->size + in, tramp.code, tramp.size);
		assert_memory_equal(t->bytes + patch, tramp.patch, MV_PATCH_LEN);
		for (unsigned b = 0; b < tramp.size; b++)
			assert_int_equal(used[in + b]++, 0);
		memcpy(rest + patch, t->file + patch, MV_PATCH_LEN);
	}
	assert_memory_equal(rest, t->file, s->size);
	for (uint64_t b = 0; b < s->tramp_size; b++)
		assert_true(used[b] || t->bytes[s->size + b] == 0xcc);
	free(rest);
	free(used);
}

static void real_files(void **state)
{
	const char *path[] = { libc_path(), loader_path(), cases_path() };
	struct text t;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		for (uint64_t seed = 1; seed <= 8; seed++) {
			unsigned can;

			text_start(&t, path[i], seed);
			can = mv_plan_count(&t.plan, MV_SITE_P1) + mv_plan_count(&t.plan, MV_SITE_F);
			print_message("%s: %u of %u sites, %lu bytes of trampolines\n", path[i], t.shared.n, can, t.shared.tramp_size);
			assert_in_range(t.shared.n, i < 2 ? can : can / 2, can);	/* the last one is made of rare cases */
			assert_true(t.shared.tramp_size <= 128 * 1024 && t.shared.distance < 0);
			check_text(&t, 0x7f1234567000);
			check_text(&t, 0x400000000000);
			text_stop(&t);
		}
}

static void another_file(void **state)
{
	struct text t;

	(void)state;
	text_start(&t, cases_path(), 1);
	memcpy(t.bytes, t.file, t.shared.size);
	t.bytes[t.shared.sites[t.shared.n / 2].at] ^= 1;
	assert_int_equal(mv_shared_apply(&t.shared, ENTRY, t.bytes), -ESTALE);
	text_stop(&t);
}

static void nothing_to_do(void **state)
{
	struct mv_shared s;
	struct mv_plan plan;

	(void)state;
	plan_of(libc_path(), &plan);
	assert_int_equal(mv_shared_plan(&plan, 0, PAGE, 1, &s), -ENOENT);
	assert_int_equal(mv_shared_plan(&(struct mv_plan){ 0 }, 0, PAGE, 1, &s), -ENOENT);
	mv_plan_free(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_files),
		cmocka_unit_test(another_file),
		cmocka_unit_test(nothing_to_do),
	};

	return cmocka_run_group_tests(tests, rewrite_setup, rewrite_teardown);
}
