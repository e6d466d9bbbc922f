#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "rewrite/decode.h"
#include "rewrite/functions.h"
#include "rewrite/image.h"
#include "rewrite/plan_internal.h"

#define SYSCALL_LEN 2
#define SHORT_REACH 160		/* more than a branch with 8 bits reaches, and its own length */
#define HISTORY 16		/* instructions looked back at for the call's number */
#define FUNCTION_ALIGN 16
#define NR_SIGRETURN 15

static const uint8_t looked_for[][SYSCALL_LEN] = { { 0x0f, 0x05 }, { 0x0f, 0x31 } };	/* `syscall`, rdtsc */

struct history {		/* instructions that ran straight into each other */
	struct mv_insn last[HISTORY];
	unsigned n;
};

struct planner {
	const struct mv_image *im;
	struct mv_functions fs;
	uint64_t *last;		/* per function: where the last bytes are that look like a call; NOTHING, NEAR */
	uint8_t **targets;	/* per executable segment, a bit per byte: a branch may lead here */
	struct mv_plan *plan;
	unsigned room;
};

#define NOTHING 0		/* no code is at address 0 */
#define NEAR 1			/* short branches from here reach a call in another function */

/* ---- where branches lead ---- */

static void mark_target(struct planner *p, uint64_t vaddr)
{
	const struct mv_text *text = mv_image_text(p->im, vaddr);
	uint64_t at;

	if (!text)
		return;
	at = vaddr - text->vaddr;
	p->targets[text - p->im->texts][at / 8] |= (uint8_t)(1 << at % 8);
}

static bool is_target(const struct planner *p, uint64_t vaddr)
{
	const struct mv_text *text = mv_image_text(p->im, vaddr);
	uint64_t at;

	if (!text)
		return false;
	at = vaddr - text->vaddr;
	return p->targets[text - p->im->texts][at / 8] >> at % 8 & 1;
}

/* The first target in [start, end), or end. */
static uint64_t next_target(const struct planner *p, uint64_t start, uint64_t end)
{
	while (start < end && !is_target(p, start))
		start++;
	return start;
}

/* A function whose branches matter; decoded byte by byte where it does not decode, which can only give too many. */
static void mark_branches(struct planner *p, const struct mv_text *text, const struct mv_function *f)
{
	uint64_t at = f->start;

	while (at < f->end) {
		struct mv_insn in;

		if (!mv_decode(text->bytes + (at - text->vaddr), f->end - at, at, &in)) {
			at++;
			continue;
		}
		if (in.has_target)
			mark_target(p, in.target);
		at += in.length;
	}
}

/*
 * Other code is too much to decode, and only its long branches reach the functions that matter.  Whatever looks like one
 * is taken for one: some sites are lost by that, none is patched wrongly.
 */
static void mark_far_branches(struct planner *p, const struct mv_text *text, uint64_t start, uint64_t end)
{
	const uint8_t *b = text->bytes - text->vaddr;

	for (uint64_t at = start; at + 5 <= end; at++) {
		bool jump = (b[at] & 0xfe) == 0xe8;
		bool condition = (b[at] & 0xf0) == 0x80 && at > text->vaddr && b[at - 1] == 0x0f;
		int32_t distance;

		if (!jump && !condition)
			continue;
		memcpy(&distance, b + at + 1, sizeof(distance));
		mark_target(p, at + 5 + (uint64_t)(int64_t)distance);
	}
}

static void mark_all_branches(struct planner *p, const struct mv_text *text)
{
	uint64_t done = text->vaddr, end = text->vaddr + text->size;

	for (unsigned i = 0; i < p->fs.n; i++) {
		const struct mv_function *f = &p->fs.list[i];

		if (f->start < text->vaddr || f->start >= end || p->last[i] == NOTHING)
			continue;
		mark_far_branches(p, text, done, f->start);
		mark_branches(p, text, f);
		done = f->end;
	}
	mark_far_branches(p, text, done, end);
}

/* Choose the functions that are decoded: those with the bytes, which look like a call, and those that short branches reach from. */
static bool mark_functions(struct planner *p, const struct mv_text *text, const uint8_t bytes[SYSCALL_LEN])
{
	const uint8_t *at = text->bytes, *end = text->bytes + text->size;
	bool any = false;

	while ((at = memmem(at, (size_t)(end - at), bytes, SYSCALL_LEN))) {
		uint64_t vaddr = text->vaddr + (uint64_t)(at - text->bytes);
		int i = mv_functions_index(&p->fs, vaddr), j;

		at++;
		if (i < 0) {
			p->plan->unbounded++;
			continue;
		}
		if (p->last[i] < vaddr)
			p->last[i] = vaddr;
		any = true;
		for (j = i - 1; j >= 0 && p->fs.list[j].end + SHORT_REACH > vaddr; j--)
			if (p->last[j] == NOTHING)
				p->last[j] = NEAR;
		for (j = i + 1; j < (int)p->fs.n && p->fs.list[j].start < vaddr + SHORT_REACH; j++)
			if (p->last[j] == NOTHING)
				p->last[j] = NEAR;
	}
	return any;
}

