#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "rewrite/cache.h"
#include "rewrite/plan.h"
#include "rewrite/slots.h"
#include "rewrite/trampoline.h"
#include "rewrite_machine.h"
#include "supervisor/procmaps.h"

#define GIB ((uint64_t)1 << 30)
#define PAGE ((uint64_t)4096)

static struct mv_maps own_maps;

/* The file that this process has mapped at addr. */
static const char *file_at(uint64_t addr)
{
	const struct mv_map *map = mv_maps_find(&own_maps, addr);

	assert_non_null(map);
	return map->name;
}

static const char *libc_path(void)
{
	return file_at((uint64_t)(uintptr_t)getppid);
}

static const char *loader_path(void)
{
	return file_at(getauxval(AT_BASE));
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

static void plan_of(const char *path, struct mv_plan *plan)
{
	struct mv_error err;
	int fd = open_file(path);

	if (mv_plan_make(fd, plan, &err))
		fail_msg("%s: %s", path, err.text);
	close(fd);
}

static int setup(void **state)
{
	struct mv_error err;

	(void)state;
	return mv_maps_read(getpid(), &own_maps, &err);
}

static int teardown(void **state)
{
	(void)state;
	mv_maps_free(&own_maps);
	return 0;
}

/* ---- plans ---- */

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
	{ "next_is_syscall", { NONE(FIXED, -1), F } },
	{ "neighbour", { NONE(NEIGHBOUR, -1), P1(39) } },
	{ "at_end", { NONE(END, -1), NOT_THERE } },
	{ "data", { P1(39), NOT_THERE } },
	{ "undecodable", { NOT_THERE, NOT_THERE } },
	{ "by_symbol", { P1(39), NOT_THERE } },
	{ "longer", { P1(39), NOT_THERE } },
};

/* Where the function is that a file's symbol table calls so. */
static void find_symbol(int fd, const char *name, uint64_t *start, uint64_t *size)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	GElf_Sym sym;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	*size = 0;
	while ((scn = elf_nextscn(elf, scn)) && gelf_getshdr(scn, &sh)) {
		Elf_Data *data = elf_getdata(scn, NULL);

		for (int i = 0; sh.sh_type == SHT_SYMTAB && gelf_getsym(data, i, &sym); i++) {
			if (strcmp(elf_strptr(elf, sh.sh_link, sym.st_name), name))
				continue;
			*start = sym.st_value;
			*size = sym.st_size;
		}
	}
	elf_end(elf);
	if (!*size)
		fail_msg("no symbol %s", name);
}

static void hand_written_cases(void **state)
{
	const char *path = getenv("MV_REWRITE_CASES");
	struct mv_plan plan;
	int fd;

	(void)state;
	assert_non_null(path);
	plan_of(path, &plan);
	fd = open_file(path);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct expected *e = &cases[i];
		uint64_t start, size;
		unsigned n = 0;

		find_symbol(fd, e->function, &start, &size);
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
	close(fd);
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
		assert_memory_equal(s->bytes + s->before, "\x0f\x05", 2);
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
		{ getenv("MV_REWRITE_STATIC"), 50 },
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
	const char *path = getenv("MV_REWRITE_CASES");
	int from = open_file(path), fd = memfd_create("damaged", MFD_CLOEXEC);
	struct mv_error err;
	struct mv_plan plan;
	struct stat st;
	uint8_t *good;

	(void)state;
	assert_return_code(fstat(from, &st), errno);
	good = malloc((size_t)st.st_size);
	assert_int_equal(pread(from, good, (size_t)st.st_size, 0), st.st_size);
	assert_int_equal(mv_plan_make(fd, &plan, &err), -ENOEXEC);
	for (off_t size = 0; size < st.st_size; size += size < 1024 ? 7 : 331) {
		assert_return_code(ftruncate(fd, 0), errno);
		assert_int_equal(pwrite(fd, good, (size_t)size, 0), size);
		if (!mv_plan_make(fd, &plan, &err))
			check_plan(&plan);
		mv_plan_free(&plan);
	}
	for (off_t at = 0; at < st.st_size; at += at < 1024 ? 1 : 13) {
		uint8_t bad[4] = { 0xff, (uint8_t)at, 0x7f, 0xff };

		assert_int_equal(pwrite(fd, good, (size_t)st.st_size, 0), st.st_size);
		assert_int_equal(pwrite(fd, bad, sizeof(bad), at), sizeof(bad));
		if (!mv_plan_make(fd, &plan, &err))
			check_plan(&plan);
		mv_plan_free(&plan);
	}
	free(good);
	close(fd);
	close(from);
}

