/*
 * Call sites of the program, made to go to the monitor by themselves (src/rewrite).  A call that stops costs a hundred times as
 * much as one that does not, and rewriting costs a little for each process: it is done when a process has made some calls, or
 * is about to have a second thread, for all code that is mapped from files at that moment.  Nothing may run in that code
 * meanwhile: only processes with one thread are rewritten as a whole.  In others, code that a thread maps is rewritten before
 * its mmap returns, when no thread can know of it yet.  All other calls stop, which is slower and as right.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/log.h"
#include "frontend/ptrace/inject.h"
#include "rewrite/cache.h"
#include "rewriting.h"
#include "supervisor/procmaps.h"

#define STOPS 128		/* calls of a process after which it is rewritten: what they cost is about what it costs */
#define REACH ((uint64_t)1 << 31)
#define BRK_ROOM ((uint64_t)64 << 30)	/* where the program break may grow */
#define LOWEST 0x10000ull
#define BATCH 512		/* sites that are compared by one call */

/* ---- plans ---- */

bool in_key_of(int fd, struct in_key *key)
{
	struct stat st;

	memset(key, 0, sizeof(*key));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	key->device = st.st_dev;
	key->inode = st.st_ino;
	key->size = (uint64_t)st.st_size;
	key->time = (uint64_t)st.st_ctim.tv_sec * 1000000000u + (uint64_t)st.st_ctim.tv_nsec;	/* nobody can set it back */
	return true;
}

void in_plan_read(int fd, struct mv_plan *plan)
{
	char dir[4096];

	if (mv_cache_plan(mv_cache_dir(dir, sizeof(dir)) ? NULL : dir, fd, plan, NULL, NULL))
		memset(plan, 0, sizeof(*plan));
}

struct in_plan *in_plan_of(struct pt *pt, int fd)
{
	struct in_plan *p;
	struct in_key key;

	if (!in_key_of(fd, &key))
		return NULL;
	HASH_FIND(hh, pt->inproc->plans, &key, sizeof(key), p);
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->key = key;
	if (!in_ahead_take(pt, p))
		in_plan_read(fd, &p->plan);
	HASH_ADD(hh, pt->inproc->plans, key, sizeof(p->key), p);
	return p;
}

void in_plans_free(struct pt *pt)
{
	struct in_plan *p, *next;

	HASH_ITER(hh, pt->inproc->plans, p, next) {
		HASH_DEL(pt->inproc->plans, p);
		mv_plan_free(&p->plan);
		free(p);
	}
}

/* ---- processes ---- */

struct in_process *in_process_of(struct pt_task *t)
{
	struct in_process *p = t->process->inside;

	if (p)
		return p;
	p = t->process->inside = calloc(1, sizeof(*p));
	if (p) {
		p->limit = STOPS;
		mv_slots_init(&p->slots, t->pt->secret[1] ^ t->id);
	}
	return p;
}

void in_process_free(struct pt_process *process)
{
	struct in_process *p = process->inside;

	if (!p)
		return;
	mv_log(MV_LOG_BOOT, "variant %u: process %d: %lu calls have stopped, %u call sites were rewritten", process->variant,
	       process->tgid, p->stopped, p->npatches);
	mv_slots_free(&p->slots);
	free(p->patches);
	free(p->texts);
	free(p);
	process->inside = NULL;
}

void in_process_fork(struct pt_task *parent, struct pt_task *child, bool shares_memory)
{
	struct in_process *from = parent->process->inside, *p;

	if (child->process == parent->process || !from)
		return;
	p = in_process_of(child);
	if (!p)
		return;
	p->borrowed = shares_memory;
	p->limit = from->limit;
	p->grown = from->grown;
	p->patches = malloc(from->npatches * sizeof(*p->patches));
	p->texts = malloc(from->ntexts * sizeof(*p->texts));
	if (mv_slots_copy(&p->slots, &from->slots) || (!p->patches && from->npatches) || (!p->texts && from->ntexts)) {
		p->borrowed = true;	/* without knowing its slots nothing can be added */
		return;
	}
	if (from->npatches)
		memcpy(p->patches, from->patches, from->npatches * sizeof(*p->patches));
	if (from->ntexts)
		memcpy(p->texts, from->texts, from->ntexts * sizeof(*p->texts));
	p->npatches = p->room = from->npatches;
	p->ntexts = from->ntexts;
}

