#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "engine/random.h"
#include "rewrite/slots.h"

#define UNITS (MV_SLOT_PAGE / MV_SLOT_UNIT)
/* A jump reaches 2 GiB; what displaced instructions refer to may lie on the other side of the text. */
#define REACH ((int64_t)0x70000000)

/* What is asked for: so many units, for a jump that ends at from. */
struct want {
	uint64_t from;
	unsigned units;
	uint8_t traps;
	uint16_t low;		/* bit i: the distance's lowest byte is good for units that are i modulo 16 in a page */
	const struct mv_range *free;
	unsigned nfree;
};

void mv_slots_init(struct mv_slots *slots, uint64_t seed)
{
	*slots = (struct mv_slots){ .seed = seed };
}

void mv_slots_free(struct mv_slots *slots)
{
	free(slots->pages);
	*slots = (struct mv_slots){ 0 };
}

int mv_slots_copy(struct mv_slots *to, const struct mv_slots *from)
{
	*to = *from;
	to->room = from->n;
	to->pages = NULL;
	if (!from->n)
		return 0;
	to->pages = malloc(from->n * sizeof(*to->pages));
	if (!to->pages) {
		*to = (struct mv_slots){ 0 };
		return -ENOMEM;
	}
	memcpy(to->pages, from->pages, from->n * sizeof(*to->pages));
	return 0;
}

/* ---- one place ---- */

static bool is_good(const struct want *w, uint64_t slot)
{
	int64_t distance = (int64_t)(slot - w->from);

	if (distance < -REACH || distance >= REACH)
		return false;
	for (unsigned i = 0; i < 4; i++)
		if (w->traps >> i & 1 && !mv_is_trap_byte((uint8_t)((uint64_t)distance >> 8 * i)))
			return false;
	return true;
}

static void set_units(struct mv_slot_page *page, unsigned unit, unsigned n, bool used)
{
	for (; n--; unit++) {
		uint64_t bit = (uint64_t)1 << unit % 64;

		page->used[unit / 64] = used ? page->used[unit / 64] | bit : page->used[unit / 64] & ~bit;
	}
}

static uint16_t low_bytes(uint64_t from, uint8_t traps)
{
	uint16_t low = 0;

	if (!(traps & 1))
		return UINT16_MAX;
	for (unsigned i = 0; i < 16; i++)
		low |= (uint16_t)(mv_is_trap_byte((uint8_t)(i * MV_SLOT_UNIT - from)) << i);
	return low;
}

/* The two highest bytes of a distance change at most once in a page. */
static bool far_bytes_fit(const struct want *w, uint64_t distance)
{
	for (unsigned i = 2; i < 4; i++)
		if (w->traps >> i & 1 && !mv_is_trap_byte((uint8_t)(distance >> 8 * i)))
			return false;
	return true;
}

/* Of each unit the bit: is it free, and so many after it? */
static void free_runs(const struct mv_slot_page *page, unsigned units, uint64_t runs[UNITS / 64])
{
	uint64_t left[UNITS / 64];

	for (unsigned i = 0; i < UNITS / 64; i++)
		runs[i] = left[i] = ~page->used[i];
	while (--units)
		for (unsigned i = 0; i < UNITS / 64; i++) {
			left[i] = left[i] >> 1 | (i + 1 < UNITS / 64 ? left[i + 1] << 63 : 0);
			runs[i] &= left[i];
		}
}

/* The first unit of a good place in the page; -1: none. */
static int find_in_page(const struct mv_slot_page *page, const struct want *w)
{
	uint64_t runs[UNITS / 64], distance = page->addr - w->from;

	if (!far_bytes_fit(w, distance) && !far_bytes_fit(w, distance + MV_SLOT_PAGE - 1))
		return -1;
	free_runs(page, w->units, runs);
	for (unsigned i = 0; i < UNITS / 64; i++) {
		for (runs[i] &= w->low * (UINT64_MAX / UINT16_MAX); runs[i]; runs[i] &= runs[i] - 1) {
			unsigned unit = 64 * i + (unsigned)__builtin_ctzll(runs[i]);

			if (is_good(w, page->addr + unit * MV_SLOT_UNIT))
				return (int)unit;
		}
	}
	return -1;
}

/* ---- a new page ---- */