/* ---- trampolines, run ---- */

/* A file's segments, copied to where they can be written and run, with nothing else within 2 GiB. */
struct copy {
	struct mv_plan plan;
	char *room;
	uint64_t bias;
	struct mv_range free[2];
	struct mv_slots slots;
	unsigned run, skipped;
};

#define ROOM (6 * GIB)

static void copy_of(const char *path, uint64_t seed, struct copy *c)
{
	uint64_t end = 0, base = UINT64_MAX;
	int fd = open_file(path);
	Elf64_Phdr ph[32];
	Elf64_Ehdr eh;

	*c = (struct copy){ .bias = 0 };
	plan_of(path, &c->plan);
	c->room = mmap(NULL, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(c->room != MAP_FAILED);
	assert_int_equal(pread(fd, &eh, sizeof(eh), 0), sizeof(eh));
	assert_true(eh.e_phnum <= 32);
	assert_int_equal(pread(fd, ph, eh.e_phnum * sizeof(*ph), (off_t)eh.e_phoff), eh.e_phnum * sizeof(*ph));
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		uint64_t start = ph[i].p_vaddr & ~(PAGE - 1);

		if (ph[i].p_type != PT_LOAD)
			continue;
		if (base == UINT64_MAX) {
			base = start;
			c->bias = (uint64_t)(uintptr_t)c->room + ROOM / 2 - base;
		}
		end = (ph[i].p_vaddr + ph[i].p_memsz + PAGE - 1) & ~(PAGE - 1);
		assert_return_code(mprotect((void *)(c->bias + start), end - start, PROT_READ | PROT_WRITE | PROT_EXEC), errno);
		assert_int_equal(pread(fd, (void *)(c->bias + ph[i].p_vaddr), ph[i].p_filesz, (off_t)ph[i].p_offset),
				 ph[i].p_filesz);
	}
	c->free[0] = (struct mv_range){ (uint64_t)(uintptr_t)c->room, c->bias + base };
	c->free[1] = (struct mv_range){ c->bias + end, (uint64_t)(uintptr_t)c->room + ROOM };
	mv_slots_init(&c->slots, seed);
	close(fd);
}

static void copy_free(struct copy *c)
{
	mv_slots_free(&c->slots);
	mv_plan_free(&c->plan);
	munmap(c->room, ROOM);
}

static void map_new_pages(struct mv_slots *slots)
{
	for (unsigned i = 0; i < slots->n; i++) {
		if (slots->pages[i].mapped)
			continue;
		assert_return_code(mprotect((void *)slots->pages[i].addr, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC), errno);
		slots->pages[i].mapped = true;
	}
}

static uint64_t entry_place;	/* an int3 that stands for the monitor */

static void assert_registers(const struct machine_state *a, const struct machine_state *b, uint64_t vaddr)
{
	for (unsigned i = 0; i <= REG_EFL; i++)
		if (i != REG_RIP && i != REG_RCX && a->r[i] != b->r[i])
			fail_msg("site %#llx: register %u is %#llx and %#llx", (unsigned long long)vaddr, i, a->r[i], b->r[i]);
}

/* rip as it would be in the program's text. */
static uint64_t text_rip(const struct machine_state *s, const struct mv_site *site, uint64_t at, uint64_t slot)
{
	uint64_t rip = (uint64_t)s->r[REG_RIP];
	int offset;

	if (rip - slot >= mv_trampoline_size(site))
		return rip;
	offset = mv_trampoline_to_text(site, (unsigned)(rip - slot));
	assert_int_not_equal(offset, MV_NOWHERE);
	return at + (uint64_t)(int64_t)offset;
}