/* ---- rewriting ---- */

struct rewriting {
	struct pt_task *t;
	struct in_process *p;
	struct mv_maps maps;
	int mem;
	unsigned done;
};

/*
 * Patches whose code is unmapped, or there again as the file has it.  Code that the program has changed itself may get its
 * jump back.  With one thread nothing can be on its way through the slot.
 */
static void forget_gone(struct rewriting *r)
{
	uint8_t found[MV_SITE_BYTES];
	unsigned n = 0;

	for (unsigned i = 0; i < r->p->npatches; i++) {
		const struct patch *p = &r->p->patches[i];
		const struct mv_site *s = p->site;

		if (pt_peek(r->t, p->at - s->before, found, s->nbytes) == s->nbytes && memcmp(found, s->bytes, s->nbytes))
			r->p->patches[n++] = *p;
		else
			mv_slots_give_back(&r->p->slots, s, p->slot);
	}
	r->p->npatches = n;
}

/* Ranges near [start, end) in which nothing is mapped, and where the program break will not be. */
static unsigned free_ranges(const struct rewriting *r, uint64_t start, uint64_t end, struct mv_range *out, unsigned max)
{
	uint64_t low = start > REACH + LOWEST ? start - REACH : LOWEST, high = end + REACH, at = low;
	const struct mv_brk *brk = &r->t->inside->brk;
	unsigned n = 0;

	for (unsigned i = 0; i <= r->maps.n && n + 1 < max && at < high; i++) {
		uint64_t to = i < r->maps.n ? r->maps.maps[i].start : high;

		if (i < r->maps.n && r->maps.maps[i].end <= low)
			continue;
		if (to > high)
			to = high;
		if (to > at && !(brk->start < to && at < brk->limit))
			out[n++] = (struct mv_range){ at, to };
		else if (to > at && at < brk->start)
			out[n++] = (struct mv_range){ at, brk->start };
		if (i < r->maps.n && r->maps.maps[i].end > at)
			at = r->maps.maps[i].end;
	}
	return n;
}

/* Where the program has mapped something else since, nothing is free. */
static void find_lost_pages(struct rewriting *r)
{
	for (unsigned i = 0; i < r->p->slots.n; i++) {
		struct mv_slot_page *page = &r->p->slots.pages[i];
		const struct mv_map *m = mv_maps_find(&r->maps, page->addr);

		if (page->mapped && (!m || strcmp(m->perms, "r-xp") || m->name[0]))
			memset(page->used, 0xff, sizeof(page->used));
	}
}

static bool map_page(struct rewriting *r, uint64_t addr)
{
	struct pt_task *t = r->t;
	struct mv_inject_call c = {
		.nr = SYS_mmap, .args = { addr, MV_SLOT_PAGE, PROT_READ | PROT_EXEC,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0 },
	};
	int64_t result;

	return !mv_inject_call(t->tid, "rewriting", t->pt->inproc->images[t->variant].info.kernel, &c, &result, NULL) &&
	       result == (int64_t)addr;
}

/* New pages are full of traps. */
static bool map_pages(struct rewriting *r)
{
	uint8_t traps[MV_SLOT_PAGE];

	memset(traps, 0xcc, sizeof(traps));
	for (unsigned i = 0; i < r->p->slots.n; i++) {
		struct mv_slot_page *page = &r->p->slots.pages[i];

		if (page->mapped)
			continue;
		if (!map_page(r, page->addr) || pwrite(r->mem, traps, sizeof(traps), (off_t)page->addr) != sizeof(traps))
			return false;
		page->mapped = true;
	}
	return true;
}

static bool remember(struct in_process *p, const struct patch *patch)
{
	if (p->npatches == p->room) {
		unsigned room = p->room ? 2 * p->room : 256;
		struct patch *more = realloc(p->patches, room * sizeof(*more));

		if (!more)
			return false;
		p->patches = more;
		p->room = room;
	}
	p->patches[p->npatches++] = *patch;
	return true;
}