/* ---- one site ---- */

static void displace(struct mv_site *site, const struct mv_insn *in, uint8_t at, bool reached)
{
	site->displaced[site->ndisplaced++] = (struct mv_displaced){
		.at = at,
		.length = in->length,
		.kind = reached ? in->kind : MV_DISPLACED_PAD,
		.field = reached ? in->field : 0,
	};
}

static bool try_p1(const struct planner *p, struct mv_site *site, const struct history *h)
{
	const struct mv_insn *in = &h->last[(h->n - 1) % HISTORY];

	if (!h->n || in->length < MV_PATCH_LEN || !in->movable || in->has_target ||
	    next_target(p, in->vaddr + 1, site->vaddr) != site->vaddr)
		return false;
	site->kind = MV_SITE_P1;
	site->before = site->length = in->length;
	site->nbytes = (uint8_t)(in->length + SYSCALL_LEN);
	displace(site, in, 0, true);
	return true;
}

/* How far instructions may be displaced at the end of function i: over the padding before the next one. */
static uint64_t padded_end(const struct planner *p, const struct mv_text *text, unsigned i)
{
	uint64_t end = (p->fs.list[i].end + FUNCTION_ALIGN - 1) & ~(uint64_t)(FUNCTION_ALIGN - 1);

	if (i + 1 < p->fs.n && p->fs.list[i + 1].start < end)
		end = p->fs.list[i + 1].start;
	if (end > text->vaddr + text->size)
		end = text->vaddr + text->size;
	return end;
}

static enum mv_site_why try_f(const struct planner *p, struct mv_site *site, const struct mv_text *text, unsigned function)
{
	uint64_t end = p->fs.list[function].end, limit = padded_end(p, text, function);
	uint8_t length = SYSCALL_LEN;
	bool reached = true;

	while (length < MV_PATCH_LEN) {
		uint64_t at = site->vaddr + length, stop = reached ? end : limit;
		struct mv_insn in;

		if (at >= stop || !mv_decode(text->bytes + (at - text->vaddr), stop - at, at, &in))
			return MV_WHY_END;
		if (next_target(p, at, at + in.length) != at + in.length)
			return MV_WHY_TARGET;
		if (reached ? !in.movable : !in.padding)
			return MV_WHY_FIXED;
		displace(site, &in, length, reached);
		site->traps |= (uint8_t)(1 << (length - 1));
		reached &= in.goes_on;
		length = (uint8_t)(length + in.length);
	}
	site->kind = MV_SITE_F;
	site->length = site->nbytes = length;
	return MV_WHY_NOT;
}

/* The number that rax holds at a call; -1 unknown.  *may: also where a branch could come in with another. */
static int32_t number_at(const struct planner *p, const struct mv_text *text, const struct history *h, int32_t *may)
{
	bool sure = true;

	*may = -1;
	for (unsigned i = 0; i < h->n && i < HISTORY; i++) {
		const struct mv_insn *in = &h->last[(h->n - 1 - i) % HISTORY];
		uint64_t value;

		sure &= !is_target(p, in->vaddr + in->length);
		switch (mv_decode_rax(text->bytes + (in->vaddr - text->vaddr), in->length, &value)) {
		case MV_RAX_KEPT:
			continue;
		case MV_RAX_UNKNOWN:
			return -1;
		case MV_RAX_SET:
			*may = (int32_t)(uint32_t)value;
			return sure ? *may : -1;
		}
	}
	return -1;
}

static int add_site(struct planner *p, const struct mv_text *text, unsigned function, const struct mv_insn *in,
		    const struct history *h)
{
	struct mv_site site = { .vaddr = in->vaddr, .offset = text->offset + (in->vaddr - text->vaddr),
				.nbytes = in->length < MV_SITE_BYTES ? in->length : MV_SITE_BYTES };
	struct mv_plan *plan = p->plan;
	bool counter;
	int32_t may;

	memcpy(site.bytes, text->bytes + (site.vaddr - text->vaddr), SYSCALL_LEN);
	counter = mv_site_is_counter(&site);
	site.nr = number_at(p, text, h, &may);
	if (counter)
		site.nr = may = -1;
	if (may == NR_SIGRETURN || p->fs.list[function].signal_frame) {
		site.why = MV_WHY_SIGRETURN;
	} else if (in->length != SYSCALL_LEN) {
		site.why = MV_WHY_PREFIX;
	} else if (p->im->text_relocations) {
		site.why = MV_WHY_RELOCATED;
	} else if (!try_p1(p, &site, h)) {
		site.why = (uint8_t)try_f(p, &site, text, function);
		if (site.why)
			mv_site_clear(&site);
	}
	memcpy(site.bytes, text->bytes + (site.vaddr - site.before - text->vaddr), site.nbytes);
	if (plan->n == p->room) {
		unsigned room = p->room ? p->room * 2 : 256;
		struct mv_site *sites = realloc(plan->sites, room * sizeof(*sites));

		if (!sites)
			return -ENOMEM;
		plan->sites = sites;
		p->room = room;
	}
	plan->sites[plan->n++] = site;
	return 0;
}