static uint8_t plant(uint64_t at)
{
	uint8_t *p = (uint8_t *)at, saved = *p;

	*p = 0xcc;
	return saved;
}

static void apply(const struct mv_trampoline *t, uint64_t slot)
{
	memcpy((void *)slot, t->code, t->size);
	memcpy((void *)t->patch_at, t->patch, sizeof(t->patch));
}

/* The instruction before the call, where it was and in the trampoline: same registers at the call or same fault. */
static void run_p1(const struct mv_site *site, uint64_t at, uint64_t slot, const struct mv_trampoline *t, uint64_t flags)
{
	struct machine_state there = machine_fresh(at - site->before, flags), here;
	uint8_t saved = plant(at);

	machine_run(&there);
	*(uint8_t *)at = saved;
	apply(t, slot);
	here = machine_fresh(at - site->before, flags);
	machine_run(&here);
	assert_int_equal(here.signal, there.signal);
	assert_registers(&there, &here, site->vaddr);
	if (there.r[REG_RIP] == (greg_t)at) {
		assert_int_equal(here.r[REG_RIP], entry_place);
		assert_int_equal(here.r[REG_RCX], at + 2);
		assert_int_equal(t->ret, at + 2);
		assert_memory_equal((void *)at, "\x0f\x05", 2);		/* for a restart */
	} else {
		assert_int_equal(text_rip(&here, site, at, slot), there.r[REG_RIP]);
	}
	memcpy((void *)t->patch_at, site->bytes, MV_PATCH_LEN);
}

/* All places that F's displaced instructions can go to get an int3. */
struct exits {
	unsigned n;
	uint64_t at[MV_DISPLACED_MAX + 1];
	uint8_t saved[MV_DISPLACED_MAX + 1];
};

static void plant_exits(const struct mv_site *site, uint64_t at, struct exits *e)
{
	e->n = 0;
	e->at[e->n++] = at + site->length;
	for (unsigned i = 0; i < site->ndisplaced; i++) {
		const struct mv_displaced *d = &site->displaced[i];
		const uint8_t *in = site->bytes + d->at;
		int32_t wide;

		if (d->kind != MV_DISPLACED_JMP && d->kind != MV_DISPLACED_JCC)
			continue;
		memcpy(&wide, in + d->length - 4, sizeof(wide));
		e->at[e->n++] = at + d->at + d->length +
				(uint64_t)(int64_t)(d->length == 2 ? (int8_t)in[1] : wide);
	}
	for (unsigned i = 0; i < e->n; i++)
		e->saved[i] = plant(e->at[i]);
}

static void remove_exits(const struct exits *e)
{
	for (unsigned i = e->n; i--;)
		*(uint8_t *)e->at[i] = e->saved[i];
}

/* What follows a call, from its instruction number i on, in its place and in the trampoline. */
static void run_displaced(const struct mv_site *site, uint64_t at, uint64_t slot, const struct mv_trampoline *t, unsigned i,
			  uint64_t flags, int64_t result)
{
	uint8_t offset = site->displaced[i].at;
	struct machine_state there = machine_fresh(at + offset, flags), here;
	int in_slot = mv_trampoline_from_text(site, offset);
	struct exits e;

	assert_int_not_equal(in_slot, MV_NOWHERE);
	assert_int_equal(mv_trampoline_to_text(site, (unsigned)in_slot), offset);
	plant_exits(site, at, &e);
	there.r[REG_RAX] = result;
	machine_run(&there);
	remove_exits(&e);
	apply(t, slot);
	plant_exits(site, at, &e);
	here = machine_fresh(slot + (unsigned)in_slot, flags);
	here.r[REG_RAX] = result;
	machine_run(&here);
	remove_exits(&e);
	assert_int_equal(here.signal, there.signal);
	assert_registers(&there, &here, site->vaddr);
	assert_int_equal(text_rip(&here, site, at, slot), there.r[REG_RIP]);
	memcpy((void *)t->patch_at, site->bytes, MV_PATCH_LEN);
}

