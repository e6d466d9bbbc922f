/*
 * Libraries whose random numbers would differ between variants (rewrite/standin.h): their functions are replaced where a
 * variant has mapped them, before its call returns; in a program that exports them, since it has been linked with the library
 * statically, before it starts.
 *
 * Likewise each rdtsc of the file, where the processor does not trap it: by an instruction that traps as rdtsc would, `int $0x31`,
 * which is rdtsc but for its first byte.  Nobody's code has that: it is a fault on every kernel.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <x86intrin.h>
#include "base/log.h"
#include "engine/mm.h"
#include "pt.h"
#include "rewrite/cache.h"
#include "rewrite/standin.h"
#include "supervisor/boot.h"
#include "supervisor/procmaps.h"

/* What a file has, found once. */
struct pt_library {
	UT_hash_handle hh;
	struct { uint64_t device, inode, size, changed; } key;	/* nobody can set the last one back */
	struct mv_standin standins[MV_STANDINS_MAX];
	unsigned n;
	uint64_t *looks;	/* where in the file each rdtsc is that is to be replaced */
	unsigned nlooks;
};

/* ---- the time stamp counter ---- */

static sigjmp_buf trapped;

static void on_trap(int sig)
{
	(void)sig;
	siglongjmp(trapped, 1);
}