static bool patch_site(struct rewriting *r, const struct mv_site *site, uint64_t at, uint64_t slot)
{
	struct patch patch = { .at = at, .slot = slot, .site = site };
	struct mv_trampoline tramp;

	if (mv_trampoline_make(site, at, slot, MON_ENTRY, &tramp) || !remember(r->p, &patch))
		return false;
	if (pwrite(r->mem, tramp.code, tramp.size, (off_t)slot) != (ssize_t)tramp.size ||
	    pwrite(r->mem, tramp.patch, sizeof(tramp.patch), (off_t)tramp.patch_at) != sizeof(tramp.patch))
		return false;
	r->done++;
	return true;
}

/* Which of sites are in memory as they are in the file, but for what makes looks at the counter trap?  Bit i of *same. */
static void compare(const struct rewriting *r, const struct mv_map *m, const struct mv_site *sites, unsigned n, bool *same)
{
	static uint8_t bytes[BATCH][MV_SITE_BYTES];
	struct iovec local[BATCH], remote[BATCH];
	ssize_t got;

	for (unsigned i = 0; i < n; i++) {
		local[i] = (struct iovec){ bytes[i], sites[i].nbytes };
		remote[i] = (struct iovec){ (void *)(m->start + (sites[i].offset - m->offset) - sites[i].before), sites[i].nbytes };
	}
	got = process_vm_readv(r->t->tid, local, n, remote, n, 0);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *site = &bytes[i][sites[i].before];

		if (mv_site_is_counter(&sites[i]) && *site == PT_LOOK_REPLACED)
			*site = sites[i].bytes[sites[i].before];
		same[i] = sites[i].kind != MV_SITE_NONE && got >= sites[i].nbytes &&
			  !memcmp(bytes[i], sites[i].bytes, sites[i].nbytes);
		got -= got >= sites[i].nbytes ? sites[i].nbytes : got;
	}
}

static void patch_some(struct rewriting *r, const struct mv_map *m, const struct mv_site *sites, unsigned n)
{
	struct mv_range ranges[64];
	uint64_t slots[BATCH];
	bool same[BATCH];
	unsigned nranges = free_ranges(r, m->start, m->end, ranges, 64);

	compare(r, m, sites, n, same);
	for (unsigned i = 0; i < n; i++)
		if (same[i] && mv_slots_take(&r->p->slots, &sites[i], m->start + (sites[i].offset - m->offset), ranges, nranges,
					     &slots[i]))
			same[i] = false;
	if (!map_pages(r))
		return;
	for (unsigned i = 0; i < n; i++)
		if (same[i] && !patch_site(r, &sites[i], m->start + (sites[i].offset - m->offset), slots[i]))
			return;
}