static void run_f(const struct mv_site *site, uint64_t at, uint64_t slot, const struct mv_trampoline *t, uint64_t flags)
{
	struct machine_state fresh = machine_fresh(at, flags), s = fresh;

	apply(t, slot);
	machine_run(&s);
	fresh.r[REG_EFL] &= 0xcd5;
	assert_int_equal(s.signal, SIGTRAP);
	assert_int_equal(s.r[REG_RIP], entry_place);
	assert_registers(&fresh, &s, site->vaddr);
	assert_int_equal(s.r[REG_RCX], t->ret);
	assert_int_equal(t->ret, slot + MV_ENTRY_LEN);
	s.r[REG_RIP] = s.r[REG_RCX] - MV_ENTRY_LEN;	/* a restart */
	machine_run(&s);
	assert_int_equal(s.r[REG_RIP], entry_place);
	for (unsigned i = 0; i < site->ndisplaced; i++) {	/* branches that nobody foresaw */
		uint64_t into = at + site->displaced[i].at;

		if (site->displaced[i].at >= MV_PATCH_LEN)
			continue;
		s = machine_fresh(into, flags);
		machine_run(&s);
		assert_true(s.signal == SIGTRAP || s.signal == SIGILL);
		assert_int_equal(s.r[REG_RIP], into);
	}
	memcpy((void *)t->patch_at, site->bytes, MV_PATCH_LEN);
	for (unsigned i = 0; i < site->ndisplaced && site->displaced[i].kind != MV_DISPLACED_PAD; i++) {
		run_displaced(site, at, slot, t, i, flags, 0);
		run_displaced(site, at, slot, t, i, flags, 5);
		run_displaced(site, at, slot, t, i, flags, -EINTR);
	}
}

/* What is stored through FS would change this process. */
static bool uses_fs(const struct mv_site *site)
{
	for (unsigned i = 0; i < site->ndisplaced; i++)
		if (site->bytes[site->displaced[i].at] == 0x64)
			return true;
	return false;
}

static void run_site(struct copy *c, const struct mv_site *site)
{
	static const uint64_t flags[] = { 0, 0xcd5, 0x41, 0x880 };
	uint64_t at = c->bias + site->vaddr, slot;
	struct mv_trampoline t;

	assert_memory_equal((void *)(at - site->before), site->bytes, site->nbytes);
	assert_int_equal(mv_slots_take(&c->slots, site, at, c->free, 2, &slot), 0);
	map_new_pages(&c->slots);
	assert_int_equal(mv_trampoline_make(site, at, slot, MACHINE_ENTRY, &t), 0);
	assert_int_equal(t.size, mv_trampoline_size(site));
	if (uses_fs(site)) {
		c->skipped++;
		return;
	}
	for (unsigned i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		if (site->kind == MV_SITE_P1)
			run_p1(site, at, slot, &t, flags[i]);
		else
			run_f(site, at, slot, &t, flags[i]);
	}
	assert_memory_equal((void *)(at - site->before), site->bytes, site->nbytes);
	c->run++;
}

/* Every call of a file, one after the other, with and without its patch. */
static void run_file(const char *path, uint64_t seed)
{
	static uint8_t *entry;
	struct copy c;

	if (!entry) {
		entry = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(entry != MAP_FAILED);
		*entry = 0xcc;
		entry_place = (uint64_t)(uintptr_t)entry;
	}
	copy_of(path, seed, &c);
	machine_start(entry_place);
	for (unsigned i = 0; i < c.plan.n; i++)
		if (c.plan.sites[i].kind != MV_SITE_NONE)
			run_site(&c, &c.plan.sites[i]);
	machine_stop();
	print_message("%s: %u patches run, %u left out, %u trampoline pages\n", path, c.run, c.skipped, c.slots.n);
	assert_true(c.run > c.skipped * 10);
	assert_true(c.slots.n <= 4 + c.plan.n / 50);
	copy_free(&c);
}

static void run_cases(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++)
		run_file(getenv("MV_REWRITE_CASES"), seed);
}