void pt_counter_probe(struct pt *pt)
{
	struct sigaction sa = { .sa_handler = on_trap }, old;
	sigset_t segv, mask;

	/* Whoever has started us may have blocked it; it would kill. */
	sigemptyset(&segv);
	sigaddset(&segv, SIGSEGV);
	sigprocmask(SIG_UNBLOCK, &segv, &mask);
	sigaction(SIGSEGV, &sa, &old);
	if (!sigsetjmp(trapped, 1)) {
		prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
		(void)__rdtsc();
		pt->counter_escapes = true;
	}
	prctl(PR_SET_TSC, PR_TSC_ENABLE);
	sigaction(SIGSEGV, &old, NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

static void find_looks(struct pt_library *l, int fd)
{
	struct mv_plan plan;
	char dir[4096];

	if (mv_cache_plan(mv_cache_dir(dir, sizeof(dir)) ? NULL : dir, fd, &plan, NULL, NULL))
		return;
	l->looks = calloc(plan.n + 1u, sizeof(*l->looks));
	for (unsigned i = 0; l->looks && i < plan.n; i++)
		if (mv_site_is_counter(&plan.sites[i]) && plan.sites[i].why != MV_WHY_PREFIX)
			l->looks[l->nlooks++] = plan.sites[i].offset;
	mv_plan_free(&plan);
}

static bool replaces_looks(const struct pt *pt)
{
	return pt->counter_escapes && pt->nvariants > 1;
}

static void replace_look(struct pt_task *t, int mem, uint64_t addr)
{
	static const uint8_t rdtsc[] = { 0x0f, 0x31 };
	uint8_t found[sizeof(rdtsc)];

	/* The loader may have changed code, and the file may be another by now. */
	if (pread(mem, found, sizeof(found), (off_t)addr) != sizeof(found) || memcmp(found, rdtsc, sizeof(found)))
		return;
	if (pwrite(mem, &(uint8_t){ PT_LOOK_REPLACED }, 1, (off_t)addr) != 1)
		pt_fail(t->pt, 0, "cannot replace a look at the time stamp counter in process %d", t->tid);
}

/* ---- files ---- */

static bool replaces_random(const struct pt *pt)
{
	const struct mv_run_options *o = pt->session->options;

	return !o->own_random && o->layout != MV_LAYOUT_SAME && pt->nvariants > 1;
}

static const struct pt_library *library(struct pt *pt, int fd)
{
	struct pt_library *l, key = { 0 };
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return NULL;
	key.key.device = st.st_dev;
	key.key.inode = st.st_ino;
	key.key.size = (uint64_t)st.st_size;
	key.key.changed = (uint64_t)st.st_ctim.tv_sec * 1000000000u + (uint64_t)st.st_ctim.tv_nsec;
	HASH_FIND(hh, pt->libraries, &key.key, sizeof(key.key), l);
	if (l)
		return l;
	l = malloc(sizeof(*l));
	if (!l)
		return NULL;
	*l = key;
	if (replaces_random(pt))
		l->n = mv_standins_find(fd, pt->mode->engine_inside, l->standins);
	if (replaces_looks(pt))
		find_looks(l, fd);
	HASH_ADD(hh, pt->libraries, key, sizeof(l->key), l);
	return l;
}

void pt_libraries_free(struct pt *pt)
{
	struct pt_library *l, *next;

	HASH_ITER(hh, pt->libraries, l, next) {
		HASH_DEL(pt->libraries, l);
		free(l->looks);
		free(l);
	}
}

static void write_code(struct pt_task *t, int mem, const struct mv_standin *s, uint64_t addr)
{
	if (pwrite(mem, s->code, s->size, (off_t)addr) != (ssize_t)s->size)
		pt_fail(t->pt, 0, "cannot replace a function of process %d", t->tid);
	mv_log(MV_LOG_BOOT, "variant %u: process %d: random numbers come from the kernel (code at %#lx)", t->variant, t->tid, addr);
}

static const struct pt_library *library_at(struct pt_task *t, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const struct pt_library *l = fd < 0 ? NULL : library(t->pt, fd);

	if (fd >= 0)
		close(fd);
	return l;
}

/* That part of the file, from offset on, is mapped at addr. */
static bool put_into(struct pt_task *t, const struct pt_library *l, uint64_t offset, uint64_t len, uint64_t addr)
{
	bool any = false;
	char path[40];
	int mem;

	if (!l->n && !l->nlooks)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/mem", t->tid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	for (unsigned i = 0; i < l->n; i++) {
		const struct mv_standin *s = &l->standins[i];

		if (s->offset < offset || s->offset + s->size > offset + len)
			continue;
		write_code(t, mem, s, addr + s->offset - offset);
		any = true;
	}
	for (unsigned i = 0; i < l->nlooks; i++)
		if (l->looks[i] >= offset && l->looks[i] + 2 <= offset + len)
			replace_look(t, mem, addr + l->looks[i] - offset);
	if (mem >= 0)
		close(mem);
	pt_forget_pages(t->pt);
	return any;
}

static bool looks_into_files(const struct pt *pt)
{
	return replaces_random(pt) || replaces_looks(pt);
}

bool pt_stand_in(struct pt_task *t, const struct mv_call *mmap_call, uint64_t addr)
{
	const uint64_t *a = mmap_call->args;
	const struct pt_library *l;
	char path[48];

	if (!(a[2] & PROT_EXEC) || a[3] & MAP_ANONYMOUS || !looks_into_files(t->pt))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", t->tid, (int)a[4]);
	l = library_at(t, path);
	return l && put_into(t, l, a[5], a[1], addr);
}

static bool in_program(const struct mv_boot_plan *plan, const struct mv_map *m)
{
	for (unsigned i = 0; i < plan->nmappings; i++)
		if (plan->mappings[i].ordinal == MV_MAP_PROGRAM)
			return m->start >= plan->mappings[i].start && m->end <= plan->mappings[i].start + plan->mappings[i].len;
	return false;
}

void pt_stand_in_program(struct pt_task *t, const struct mv_boot_plan *plan)
{
	struct mv_error err = { 0 };
	const struct pt_library *l;
	struct mv_maps maps;
	char path[32];

	if (!looks_into_files(t->pt))
		return;
	snprintf(path, sizeof(path), "/proc/%d/exe", t->tid);
	l = library_at(t, path);
	if (!l || (!l->n && !l->nlooks))
		return;
	if (!mv_maps_read(t->tid, &maps, &err))
		for (unsigned i = 0; i < maps.n; i++) {
			const struct mv_map *m = &maps.maps[i];

			if (m->name[0] == '/' && m->perms[2] == 'x' && in_program(plan, m))
				put_into(t, l, m->offset, m->end - m->start, m->start);
		}
	mv_maps_free(&maps);
}
