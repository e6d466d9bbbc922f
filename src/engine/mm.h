/*
 * The address space of one process of one variant: which mappings there are, where new ones go.
 *
 * A mapping has an ordinal: mappings made by the same call in all variants have the same one, wherever they are.  An
 * address is compared between variants as (ordinal, offset).  Parts of a mapping that are unmapped or mapped over
 * leave the rest with the ordinal and offsets they had.
 *
 * libc-free; memory comes from ops->alloc.  All addresses and lengths are bytes; functions round to pages themselves.
 */
#ifndef MV_ENGINE_MM_H
#define MV_ENGINE_MM_H

#include <stdbool.h>
#include <stdint.h>
#include <multivar/multivar.h>
#include "layout.h"

enum {	/* ordinals of what exec makes */
	MV_MAP_NONE = 0,
	MV_MAP_PROGRAM = 1,
	MV_MAP_INTERP = 2,
	MV_MAP_STACK = 3,
	MV_MAP_BRK = 4,
	MV_MAP_OTHER = 5,	/* vsyscall, and what the kernel put where it likes */
	MV_MAP_VDSO = 6,
	MV_MAP_OWN = 7,		/* made outside of the stream by a process whose threads run at once: nowhere in particular */
	MV_MAP_FIRST = 16,	/* the first mapping the program makes */
};
#define MV_MAP_ALONE 0x80000000u	/* in ordinals: only this variant has it */

enum {
	MV_MM_SHARED = 1,
	MV_MM_FILE = 2,
	MV_MM_FIXED_PLACE = 4,	/* same address in all variants */
	MV_MM_GROWS_DOWN = 8,	/* nothing is placed in the 1 MiB below */
	MV_MM_HEAP = 32,	/* of the diversifying heap: changes of its protections are not compared */
	MV_MM_COMMON = 64,	/* other processes of the variant may write to it as well */
	MV_MM_RESERVED = 128,	/* private, anonymous, and not accessible when it was mapped: only addresses were taken */
	MV_MM_HIDDEN = 16,	/* taken, but to the program nothing is mapped there: not removed, no address is in it */
};

struct mv_mapping {
	uint64_t start, end;	/* page aligned, end exclusive */
	uint64_t origin;	/* offset of start in the mapping as it was made */
	uint64_t made;		/* when, by mv_mm_now() */
	uint32_t ordinal;
	uint32_t flags;		/* MV_MM_* */
};

struct mv_mm;

/* An empty address space with one reference.  NULL when memory is short.  layout is copied. */
struct mv_mm *mv_mm_new(const struct mv_ops *ops, const struct mv_layout *layout);
struct mv_mm *mv_mm_ref(struct mv_mm *mm);
struct mv_mm *mv_mm_copy(const struct mv_mm *mm);	/* fork */
void mv_mm_unref(struct mv_mm *mm);			/* frees with the last reference; NULL is allowed */
void mv_mm_clear(struct mv_mm *mm);			/* exec: no mappings, ordinals start anew, brk at 0 */

/* Record [start, start + len) as a mapping (replacing what it overlaps).  0 or -ENOMEM. */
int mv_mm_add(struct mv_mm *mm, uint64_t start, uint64_t len, uint32_t ordinal, uint32_t flags);
/* Forget what is mapped in [start, start + len).  0 or -ENOMEM (splitting needs memory). */
int mv_mm_remove(struct mv_mm *mm, uint64_t start, uint64_t len);
/*
 * The same, but of mappings that were recorded by then: where the kernel chooses places, a thread may have been given this one
 * between the call that unmapped it and our being told.
 */
int mv_mm_remove_of(struct mv_mm *mm, uint64_t start, uint64_t len, uint64_t then);
uint64_t mv_mm_now(const struct mv_mm *mm);
/* The mapping that addr is in, or NULL. */
const struct mv_mapping *mv_mm_find(const struct mv_mm *mm, uint64_t addr);
/* Call fn for every mapping, low to high. */
void mv_mm_each(const struct mv_mm *mm, void (*fn)(void *ctx, const struct mv_mapping *m), void *ctx);
/*
 * The heap says that [start, start + len) is its own.  False, and nothing is changed, unless that is one whole mapping,
 * private and anonymous, that the program has made.
 */
bool mv_mm_own_by_heap(struct mv_mm *mm, uint64_t start, uint64_t len);
/* Is what is mapped in [start, start + len) all private and anonymous, made by the program or its break, and is there something? */
bool mv_mm_is_private(const struct mv_mm *mm, uint64_t start, uint64_t len);
/* Has every page of [start, start + len) all of these flags and none of the others?  Mappings the program has not made: no. */
bool mv_mm_is(const struct mv_mm *mm, uint64_t start, uint64_t len, uint32_t flags, uint32_t others);
/* A fresh ordinal. */
uint32_t mv_mm_ordinal(struct mv_mm *mm);
/* The same for a mapping that no other variant has made: none of those that mv_mm_ordinal() gives out before 2^31 mappings. */
uint32_t mv_mm_ordinal_alone(struct mv_mm *mm);

/*
 * What an address means in every variant.  Returns ordinal and offset.  Addresses in no mapping are (0, offset in
 * the page) where variants lie at different addresses, else (0, addr).
 * An address that is the end of a mapping and the start of none belongs to the mapping it ends.
 */
void mv_mm_normalise(const struct mv_mm *mm, uint64_t addr, uint64_t out[2]);

/*
 * Where a new mapping of len bytes goes: an address that is free here and that the layout allows, or 0 if there is
 * none. Anonymous ones (file == false) get addresses that are congruent modulo the layout's window_size in all
 * variants that have made the same sequence of calls (set_areas() in layout.c says why).  They are placed top-down,
 * first fit; lengths of 2 MiB and more at a multiple of 2 MiB.  Files (file == true) go into their own area with random gaps
 * of pages; when that is full, into the anonymous one.  What fits nowhere there goes into the other stripes, in the
 * same way.  grows_down keeps the stack guard gap of 1 MiB below.  With MV_LAYOUT_SAME and ASLR always 0: the kernel
 * chooses. The caller records the mapping with mv_mm_add() when the kernel has made it.
 */
uint64_t mv_mm_place(struct mv_mm *mm, uint64_t len, bool file, bool grows_down);
/*
 * What has been said of addr by the first function, in one variant, makes the second find the place in another that is
 * congruent with it, or one that is so modulo 64 MiB if there is something; 0 if there is none.  For anonymous mappings.
 */
uint64_t mv_mm_distance(const struct mv_mm *mm, uint64_t addr);
uint64_t mv_mm_place_at(const struct mv_mm *mm, uint64_t distance, uint64_t len, bool grows_down);
/* The address that mv_mm_normalise() has made (ordinal, offset) of; 0 if nothing is mapped there.  The ordinal's low 20 bits will do. */
uint64_t mv_mm_address(const struct mv_mm *mm, uint64_t ordinal, uint64_t offset);

/* The emulated program break.  start is set at exec; cur moves between start and limit.  Nothing is placed there. */
struct mv_brk { uint64_t start, cur, limit; };
struct mv_brk *mv_mm_brk(struct mv_mm *mm);
struct mv_layout *mv_mm_layout(struct mv_mm *mm);

/* The address space of a process of the engine; for front-ends, which fill it after exec. */
struct mv_mm *mv_process_mm(struct mv_process *p);

#endif