static void run_real_files(void **state)
{
	(void)state;
	run_file(libc_path(), 1);
	run_file(libc_path(), 2);
	run_file(loader_path(), 3);
	run_file(getenv("MV_REWRITE_STATIC"), 4);
}

/* A trampoline that cannot reach, or whose place gives no trap bytes, is refused. */
static void unreachable_slots(void **state)
{
	struct mv_trampoline t;
	struct mv_plan plan;
	unsigned refused = 0;

	(void)state;
	plan_of(libc_path(), &plan);
	for (unsigned i = 0; i < plan.n; i++) {
		const struct mv_site *site = &plan.sites[i];
		uint64_t at = 0x100000000000 + site->vaddr;

		if (site->kind == MV_SITE_NONE) {
			assert_int_equal(mv_trampoline_make(site, at, at + 0x10000, 0, &t), -EINVAL);
			continue;
		}
		assert_int_equal(mv_trampoline_make(site, at, at + 2 * GIB + 64, 0, &t), -ERANGE);
		assert_int_equal(mv_trampoline_make(site, at, at - 2 * GIB - 64, 0, &t), -ERANGE);
		if (site->kind == MV_SITE_F) {
			/* Distance 0x01010100: no byte of it is a trap. */
			assert_int_equal(mv_trampoline_make(site, at, at + 5 + 0x01010100, 0, &t), -ERANGE);
			refused++;
		}
	}
	assert_true(refused);
	mv_plan_free(&plan);
}

/* ---- slots ---- */

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