int in_open_mapped(pid_t tid, uint64_t start, uint64_t end, const char *name)
{
	char path[4200];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", tid, start, end);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		snprintf(path, sizeof(path), "/proc/%d/root%s", tid, name);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	}
	if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static uint64_t site_start(const struct mv_site *s)
{
	return s->offset - s->before;
}

static void patch_mapping(struct rewriting *r, const struct mv_map *m)
{
	uint64_t end = m->offset + (m->end - m->start);
	int fd = in_open_mapped(r->t->tid, m->start, m->end, m->name);
	const struct in_plan *p = fd < 0 ? NULL : in_plan_of(r->t->pt, fd);
	unsigned first = 0, last;

	if (fd >= 0)
		close(fd);
	if (!p)
		return;
	/* Sites of other segments, and those that reach over this one's edge, stay. */
	while (first < p->plan.n && site_start(&p->plan.sites[first]) < m->offset)
		first++;
	for (; first < p->plan.n; first = last) {
		for (last = first; last < p->plan.n && last - first < BATCH &&
				   site_start(&p->plan.sites[last]) + p->plan.sites[last].nbytes <= end; last++)
			;
		if (last == first)
			return;
		patch_some(r, m, &p->plan.sites[first], last - first);
	}
}

/* Mappings that lie between from and to. */
static void rewrite(struct pt_task *t, uint64_t from, uint64_t to)
{
	const struct in_image *image = &t->pt->inproc->images[t->variant];
	struct rewriting r = { .t = t, .p = t->process->inside };
	uint64_t all = ~0ull, mask = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", t->tid);
	r.mem = open(path, O_RDWR | O_CLOEXEC);
	if (r.mem < 0 || mv_maps_read(t->tid, &r.maps, NULL)) {
		if (r.mem >= 0)
			close(r.mem);
		return;
	}
	ptrace(PTRACE_GETSIGMASK, t->tid, (void *)sizeof(mask), &mask);
	ptrace(PTRACE_SETSIGMASK, t->tid, (void *)sizeof(all), &all);
	if (t->process->threads == 1)
		forget_gone(&r);
	find_lost_pages(&r);
	for (unsigned i = 0; i < r.maps.n; i++) {
		const struct mv_map *m = &r.maps.maps[i];

		if (m->start >= from && m->end <= to && !strcmp(m->perms, "r-xp") && m->name[0] == '/' &&
		    (m->start < image->base || m->start >= image->heap))
			patch_mapping(&r, m);
	}
	ptrace(PTRACE_SETSIGMASK, t->tid, (void *)sizeof(mask), &mask);
	pt_forget_pages(t->pt);
	t->have_regs = false;
	close(r.mem);
	mv_maps_free(&r.maps);
	mv_log(MV_LOG_BOOT, "variant %u: process %d: %u call sites rewritten", t->variant, t->process->tgid, r.done);
}

void in_rewrite_at(struct pt_task *t, bool now)
{
	struct in_process *p = in_process_of(t);

	if (!p)
		return;
	p->stopped += !now;
	if (p->borrowed || t->process->threads != 1)
		return;
	if (now ? p->npatches && !p->grown : ++p->stops < p->limit)
		return;
	/* What stops nevertheless will mostly do so for ever. */
	p->stops = 0;
	if (p->limit < 1u << 20)
		p->limit *= 4;
	p->grown = false;
	rewrite(t, 0, UINT64_MAX);
}

/* Would the mapping take the place of code that other threads may be in? */
static bool replaces_code(const struct pt_task *t, const struct mv_call *c)
{
	struct mv_maps maps;
	bool any = mv_maps_read(t->tid, &maps, NULL) != 0;

	for (unsigned i = 0; i < maps.n; i++)
		any |= maps.maps[i].perms[2] == 'x' && maps.maps[i].end > c->args[0] && maps.maps[i].start < c->args[0] + c->args[1];
	mv_maps_free(&maps);
	return any;
}

bool in_maps_code(struct pt_task *t, const struct mv_call *c)
{
	struct in_process *p = t->process->inside;

	if (!p || c->nr != SYS_mmap || c->args[3] & MAP_ANONYMOUS)
		return false;
	p->grown = true;
	if (p->limit > STOPS) {
		p->limit = STOPS;
		p->stops = 0;
	}
	return !p->borrowed && t->process->threads > 1 && !(c->args[3] & MAP_FIXED && replaces_code(t, c));
}

void in_rewrite_code(struct pt_task *t, uint64_t start, uint64_t len)
{
	if (t->process->inside && (int64_t)start > 0)
		rewrite(t, start, start + ((len + MV_SLOT_PAGE - 1) & ~(uint64_t)(MV_SLOT_PAGE - 1)));
}

/* ---- what a patched program shows ---- */

static struct patch of_text(const struct in_loaded *l, unsigned i)
{
	const struct mv_shared_site *s = &l->text->shared.sites[i];

	return (struct patch){ l->at + (uint64_t)s->at, l->at + (uint64_t)s->slot, s->site };
}

/* The patch whose trampoline addr is in. */
static bool by_slot(const struct in_process *p, uint64_t addr, struct patch *out)
{
	for (unsigned i = 0; p && mv_slots_has(&p->slots, addr) && i < p->npatches; i++) {
		*out = p->patches[i];
		if (addr - out->slot < mv_trampoline_size(out->site))
			return true;
	}
	for (unsigned i = 0; p && i < p->ntexts; i++) {
		const struct mv_shared *s = &p->texts[i].text->shared;

		if (addr - (p->texts[i].at + (uint64_t)s->distance) >= s->tramp_size)
			continue;
		for (unsigned j = 0; j < s->n; j++) {
			*out = of_text(&p->texts[i], j);
			if (addr - out->slot < mv_trampoline_size(out->site))
				return true;
		}
	}
	return false;
}

bool in_has_trampoline(const struct pt_task *t, uint64_t addr)
{
	return t->process->inside && mv_slots_has(&t->process->inside->slots, addr);
}

uint64_t in_text_address(const struct pt_task *t, uint64_t addr)
{
	struct patch p;
	int to = by_slot(t->process->inside, addr, &p) ? mv_trampoline_to_text(p.site, (unsigned)(addr - p.slot)) : MV_NOWHERE;

	return to == MV_NOWHERE ? addr : p.at + (uint64_t)(int64_t)to;
}

/* addr is behind the `syscall` that q has displaced: where it is in the trampoline, 0 if no instruction is there. */
static uint64_t in_trampoline(const struct patch *q, uint64_t addr)
{
	int to = mv_trampoline_from_text(q->site, (unsigned)(addr - q->at));

	return to == MV_NOWHERE ? 0 : q->slot + (uint64_t)(int64_t)to;
}

static bool displaces(const struct patch *q, uint64_t addr)
{
	return q->site->kind == MV_SITE_F && addr > q->at && addr < q->at + MV_PATCH_LEN;
}

/* Is the end of the patch's jump in memory, from addr on?  What was mapped there may be gone, or changed. */
static bool is_jump(struct pt_task *t, const struct patch *p, uint64_t addr)
{
	int32_t distance = (int32_t)(p->slot - (p->at + MV_PATCH_LEN));
	size_t len = p->at + MV_PATCH_LEN - addr;
	uint8_t found[MV_PATCH_LEN];

	return pt_peek(t, addr, found, len) == len && !memcmp(found, (char *)&distance + sizeof(distance) - len, len);
}

uint64_t in_trap_address(struct pt_task *t, uint64_t addr)
{
	const struct in_process *p = t->process->inside;

	for (unsigned i = 0; p && i < p->npatches; i++)
		if (displaces(&p->patches[i], addr) && is_jump(t, &p->patches[i], addr))
			return in_trampoline(&p->patches[i], addr);
	for (unsigned i = 0; p && i < p->ntexts; i++)
		for (unsigned j = 0; addr - p->texts[i].at < p->texts[i].text->shared.size && j < p->texts[i].text->shared.n; j++) {
			struct patch q = of_text(&p->texts[i], j);

			if (displaces(&q, addr) && is_jump(t, &q, addr))
				return in_trampoline(&q, addr);
		}
	return 0;
}

/* In the text that is there again the same instruction does the same. */
static bool undo(struct pt_task *t, const struct patch *p, const struct mv_trampoline *made)
{
	uint8_t found[MV_PATCH_LEN];
	char path[64];
	bool good;
	int mem;

	if (pt_peek(t, made->patch_at, found, sizeof(found)) != sizeof(found) || memcmp(found, made->patch, sizeof(found)))
		return true;
	snprintf(path, sizeof(path), "/proc/%d/mem", t->tid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	good = mem >= 0 && pwrite(mem, p->site->bytes + (made->patch_at - (p->at - p->site->before)), sizeof(found),
				  (off_t)made->patch_at) == sizeof(found);
	if (mem >= 0)
		close(mem);
	pt_forget_pages(t->pt);
	return good;
}

uint64_t in_lost_trampoline(struct pt_task *t, uint64_t addr)
{
	struct patch p;
	int to = by_slot(t->process->inside, addr, &p) ? mv_trampoline_to_text(p.site, (unsigned)(addr - p.slot)) : MV_NOWHERE;
	struct mv_trampoline made;
	uint8_t found[MV_TRAMPOLINE_MAX];

	if (to == MV_NOWHERE || mv_trampoline_make(p.site, p.at, p.slot, MON_ENTRY, &made))
		return 0;
	if (pt_peek(t, p.slot, found, made.size) == made.size && !memcmp(found, made.code, made.size))
		return 0;
	return undo(t, &p, &made) ? p.at + (uint64_t)(int64_t)to : 0;
}