/* ---- one function ---- */

/*
 * Follow the code.  Behind a jump, what no branch leads to may be data: go on at the next place where one does.  Cases of a
 * switch to which only a table leads are lost by that; libc has one call in such a place.
 */
static int find_sites(struct planner *p, const struct mv_text *text, unsigned i)
{
	const struct mv_function *f = &p->fs.list[i];
	struct history h = { .n = 0 };
	uint64_t at = f->start;

	while (at <= p->last[i]) {
		struct mv_insn in;

		if (!mv_decode(text->bytes + (at - text->vaddr), f->end - at, at, &in))
			return 0;
		if (in.site && add_site(p, text, i, &in, &h))
			return -ENOMEM;
		h.last[h.n++ % HISTORY] = in;
		at += in.length;
		if (!in.goes_on) {
			h.n = 0;
			at = next_target(p, at, f->end);
		}
	}
	return 0;
}

/* ---- the whole ---- */

static int by_vaddr(const void *a, const void *b)
{
	const struct mv_site *x = a, *y = b;

	return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

void mv_site_clear(struct mv_site *site)
{
	site->kind = MV_SITE_NONE;
	site->before = site->length = site->traps = site->ndisplaced = 0;
	memset(site->displaced, 0, sizeof(site->displaced));
}

/* An F patch may reach into the instruction that the next site's P1 replaces; P1 is kept, since it asks for no trap bytes. */
static void settle_neighbours(struct mv_plan *plan)
{
	for (unsigned i = 0; i + 1 < plan->n; i++) {
		struct mv_site *site = &plan->sites[i], *next = site + 1;

		if (site->kind != MV_SITE_F || site->vaddr + site->length <= next->vaddr - next->before)
			continue;
		mv_site_clear(site);
		site->why = MV_WHY_NEIGHBOUR;
		memset(site->bytes + SYSCALL_LEN, 0, sizeof(site->bytes) - SYSCALL_LEN);
		site->nbytes = SYSCALL_LEN;
	}
}

static int run(struct planner *p)
{
	const struct mv_image *im = p->im;
	bool any = false;
	int r = 0;

	p->last = calloc(p->fs.n + 1u, sizeof(*p->last));
	p->targets = calloc(im->ntexts + 1u, sizeof(*p->targets));
	if (!p->last || !p->targets)
		return -ENOMEM;
	for (unsigned i = 0; i < im->ntexts; i++) {
		p->targets[i] = calloc(im->texts[i].size / 8 + 1, 1);
		if (!p->targets[i])
			return -ENOMEM;
		for (unsigned j = 0; j < sizeof(looked_for) / sizeof(*looked_for); j++)
			any |= mark_functions(p, &im->texts[i], looked_for[j]);
	}
	if (!any)
		return 0;
	for (unsigned i = 0; i < im->ntexts; i++)
		mark_all_branches(p, &im->texts[i]);
	for (unsigned i = 0; i < p->fs.n && !r; i++)
		if (p->last[i] > NEAR)
			r = find_sites(p, mv_image_text(im, p->fs.list[i].start), i);
	if (p->plan->n)
		qsort(p->plan->sites, p->plan->n, sizeof(*p->plan->sites), by_vaddr);
	settle_neighbours(p->plan);
	return r;
}

int mv_plan_of_image(const struct mv_image *im, struct mv_plan *plan, struct mv_error *err)
{
	struct planner p = { .im = im, .plan = plan };
	int r;

	mv_plan_identify(im, plan);
	r = mv_functions_find(im, &p.fs, err);
	if (!r) {
		r = run(&p);
		if (r)
			mv_error_set(err, -r, "cannot plan the rewriting of an ELF file");
	}
	for (unsigned i = 0; p.targets && i < im->ntexts; i++)
		free(p.targets[i]);
	free(p.targets);
	free(p.last);
	mv_functions_free(&p.fs);
	if (r)
		mv_plan_free(plan);
	return r;
}

int mv_plan_make(int fd, struct mv_plan *plan, struct mv_error *err)
{
	struct mv_image im;
	int r;

	*plan = (struct mv_plan){ 0 };
	r = mv_image_open(fd, &im, err);
	if (r)
		return r;
	r = mv_plan_of_image(&im, plan, err);
	mv_image_close(&im);
	return r;
}

void mv_plan_free(struct mv_plan *plan)
{
	free(plan->sites);
	*plan = (struct mv_plan){ 0 };
}

unsigned mv_plan_count(const struct mv_plan *plan, enum mv_site_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < plan->n; i++)
		n += plan->sites[i].kind == kind;
	return n;
}
