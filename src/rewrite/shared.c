#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "engine/random.h"
#include "rewrite/shared.h"
#include "rewrite/slots.h"

#define TEXT ((uint64_t)1 << 40)	/* an address to plan with: only distances matter */
/*
 * The highest byte of each jump's distance is a trap byte here (0xcc): of the few sites that need one there none has to have a
 * page of its own.
 */
#define NEAREST ((uint64_t)0x33000000)
/* In which all trampolines are, to be mapped by one call; sites for which no place is left stop. */
#define ROOM ((uint64_t)128 << 10)

static bool inside(const struct mv_shared *s, const struct mv_site *site)
{
	return site->kind != MV_SITE_NONE && site->offset >= s->offset + MV_SITE_BYTES &&
	       site->offset + MV_SITE_BYTES <= s->offset + s->size;
}

/* The pages that were chosen, and those between them. */
static struct mv_range pages_of(const struct mv_slots *slots)
{
	struct mv_range r = { UINT64_MAX, 0 };

	for (unsigned i = 0; i < slots->n; i++) {
		if (slots->pages[i].addr < r.start)
			r.start = slots->pages[i].addr;
		if (slots->pages[i].addr + MV_SLOT_PAGE > r.end)
			r.end = slots->pages[i].addr + MV_SLOT_PAGE;
	}
	return r;
}

int mv_shared_plan(const struct mv_plan *plan, uint64_t offset, uint64_t size, uint64_t seed, struct mv_shared *shared)
{
	struct mv_range room, pages;
	struct mv_slots slots;

	*shared = (struct mv_shared){ .offset = offset, .size = size };
	if (!plan->n || size + ROOM >= MV_SHARED_REACH - NEAREST)
		return -ENOENT;
	room.start = TEXT - MV_SHARED_REACH + size + mv_random_step(&seed) % ((MV_SHARED_REACH - NEAREST - size - ROOM) / MV_SLOT_PAGE) * MV_SLOT_PAGE;
	room.end = room.start + ROOM;
	shared->sites = malloc(plan->n * sizeof(*shared->sites));
	if (!shared->sites)
		return -ENOMEM;
	mv_slots_init(&slots, seed);
	for (unsigned i = 0; i < plan->n; i++) {
		struct mv_shared_site *s = &shared->sites[shared->n];
		uint64_t slot;

		s->site = &plan->sites[i];
		s->at = (int64_t)(s->site->offset - offset);
		if (!inside(shared, s->site) || mv_slots_take(&slots, s->site, TEXT + (uint64_t)s->at, &room, 1, &slot))
			continue;
		s->slot = (int64_t)(slot - TEXT);
		shared->n++;
	}
	pages = pages_of(&slots);
	shared->distance = (int64_t)(pages.start - TEXT);
	shared->tramp_size = pages.end - pages.start;
	mv_slots_free(&slots);
	if (shared->n)
		return 0;
	mv_shared_free(shared);
	return -ENOENT;
}

void mv_shared_free(struct mv_shared *shared)
{
	free(shared->sites);
	*shared = (struct mv_shared){ 0 };
}

int mv_shared_apply(const struct mv_shared *shared, int32_t entry, uint8_t *bytes)
{
	uint8_t *tramps = bytes + shared->size;

	memset(tramps, 0xcc, shared->tramp_size);
	for (unsigned i = 0; i < shared->n; i++) {
		const struct mv_shared_site *s = &shared->sites[i];
		uint8_t *patch = bytes + s->at - s->site->before;
		struct mv_trampoline t;

		if (memcmp(patch, s->site->bytes, s->site->nbytes))
			return -ESTALE;
		if (mv_trampoline_make(s->site, TEXT + (uint64_t)s->at, TEXT + (uint64_t)s->slot, entry, &t))
			return -ERANGE;
		memcpy(tramps + (s->slot - shared->distance), t.code, t.size);
		memcpy(patch, t.patch, sizeof(t.patch));
	}
	return 0;
}
