/*
 * Where trampolines go: slots in pages near the text.  A process has one struct mv_slots; it only counts, the caller maps
 * and writes.  Two sets that were asked the same with the same seed have chosen the same places.
 */
#ifndef MV_REWRITE_SLOTS_H
#define MV_REWRITE_SLOTS_H

#include <stdbool.h>
#include "rewrite/trampoline.h"

#define MV_SLOT_UNIT 16		/* slots start at multiples of this and take up as many bytes as needed of these */
#define MV_SLOT_PAGE 4096

struct mv_range { uint64_t start, end; };	/* end exclusive */

struct mv_slot_page {
	uint64_t addr;
	uint64_t used[4];	/* a bit per MV_SLOT_UNIT bytes */
	bool mapped;		/* the caller's: false in a page that was just chosen */
};

struct mv_slots {
	struct mv_slot_page *pages;	/* in the order they were chosen */
	unsigned n, room;
	uint64_t seed;
};

void mv_slots_init(struct mv_slots *slots, uint64_t seed);
void mv_slots_free(struct mv_slots *slots);
/* What a fork does; *to is not yet initialised.  0 or -ENOMEM. */
int mv_slots_copy(struct mv_slots *to, const struct mv_slots *from);

/*
 * A slot for a site whose `syscall` is at address at.  In a page that there is already, or in a new one from free: ranges
 * by address, not overlapping, in which the process has nothing mapped (pages that are chosen but not mapped yet need not
 * be taken out).  Few pages are chosen, next to each other where that is possible, and such that *slot gives the jump its
 * trap bytes.
 *
 * 0; -ENOSPC: there is no place in reach; -ENOMEM; -EINVAL: MV_SITE_NONE.  After success the caller maps slots->pages
 * whose mapped is false, private, readable and executable, and sets mapped.
 */
int mv_slots_take(struct mv_slots *slots, const struct mv_site *site, uint64_t at, const struct mv_range *free,
		  unsigned nfree, uint64_t *slot);

/* The site at which slot was taken is gone from memory (or could not be used). */
void mv_slots_give_back(struct mv_slots *slots, const struct mv_site *site, uint64_t slot);

/* Is addr in a page that was chosen? */
bool mv_slots_has(const struct mv_slots *slots, uint64_t addr);

#endif
