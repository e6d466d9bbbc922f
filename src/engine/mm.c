#include "engine/mm.h"

#include <stddef.h>
#include <linux/errno.h>

#define PAGE ((uint64_t)4096)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define HUGE_PAGE (2 * MIB)
#define GUARD_GAP MIB
#define AS_GOOD (64 * MIB)	/* places at this distance */
#define FILE_GAP_PAGES 512	/* random distance between file mappings: fewer pages than this */
#define SPACE_END ((uint64_t)1 << 47)
#define ORDINAL_BITS 20	/* of what compares an address as one word */
#define FIRST_CAPACITY 100	/* a page of mappings */

struct mv_mm {
	const struct mv_ops *ops;
	uint32_t refs;
	uint32_t next_ordinal;
	uint32_t next_alone;
	uint64_t now;			/* so many have been recorded */
	struct mv_mapping *maps;	/* sorted, disjoint */
	size_t count, capacity;
	struct mv_brk brk;
	struct mv_layout layout;
};

static uint64_t page_down(uint64_t addr)
{
	return addr & ~(PAGE - 1);
}

static uint64_t page_end(uint64_t start, uint64_t len)
{
	if (len > UINT64_MAX - (PAGE - 1) - start)
		return page_down(UINT64_MAX);
	return page_down(start + len + PAGE - 1);
}

