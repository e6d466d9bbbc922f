#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "rewrite/slots.h"
#include "rewrite/trampoline.h"
#include "rewrite_files.h"
#include "rewrite_machine.h"

#define GIB ((uint64_t)1 << 30)
#define PAGE ((uint64_t)4096)

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

/* Which register tells the monitor where to go on. */
static unsigned return_register(const struct mv_site *site)
{
	return mv_site_is_counter(site) ? REG_RAX : REG_RCX;
}

static void assert_registers(const struct machine_state *a, const struct machine_state *b, const struct mv_site *site)
{
	for (unsigned i = 0; i <= REG_EFL; i++)
		if (i != REG_RIP && i != return_register(site) && a->r[i] != b->r[i])
			fail_msg("site %#llx: register %u is %#llx and %#llx", (unsigned long long)site->vaddr, i, a->r[i], b->r[i]);
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
	assert_registers(&there, &here, site);
	if (there.r[REG_RIP] == (greg_t)at) {
		assert_int_equal(here.r[REG_RIP], entry_place);
		assert_int_equal(here.r[return_register(site)], at + 2);
		assert_int_equal(t->ret, at + 2);
		assert_memory_equal((void *)at, site->bytes + site->before, 2);		/* for a restart */
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
	assert_registers(&there, &here, site);
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
	assert_registers(&fresh, &s, site);
	assert_int_equal(s.r[return_register(site)], t->ret);
	assert_int_equal(t->ret, slot + MV_ENTRY_LEN);
	s.r[REG_RIP] = s.r[return_register(site)] - MV_ENTRY_LEN;	/* a restart */
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
		run_file(cases_path(), seed);
}

static void run_real_files(void **state)
{
	(void)state;
	run_file(libc_path(), 1);
	run_file(libc_path(), 2);
	run_file(loader_path(), 3);
	run_file(static_path(), 4);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_cases),
		cmocka_unit_test(run_real_files),
		cmocka_unit_test(unreachable_slots),
		cmocka_unit_test(living_libc),
	};

	return cmocka_run_group_tests(tests, rewrite_setup, rewrite_teardown);
}