/* The first free range that ends behind addr; w->nfree: none. */
static unsigned first_free(const struct want *w, uint64_t addr)
{
	unsigned low = 0, high = w->nfree;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (w->free[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool any_free(const struct want *w, uint64_t start, uint64_t end)
{
	unsigned i = first_free(w, start);

	return i < w->nfree && w->free[i].start < end;
}

static bool page_is_free(const struct mv_slots *slots, const struct want *w, uint64_t addr)
{
	unsigned i = first_free(w, addr);

	return i < w->nfree && w->free[i].start <= addr && w->free[i].end - addr >= MV_SLOT_PAGE && !mv_slots_has(slots, addr);
}

static bool is_page_for(const struct mv_slots *slots, const struct want *w, uint64_t addr)
{
	const struct mv_slot_page empty = { .addr = addr };

	return page_is_free(slots, w, addr) && find_in_page(&empty, w) >= 0;
}

static bool next_to_others(const struct mv_slots *slots, const struct want *w, uint64_t *addr)
{
	for (unsigned i = 0; i < 2 * slots->n; i++) {
		uint64_t page = slots->pages[i / 2].addr;

		*addr = i % 2 ? page - MV_SLOT_PAGE : page + MV_SLOT_PAGE;
		if (is_page_for(slots, w, *addr))
			return true;
	}
	return false;
}

/* Byte i of a distance may have this value. */
static bool fits_byte(const struct want *w, unsigned i, uint8_t value)
{
	return !(w->traps >> i & 1) || mv_is_trap_byte(value);
}

/* One of the two pages that [start, start + 256) touches. */
static bool page_around(const struct mv_slots *slots, const struct want *w, uint64_t start, uint64_t *addr)
{
	for (uint64_t at = start; at <= start + 255; at += 255) {
		*addr = at & ~(uint64_t)(MV_SLOT_PAGE - 1);
		if (is_page_for(slots, w, *addr))
			return true;
	}
	return false;
}

/*
 * Search byte by byte of the distance, the highest first, each from a start that the seed gives; what has nothing free is
 * passed over as a whole.
 */
static bool search(const struct mv_slots *slots, const struct want *w, unsigned byte, uint64_t base, uint64_t *addr)
{
	uint64_t step = (uint64_t)1 << 8 * byte, mixed = slots->seed + byte;
	uint8_t start = (uint8_t)(mv_random_step(&mixed) >> 32);

	for (unsigned i = 0; i < 256; i++) {
		uint8_t value = (uint8_t)(start + i);
		int64_t distance = (byte == 3 ? (int64_t)(int8_t)value : (int64_t)value) * (int64_t)step;
		uint64_t at = base + (uint64_t)distance;

		if (distance < -REACH || distance >= REACH || at > INT64_MAX || !fits_byte(w, byte, value) ||
		    !any_free(w, at, at + step))
			continue;
		if (byte > 1 ? search(slots, w, byte - 1, at, addr) : page_around(slots, w, at, addr))
			return true;
	}
	return false;
}

static int add_page(struct mv_slots *slots, uint64_t addr)
{
	if (slots->n == slots->room) {
		unsigned room = slots->room + 16;
		struct mv_slot_page *pages = realloc(slots->pages, room * sizeof(*pages));

		if (!pages)
			return -ENOMEM;
		slots->pages = pages;
		slots->room = room;
	}
	slots->pages[slots->n++] = (struct mv_slot_page){ .addr = addr };
	return 0;
}

/* ---- the interface ---- */

static unsigned units_of(const struct mv_site *site)
{
	return (mv_trampoline_size(site) + MV_SLOT_UNIT - 1) / MV_SLOT_UNIT;
}

int mv_slots_take(struct mv_slots *slots, const struct mv_site *site, uint64_t at, const struct mv_range *free,
		  unsigned nfree, uint64_t *slot)
{
	const uint64_t from = at - site->before + MV_PATCH_LEN;
	const struct want w = { from, units_of(site), site->traps, low_bytes(from, site->traps), free, nfree };
	int unit = -1, r;
	uint64_t addr;
	unsigned i;

	if (!w.units)
		return -EINVAL;
	for (i = 0; i < slots->n; i++) {
		unit = find_in_page(&slots->pages[i], &w);
		if (unit >= 0)
			break;
	}
	if (unit < 0) {
		if (!next_to_others(slots, &w, &addr) && !search(slots, &w, 3, w.from, &addr))
			return -ENOSPC;
		r = add_page(slots, addr);
		if (r)
			return r;
		unit = find_in_page(&slots->pages[i], &w);
	}
	set_units(&slots->pages[i], (unsigned)unit, w.units, true);
	*slot = slots->pages[i].addr + (unsigned)unit * MV_SLOT_UNIT;
	return 0;
}

void mv_slots_give_back(struct mv_slots *slots, const struct mv_site *site, uint64_t slot)
{
	for (unsigned i = 0; i < slots->n; i++)
		if (slot - slots->pages[i].addr < MV_SLOT_PAGE)
			set_units(&slots->pages[i], (unsigned)(slot - slots->pages[i].addr) / MV_SLOT_UNIT, units_of(site), false);
}

bool mv_slots_has(const struct mv_slots *slots, uint64_t addr)
{
	for (unsigned i = 0; i < slots->n; i++)
		if (addr - slots->pages[i].addr < MV_SLOT_PAGE)
			return true;
	return false;
}