static const struct mv_site *first_of(const struct mv_plan *plan, enum mv_site_kind kind)
{
	for (unsigned i = 0; i < plan->n; i++)
		if (plan->sites[i].kind == kind)
			return &plan->sites[i];
	fail_msg("no site of kind %d", kind);
	return NULL;
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
	int fd;

	(void)state;
	plan_of(getenv("MV_REWRITE_CASES"), &plan);
	fd = open_file(getenv("MV_REWRITE_CASES"));
	find_symbol(fd, "f_three", &start, &size);
	close(fd);
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

/* ---- a living libc ---- */

static unsigned gaps_of(const struct mv_maps *maps, struct mv_range *free)
{
	uint64_t end = 65536;
	unsigned n = 0;

	for (unsigned i = 0; i < maps->n; i++) {
		if (maps->maps[i].start > end && maps->maps[i].start < (uint64_t)1 << 47)
			free[n++] = (struct mv_range){ end, maps->maps[i].start };
		end = maps->maps[i].end;
	}
	return n;
}

/* Patch the libc that this process runs on.  The number of patches; only in a process that is going to end. */
static unsigned patch_libc(const struct mv_plan *plan)
{
	const struct mv_map *map = mv_maps_find(&own_maps, (uint64_t)(uintptr_t)getppid);
	struct mv_range *free = calloc(own_maps.n, sizeof(*free));
	struct mv_trampoline *todo = calloc(plan->n, sizeof(*todo));
	uint64_t *where = calloc(plan->n, sizeof(*where));
	unsigned n = 0, nfree = gaps_of(&own_maps, free);
	struct mv_slots slots;

	mv_slots_init(&slots, 99);
	for (unsigned i = 0; i < plan->n; i++) {
		const struct mv_site *site = &plan->sites[i];
		uint64_t at = map->start + (site->offset - map->offset);

		if (site->kind == MV_SITE_NONE || mv_slots_take(&slots, site, at, free, nfree, &where[n]) ||
		    mv_trampoline_make(site, at, where[n], MACHINE_ENTRY, &todo[n]))
			continue;
		n++;
	}
	for (unsigned i = 0; i < slots.n; i++)
		if (mmap((void *)slots.pages[i].addr, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
			return 0;
	if (mprotect((void *)map->start, map->end - map->start, PROT_READ | PROT_WRITE | PROT_EXEC))
		return 0;
	for (unsigned i = 0; i < n; i++)
		apply(&todo[i], where[i]);
	return n;
}

static char notes[1024];

/* A result, and errno if that failed. */
static void note(const char *name, long result)
{
	size_t used = strlen(notes);

	snprintf(notes + used, sizeof(notes) - used, "%s %ld,%d; ", name, result, result == -1 ? errno : 0);
}

/* Calls of many kinds, failing ones too; notes[] has what they give. */
static void exercise(void)
{
	struct timespec now = { 0, 0 }, nap = { 0, 1000 };
	int fds[2], null, status = 0;
	char buf[64] = "", cwd[256] = "";
	struct stat st;
	sigset_t set;
	FILE *file;
	pid_t pid;
	DIR *dir;
	void *p;

	note("pipe", pipe(fds));
	note("write", write(fds[1], "hello", 5));
	note("read", read(fds[0], buf, sizeof(buf)));
	note("text", strcmp(buf, "hello"));
	note("open", open("/nonexistent/file", O_RDONLY));
	note("seek", lseek(fds[0], 0, SEEK_SET));
	null = open("/dev/null", O_RDWR);
	note("null", null);
	note("dup", dup2(null, fds[0]));
	note("stat", fstat(null, &st));
	note("device", (long)st.st_rdev);
	p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(p, 1, 65536);
	note("munmap", munmap(p, 65536));
	note("madvise", madvise(p, 4096, -1));
	dir = opendir("/");
	note("dir", readdir(dir) != NULL);
	closedir(dir);
	file = fopen("/proc/self/stat", "r");
	note("stdio", fgets(buf, sizeof(buf), file) && atoi(buf) == getpid());
	fclose(file);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	note("mask", sigprocmask(SIG_BLOCK, &set, NULL));
	note("raise", raise(SIGUSR1));
	note("wait", sigtimedwait(&set, NULL, &nap));
	note("again", sigtimedwait(&set, NULL, &nap));
	note("nap", nanosleep(&nap, NULL));
	note("clock", clock_getres(CLOCK_REALTIME, &now));
	note("cwd", getcwd(cwd, sizeof(cwd)) != NULL);
	pid = fork();
	if (!pid)
		_exit(getppid() > 0 ? 7 : 8);
	note("waitpid", waitpid(pid, &status, 0) == pid);
	note("status", WEXITSTATUS(status));
	note("no child", waitpid(-1, NULL, 0));
	note("close", close(fds[1]));
	note("closed", close(fds[1]));
}

struct outcome {
	unsigned patched;
	uint64_t calls;
	char text[sizeof(notes)];
};

static void in_child(const struct mv_plan *plan, bool patched, struct outcome *o)
{
	int fds[2], status;
	pid_t pid;

	assert_return_code(pipe(fds), errno);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		struct outcome mine = { .patched = 0 };

		close(fds[0]);
		if (patched) {
			machine_live();
			mine.patched = patch_libc(plan);
		}
		exercise();
		strcpy(mine.text, notes);
		mine.calls = machine_live_calls();
		_exit(write(fds[1], &mine, sizeof(mine)) != sizeof(mine));
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], o, sizeof(*o)), sizeof(*o));
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void living_libc(void **state)
{
	struct outcome plain, patched;
	struct mv_plan plan;

	(void)state;
	plan_of(libc_path(), &plan);
	in_child(&plan, false, &plain);
	in_child(&plan, true, &patched);
	assert_string_equal(plain.text, patched.text);
	assert_int_equal(plain.calls, 0);
	assert_true(patched.calls >= 30);
	assert_int_equal(patched.patched, plan.n - mv_plan_count(&plan, MV_SITE_NONE));
	mv_plan_free(&plan);
}

/* ---- the cache ---- */

struct cache {
	char parent[64], dir[80], file[256];
	struct mv_plan plan;
	int fd;
};

static void cache_start(struct cache *c, const char *path)
{
	DIR *dir;
	struct dirent *entry;
	struct mv_error err;

	strcpy(c->parent, "/tmp/mvarmor-rewrite-XXXXXX");
	assert_non_null(mkdtemp(c->parent));
	snprintf(c->dir, sizeof(c->dir), "%s/a/b", c->parent);
	c->fd = open_file(path);
	plan_of(path, &c->plan);
	assert_int_equal(mv_cache_store(c->dir, &c->plan, &err), 0);
	dir = opendir(c->dir);
	c->file[0] = 0;
	while ((entry = readdir(dir))) {
		if (*entry->d_name == '.' && strlen(entry->d_name) <= 2)
			continue;
		assert_int_equal(c->file[0], 0);	/* one file, and nothing temporary */
		snprintf(c->file, sizeof(c->file), "%s/%s", c->dir, entry->d_name);
	}
	closedir(dir);
	assert_int_not_equal(c->file[0], 0);
}

static void cache_stop(struct cache *c)
{
	char a[80];

	unlink(c->file);
	rmdir(c->dir);
	snprintf(a, sizeof(a), "%s/a", c->parent);
	rmdir(a);
	assert_return_code(rmdir(c->parent), errno);
	close(c->fd);
	mv_plan_free(&c->plan);
}

static int load(const struct cache *c, int fd)
{
	struct mv_plan plan;
	struct mv_error err;
	int r = mv_cache_load(c->dir, fd, &plan, &err);

	if (r)
		return r;
	assert_int_equal(plan.n, c->plan.n);
	assert_int_equal(plan.unbounded, c->plan.unbounded);
	assert_memory_equal(plan.sites, c->plan.sites, plan.n * sizeof(*plan.sites));
	mv_plan_free(&plan);
	return 0;
}

static void cache_round_trip(void **state)
{
	const char *path[] = { libc_path(), loader_path(), getenv("MV_REWRITE_CASES") };
	struct mv_error err;
	struct cache c;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct mv_plan plan;
		bool cached = false;

		cache_start(&c, path[i]);
		assert_int_equal(load(&c, c.fd), 0);
		assert_int_equal(mv_cache_store(c.dir, &c.plan, &err), 0);	/* over the old one */
		assert_int_equal(load(&c, c.fd), 0);
		assert_int_equal(mv_cache_plan(c.dir, c.fd, &plan, &cached, &err), 0);
		assert_true(cached && plan.n == c.plan.n);
		mv_plan_free(&plan);
		unlink(c.file);
		assert_int_equal(load(&c, c.fd), -ENOENT);
		assert_int_equal(mv_cache_plan(c.dir, c.fd, &plan, &cached, &err), 0);
		assert_true(!cached && plan.n == c.plan.n);
		mv_plan_free(&plan);
		assert_int_equal(load(&c, c.fd), 0);	/* that stored it */
		cache_stop(&c);
	}
}