/* Index of the first mapping that ends behind addr. */
static size_t first_behind(const struct mv_mm *mm, uint64_t addr)
{
	size_t low = 0, high = mm->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mm->maps[middle].end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static bool make_room(struct mv_mm *mm, size_t more)
{
	size_t capacity = mm->capacity;
	struct mv_mapping *maps;

	if (mm->count + more <= capacity)
		return true;
	while (capacity < mm->count + more)
		capacity *= 2;
	maps = mm->ops->alloc(capacity * sizeof(*maps));
	if (!maps)
		return false;
	__builtin_memcpy(maps, mm->maps, mm->count * sizeof(*maps));
	mm->ops->free(mm->maps, mm->capacity * sizeof(*maps));
	mm->maps = maps;
	mm->capacity = capacity;
	return true;
}

static struct mv_mm *new_with_capacity(const struct mv_ops *ops, const struct mv_layout *layout, size_t capacity)
{
	struct mv_mm *mm = ops->alloc(sizeof(*mm));

	if (!mm)
		return NULL;
	mm->maps = ops->alloc(capacity * sizeof(*mm->maps));
	if (!mm->maps) {
		ops->free(mm, sizeof(*mm));
		return NULL;
	}
	mm->ops = ops;
	mm->refs = 1;
	mm->next_ordinal = MV_MAP_FIRST;
	mm->next_alone = 0;
	mm->now = 0;
	mm->count = 0;
	mm->capacity = capacity;
	mm->brk = (struct mv_brk){ 0 };
	mm->layout = *layout;
	return mm;
}

struct mv_mm *mv_mm_new(const struct mv_ops *ops, const struct mv_layout *layout)
{
	return new_with_capacity(ops, layout, FIRST_CAPACITY);
}

struct mv_mm *mv_mm_ref(struct mv_mm *mm)
{
	__atomic_fetch_add(&mm->refs, 1, __ATOMIC_RELAXED);
	return mm;
}

struct mv_mm *mv_mm_copy(const struct mv_mm *mm)
{
	struct mv_mm *copy = new_with_capacity(mm->ops, &mm->layout, mm->capacity);

	if (!copy)
		return NULL;
	__builtin_memcpy(copy->maps, mm->maps, mm->count * sizeof(*mm->maps));
	copy->count = mm->count;
	copy->next_ordinal = mm->next_ordinal;
	copy->next_alone = mm->next_alone;
	copy->now = mm->now;
	copy->brk = mm->brk;
	return copy;
}

void mv_mm_unref(struct mv_mm *mm)
{
	if (!mm || __atomic_sub_fetch(&mm->refs, 1, __ATOMIC_ACQ_REL))
		return;
	mm->ops->free(mm->maps, mm->capacity * sizeof(*mm->maps));
	mm->ops->free(mm, sizeof(*mm));
}

void mv_mm_clear(struct mv_mm *mm)
{
	mm->count = 0;
	mm->next_ordinal = MV_MAP_FIRST;
	mm->brk = (struct mv_brk){ 0 };
}

/* ---- the mappings ---- */

/* What is at index from, and behind it, comes to index to: those between are forgotten, or there is room for some. */
static void shift(struct mv_mm *mm, size_t from, size_t to)
{
	__builtin_memmove(&mm->maps[to], &mm->maps[from], (mm->count - from) * sizeof(*mm->maps));
	mm->count += to - from;
}

static void trim_start(struct mv_mapping *m, uint64_t start)
{
	m->origin += start - m->start;
	m->start = start;
}

/* Would taking [start, end) away leave two parts of one mapping? */
static bool splits(const struct mv_mm *mm, uint64_t start, uint64_t end)
{
	size_t i = first_behind(mm, start);

	return i < mm->count && mm->maps[i].start < start && mm->maps[i].end > end;
}

/*
 * Take [start, end) away; there is room for one more mapping if that splits one, and for what comes in its place: so many, whose
 * places are left at the index that is returned, before what follows.
 */
static size_t take_away(struct mv_mm *mm, uint64_t start, uint64_t end, size_t others)
{
	size_t i = first_behind(mm, start), last;

	if (splits(mm, start, end)) {
		shift(mm, i, i + 1);
		mm->maps[i] = mm->maps[i + 1];
		trim_start(&mm->maps[i + 1], end);
	}
	if (i < mm->count && mm->maps[i].start < start)
		mm->maps[i++].end = start;
	for (last = i; last < mm->count && mm->maps[last].end <= end; last++)
		;
	shift(mm, last, i + others);
	if (i + others < mm->count && mm->maps[i + others].start < end)
		trim_start(&mm->maps[i + others], end);
	return i;
}

int mv_mm_add(struct mv_mm *mm, uint64_t start, uint64_t len, uint32_t ordinal, uint32_t flags)
{
	struct mv_mapping m = {
		.start = page_down(start),
		.end = page_end(start, len),
		.made = mm->now + 1,
		.ordinal = ordinal,
		.flags = flags,
	};
	struct mv_mapping *next;
	size_t i;

	if (!len)
		return 0;
	if (!make_room(mm, 2))
		return -ENOMEM;
	i = take_away(mm, m.start, m.end, 1);
	mm->now++;
	mm->maps[i] = m;

	/* A mapping that was made anew at the head of what is left of it is one again. */
	next = &mm->maps[i + 1];
	if (i + 1 < mm->count && next->start == m.end && next->ordinal == ordinal && next->flags == flags &&
	    next->origin == m.end - m.start) {
		next->start = m.start;
		next->origin = 0;
		next->made = m.made;
		shift(mm, i + 1, i);
	}
	return 0;
}

static const struct mv_mapping *stays(const struct mv_mm *mm, uint64_t start, uint64_t end, uint64_t then)
{
	for (size_t i = first_behind(mm, start); i < mm->count && mm->maps[i].start < end; i++)
		if (mm->maps[i].flags & MV_MM_HIDDEN || mm->maps[i].made > then)
			return &mm->maps[i];
	return NULL;
}

uint64_t mv_mm_now(const struct mv_mm *mm)
{
	return mm->now;
}

int mv_mm_remove(struct mv_mm *mm, uint64_t start, uint64_t len)
{
	return mv_mm_remove_of(mm, start, len, UINT64_MAX);
}

int mv_mm_remove_of(struct mv_mm *mm, uint64_t start, uint64_t len, uint64_t then)
{
	uint64_t end = page_end(start, len), rest;
	const struct mv_mapping *s;

	if (!len)
		return 0;
	start = page_down(start);
	for (; (s = stays(mm, start, end, then)); start = rest) {
		rest = s->end;
		if (s->start > start)
			take_away(mm, start, s->start, 0);
		if (rest >= end)
			return 0;
	}
	if (splits(mm, start, end) && !make_room(mm, 1))
		return -ENOMEM;
	take_away(mm, start, end, 0);
	return 0;
}

const struct mv_mapping *mv_mm_find(const struct mv_mm *mm, uint64_t addr)
{
	size_t i = first_behind(mm, addr);

	return i < mm->count && mm->maps[i].start <= addr ? &mm->maps[i] : NULL;
}

void mv_mm_each(const struct mv_mm *mm, void (*fn)(void *ctx, const struct mv_mapping *m), void *ctx)
{
	for (size_t i = 0; i < mm->count; i++)
		fn(ctx, &mm->maps[i]);
}

bool mv_mm_own_by_heap(struct mv_mm *mm, uint64_t start, uint64_t len)
{
	size_t i = first_behind(mm, start);
	struct mv_mapping *m = &mm->maps[i];

	if (i == mm->count || m->start != start || m->end - start != len || m->flags & ~(uint32_t)MV_MM_RESERVED ||
	    m->ordinal < MV_MAP_FIRST)
		return false;
	m->flags = MV_MM_HEAP;
	return true;
}

bool mv_mm_is_private(const struct mv_mm *mm, uint64_t start, uint64_t len)
{
	const uint32_t others = MV_MM_SHARED | MV_MM_FILE | MV_MM_FIXED_PLACE | MV_MM_GROWS_DOWN | MV_MM_COMMON | MV_MM_HIDDEN;
	uint64_t end = page_end(start, len);
	size_t first = first_behind(mm, start), i;

	for (i = first; i < mm->count && mm->maps[i].start < end; i++) {
		const struct mv_mapping *m = &mm->maps[i];

		if (m->flags & others || (m->ordinal < MV_MAP_FIRST && m->ordinal != MV_MAP_OWN && m->ordinal != MV_MAP_BRK))
			return false;
	}
	return i > first;
}

bool mv_mm_is(const struct mv_mm *mm, uint64_t start, uint64_t len, uint32_t flags, uint32_t others)
{
	uint64_t end = page_end(start, len);

	for (size_t i = first_behind(mm, start); start < end; i++) {
		const struct mv_mapping *m = &mm->maps[i];

		if (i == mm->count || m->start > start || m->ordinal < MV_MAP_FIRST || (m->flags & (flags | others)) != flags)
			return false;
		start = m->end;
	}
	return len != 0;
}

uint64_t mv_mm_address(const struct mv_mm *mm, uint64_t ordinal, uint64_t offset)
{
	for (size_t i = 0; i < mm->count; i++) {
		const struct mv_mapping *m = &mm->maps[i];

		if (!(m->ordinal & MV_MAP_ALONE) && !((m->ordinal ^ ordinal) << (64 - ORDINAL_BITS)) && offset >= m->origin && offset - m->origin < m->end - m->start)
			return m->start + (offset - m->origin);
	}
	return 0;
}

uint32_t mv_mm_ordinal(struct mv_mm *mm)
{
	if (mm->next_ordinal < MV_MAP_FIRST)	/* wrapped */
		mm->next_ordinal = MV_MAP_FIRST;
	return mm->next_ordinal++;
}

uint32_t mv_mm_ordinal_alone(struct mv_mm *mm)
{
	return MV_MAP_ALONE | (mm->next_alone++ & ~MV_MAP_ALONE);
}

static bool own_window(const struct mv_layout *l, uint64_t addr)
{
	return l->mode == MV_LAYOUT_ASLR ||
	       (l->mode == MV_LAYOUT_DISJOINT && addr >= l->slice && addr < l->slice + (1ull << MV_SLICE_SHIFT));
}

void mv_mm_normalise(const struct mv_mm *mm, uint64_t addr, uint64_t out[2])
{
	size_t i = first_behind(mm, addr);

	/* What is not mapped has no meaning but that; inside the variant's own window it is nowhere the same address. */
	out[0] = MV_MAP_NONE;
	out[1] = own_window(&mm->layout, addr) ? addr % PAGE : addr;
	if (i < mm->count && mm->maps[i].start <= addr && mm->maps[i].flags & MV_MM_HIDDEN)
		return;
	if (i < mm->count && mm->maps[i].start <= addr) {
		out[0] = mm->maps[i].ordinal;
		out[1] = mm->maps[i].origin + (addr - mm->maps[i].start);
	} else if (i > 0 && mm->maps[i - 1].end == addr && !(mm->maps[i - 1].flags & MV_MM_HIDDEN)) {
		out[0] = mm->maps[i - 1].ordinal;
		out[1] = mm->maps[i - 1].origin + (addr - mm->maps[i - 1].start);
	}
	/* Stacks begin at different distances from their mapping's start. */
	if (out[0] == MV_MAP_STACK)
		out[1] = 0;
	if (out[0] == MV_MAP_OWN)
		out[1] = addr % PAGE;
}

struct mv_brk *mv_mm_brk(struct mv_mm *mm)
{
	return &mm->brk;
}

struct mv_layout *mv_mm_layout(struct mv_mm *mm)
{
	return &mm->layout;
}

/* ---- placement ---- */

struct request {
	uint64_t len;
	uint64_t align;
	uint64_t below;		/* to be left free below */
	uint64_t above;		/* ... and above */
};

/* The highest place in [low, high), or 0. */
static uint64_t search(const struct mv_mm *mm, uint64_t low, uint64_t high, const struct request *q)
{
	const struct mv_mapping *maps = mm->maps;
	size_t i = first_behind(mm, high);	/* maps[i] is above the hole, maps[i - 1] below */

	if (i < mm->count && maps[i].start < high)
		high = maps[i].start;
	for (;;) {
		uint64_t bottom = i > 0 && maps[i - 1].end > low ? maps[i - 1].end : low, top = high;

		if (i < mm->count && maps[i].flags & MV_MM_GROWS_DOWN && maps[i].start - top < GUARD_GAP)
			top = maps[i].start - GUARD_GAP;
		if (top > bottom && top - bottom >= q->len + q->below + q->above) {
			uint64_t addr = (top - q->above - q->len) & ~(q->align - 1);

			if (addr >= bottom + q->below)
				return addr;
		}
		if (bottom == low)
			return 0;
		high = maps[--i].start;
	}
}

/* The same, around the area of the program break. */
static uint64_t search_area(const struct mv_mm *mm, uint64_t low, uint64_t high, const struct request *q)
{
	const struct mv_brk *brk = &mm->brk;
	uint64_t addr;

	if (brk->limit <= low || brk->start >= high || brk->limit <= brk->start)
		return search(mm, low, high, q);
	addr = brk->limit < high ? search(mm, brk->limit, high, q) : 0;
	if (!addr && brk->start > low)
		addr = search(mm, low, brk->start, q);
	return addr;
}

static uint64_t place_file(struct mv_mm *mm, uint64_t len)
{
	struct request q = { .len = len, .align = PAGE };
	const struct mv_area *files = &mm->layout.files;
	uint64_t addr;

	q.above = mv_layout_random(&mm->layout) % FILE_GAP_PAGES * PAGE;
	addr = search_area(mm, files->start, files->end, &q);
	if (addr)
		return addr;
	q.above = 0;
	return search_area(mm, files->start, files->end, &q);
}

/*
 * Everything here depends on distances from the end of an area that has the same length in all variants: so the twins'
 * answers have the same distance from it too.
 */
static uint64_t place_anon(const struct mv_mm *mm, uint64_t len, bool grows_down)
{
	struct request q = { .len = len, .align = len >= HUGE_PAGE ? HUGE_PAGE : PAGE };
	const struct mv_layout *l = &mm->layout;
	uint64_t addr, other_size;

	q.below = grows_down ? GUARD_GAP : 0;
	addr = search_area(mm, l->anon.start, l->anon.end, &q);

	/* Other stripes hold no program, files and stack: use all that every variant's window has below anon.end. */
	other_size = l->window_size - l->window_size / 8 - GIB;
	for (unsigned i = 1; !addr && i < 8; i++) {
		uint64_t from = (uint64_t)l->stripe << MV_STRIPE_SHIFT;
		uint64_t to = (uint64_t)((l->stripe + i) & 7) << MV_STRIPE_SHIFT;
		uint64_t end = l->anon.end - from + to;

		addr = search_area(mm, end - other_size, end, &q);
	}
	return addr;
}

uint64_t mv_mm_place(struct mv_mm *mm, uint64_t len, bool file, bool grows_down)
{
	uint64_t addr = 0;

	if (mm->layout.mode != MV_LAYOUT_DISJOINT || !len || len > SPACE_END)
		return 0;
	len = page_end(0, len);
	if (file)
		addr = place_file(mm, len);
	return addr ? addr : place_anon(mm, len, grows_down);
}

uint64_t mv_mm_distance(const struct mv_mm *mm, uint64_t addr)
{
	const struct mv_area *anon = &mm->layout.anon;

	return mm->layout.mode == MV_LAYOUT_DISJOINT && addr >= anon->start && addr < anon->end ? anon->end - addr : 0;
}

/* Where something else is in the way, a place that allocators cannot tell from it: their alignments are smaller. */
uint64_t mv_mm_place_at(const struct mv_mm *mm, uint64_t distance, uint64_t len, bool grows_down)
{
	const struct mv_area *anon = &mm->layout.anon;
	struct request q = { .len = page_end(0, len), .align = PAGE, .below = grows_down ? GUARD_GAP : 0 };
	uint64_t size = anon->end - anon->start;

	if (!distance || mm->layout.mode != MV_LAYOUT_DISJOINT || distance > size || q.len > distance)
		return 0;
	for (; distance < size - q.below; distance += AS_GOOD) {
		uint64_t addr = anon->end - distance;

		if (search_area(mm, addr - q.below, addr + q.len, &q) == addr)
			return addr;
	}
	return 0;
}
