/*
 * Libraries whose random numbers would differ between variants (rewrite/standin.h): their functions are replaced where a
 * variant has mapped them, before its call returns; in a program that exports them, since it has been linked with the library
 * statically, before it starts.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "engine/mm.h"
#include "pt.h"
#include "rewrite/standin.h"
#include "supervisor/boot.h"
#include "supervisor/procmaps.h"

/* What a file has, found once. */
struct pt_library {
	UT_hash_handle hh;
	struct { uint64_t device, inode, size, changed; } key;	/* nobody can set the last one back */
	struct mv_standin standins[MV_STANDINS_MAX];
	unsigned n;
};

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
	l->n = mv_standins_find(fd, pt->mode->engine_inside, l->standins);
	HASH_ADD(hh, pt->libraries, key, sizeof(l->key), l);
	return l;
}

void pt_libraries_free(struct pt *pt)
{
	struct pt_library *l, *next;

	HASH_ITER(hh, pt->libraries, l, next) {
		HASH_DEL(pt->libraries, l);
		free(l);
	}
}

static bool wanted(const struct pt *pt)
{
	const struct mv_run_options *o = pt->session->options;

	return !o->own_random && o->layout != MV_LAYOUT_SAME && pt->nvariants > 1;
}

static void write_code(struct pt_task *t, const struct mv_standin *s, uint64_t addr)
{
	char path[40];
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", t->tid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	if (mem < 0 || pwrite(mem, s->code, s->size, (off_t)addr) != (ssize_t)s->size)
		pt_fail(t->pt, 0, "cannot replace a function of process %d", t->tid);
	if (mem >= 0)
		close(mem);
	pt_forget_pages(t->pt);
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

	for (unsigned i = 0; i < l->n; i++) {
		const struct mv_standin *s = &l->standins[i];

		if (s->offset < offset || s->offset + s->size > offset + len)
			continue;
		write_code(t, s, addr + s->offset - offset);
		any = true;
	}
	return any;
}

bool pt_stand_in(struct pt_task *t, const struct mv_call *mmap_call, uint64_t addr)
{
	const uint64_t *a = mmap_call->args;
	const struct pt_library *l;
	char path[48];

	if (!(a[2] & PROT_EXEC) || a[3] & MAP_ANONYMOUS || !wanted(t->pt))
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

	if (!wanted(t->pt))
		return;
	snprintf(path, sizeof(path), "/proc/%d/exe", t->tid);
	l = library_at(t, path);
	if (!l || !l->n)
		return;
	if (!mv_maps_read(t->tid, &maps, &err))
		for (unsigned i = 0; i < maps.n; i++) {
			const struct mv_map *m = &maps.maps[i];

			if (m->name[0] == '/' && m->perms[2] == 'x' && in_program(plan, m))
				put_into(t, l, m->offset, m->end - m->start, m->start);
		}
	mv_maps_free(&maps);
}