/* A flipped bit anywhere, a missing end, one byte too many. */
static void cache_damaged(void **state)
{
	struct cache c;
	struct stat st;
	int fd;

	(void)state;
	cache_start(&c, getenv("MV_REWRITE_CASES"));
	fd = open(c.file, O_RDWR | O_CLOEXEC);
	assert_return_code(fstat(fd, &st), errno);
	for (off_t at = 0; at < st.st_size; at++) {
		uint8_t byte, bad;
		int r;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		bad = byte ^ (uint8_t)(1 << at % 8);
		assert_int_equal(pwrite(fd, &bad, 1, at), 1);
		r = load(&c, c.fd);
		assert_true(r == -EBADMSG || r == -ENOENT);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_int_equal(load(&c, c.fd), 0);
	assert_return_code(ftruncate(fd, st.st_size + 1), errno);
	assert_int_equal(load(&c, c.fd), -EBADMSG);
	for (off_t size = st.st_size - 1; size >= 0; size -= 61) {
		assert_return_code(ftruncate(fd, size), errno);
		assert_int_equal(load(&c, c.fd), -EBADMSG);
	}
	close(fd);
	cache_stop(&c);
}

/* What others could have written is not looked at. */
static void cache_of_others(void **state)
{
	struct cache c;
	char elsewhere[300];

	(void)state;
	cache_start(&c, getenv("MV_REWRITE_CASES"));
	assert_return_code(chmod(c.file, 0664), errno);
	assert_int_equal(load(&c, c.fd), -EPERM);
	assert_return_code(chmod(c.file, 0646), errno);
	assert_int_equal(load(&c, c.fd), -EPERM);
	assert_return_code(chmod(c.file, 0644), errno);
	assert_int_equal(load(&c, c.fd), 0);
	assert_return_code(chmod(c.dir, 0777), errno);
	assert_int_equal(load(&c, c.fd), -EPERM);
	assert_return_code(chmod(c.dir, 0755), errno);
	if (geteuid() == 0) {
		assert_return_code(chown(c.file, 65534, 65534), errno);
		assert_int_equal(load(&c, c.fd), -EPERM);
		assert_return_code(chown(c.file, 0, 0), errno);
		assert_return_code(chown(c.dir, 65534, 65534), errno);
		assert_int_equal(load(&c, c.fd), -EPERM);
		assert_return_code(chown(c.dir, 0, 0), errno);
	}
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", c.parent);
	assert_return_code(rename(c.file, elsewhere), errno);
	assert_return_code(symlink(elsewhere, c.file), errno);
	assert_int_equal(load(&c, c.fd), -ELOOP);
	unlink(c.file);
	unlink(elsewhere);
	cache_stop(&c);
}

/* The same build-id says little: other code behind it is another file, and so is one of another length. */
static void cache_of_another_file(void **state)
{
	int copy = memfd_create("copy", MFD_CLOEXEC);
	const struct mv_site *site;
	struct cache c;
	struct stat st;
	uint8_t *bytes;

	(void)state;
	cache_start(&c, getenv("MV_REWRITE_CASES"));
	assert_return_code(fstat(c.fd, &st), errno);
	bytes = malloc((size_t)st.st_size);
	assert_int_equal(pread(c.fd, bytes, (size_t)st.st_size, 0), st.st_size);
	assert_int_equal(write(copy, bytes, (size_t)st.st_size), st.st_size);
	assert_int_equal(load(&c, copy), 0);
	site = first_of(&c.plan, MV_SITE_P1);
	bytes[site->offset] ^= 0x40;		/* at a site */
	assert_int_equal(pwrite(copy, bytes, (size_t)st.st_size, 0), st.st_size);
	assert_int_equal(load(&c, copy), -ENOENT);
	bytes[site->offset] ^= 0x40;
	bytes[c.plan.sites[c.plan.n - 1].offset + 40] ^= 1;	/* behind all sites */
	assert_int_equal(pwrite(copy, bytes, (size_t)st.st_size, 0), st.st_size);
	assert_int_equal(load(&c, copy), -ENOENT);
	bytes[c.plan.sites[c.plan.n - 1].offset + 40] ^= 1;
	assert_int_equal(pwrite(copy, bytes, (size_t)st.st_size, 0), st.st_size);
	assert_int_equal(load(&c, copy), 0);
	assert_int_equal(pwrite(copy, "x", 1, st.st_size), 1);
	assert_int_equal(load(&c, copy), -ENOENT);
	free(bytes);
	close(copy);
	cache_stop(&c);
}

static void cache_directory(void **state)
{
	char path[64], tiny[4];

	(void)state;
	setenv("XDG_CACHE_HOME", "/somewhere", 1);
	assert_int_equal(mv_cache_dir(path, sizeof(path)), 0);
	assert_string_equal(path, geteuid() ? "/somewhere/mvarmor" : "/var/cache/mvarmor");
	assert_int_equal(mv_cache_dir(tiny, sizeof(tiny)), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hand_written_cases),
		cmocka_unit_test(real_files),
		cmocka_unit_test(damaged_files),
		cmocka_unit_test(run_cases),
		cmocka_unit_test(run_real_files),
		cmocka_unit_test(unreachable_slots),
		cmocka_unit_test(slots_are_deterministic_and_apart),
		cmocka_unit_test(slots_come_back_and_run_out),
		cmocka_unit_test(slots_find_rare_places),
		cmocka_unit_test(living_libc),
		cmocka_unit_test(cache_round_trip),
		cmocka_unit_test(cache_damaged),
		cmocka_unit_test(cache_of_others),
		cmocka_unit_test(cache_of_another_file),
		cmocka_unit_test(cache_directory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
