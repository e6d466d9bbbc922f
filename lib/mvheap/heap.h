/*
 * The parts of libmvheap.
 *
 *	settings.c	what we are told at the start
 *	region.c	address space from the kernel: places for slabs, metadata
 *	slab.c		slabs of equal objects, size classes
 *	cache.c		what a thread keeps to itself
 *	huge.c		objects with a mapping of their own
 *	malloc.c	the family's functions, made of these
 *
 * Nothing of ours lies between objects: a slab's header, which slots are free, in which order they come, all of it is in
 * the region's metadata, which inaccessible pages surround.
 */
#ifndef HEAP_H
#define HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "common/common.h"
#include "engine/random.h"
#include "mvheap.h"

#define PAGE ((size_t)4096)
#define KIB ((size_t)1024)
#define MIB ((size_t)1 << 20)
#define ALIGNMENT 16
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

static inline size_t page_up(size_t n)
{
	return (n + PAGE - 1) & ~(PAGE - 1);
}

/* ---- settings.c ---- */

extern struct mvheap_settings heap_settings;
extern uint8_t heap_fill_byte;		/* 0: do not fill */
void heap_settings_load(void);
/* Write "libmvheap: " and the parts to standard error, and abort. */
#define HEAP_DIE(...) library_die("libmvheap", (const char *const[]){ __VA_ARGS__, NULL })

/*
 * One permutation of n numbers for each variant: k goes to (factor * k + shift) % n.  n is a prime and the factors of any two
 * variants differ, hence so does the distance of any two k: their difference is that of the factors times that of the k,
 * which is not 0 modulo n.
 */
struct heap_order { uint32_t n, factor, shift; };
/*
 * n is 1, or a prime above the number of variants; factors are among the steps that are nearest to 0 modulo n, at least as many
 * as variants.  Draws from the heap's random sequences: with heap_region_lock held.
 */
struct heap_order heap_order_draw(uint32_t n, uint32_t steps);
static inline uint32_t heap_order_at(const struct heap_order *o, uint32_t k)
{
	return (uint32_t)(((uint64_t)o->factor * k + o->shift) % o->n);
}
/* The largest prime up to n, or 1 if that is too small for the number of variants. */
uint32_t heap_prime(uint32_t n);
extern struct mv_random heap_common;	/* the same in all variants */
extern struct mv_random heap_own;	/* this variant's */

/* ---- region.c ---- */

#define PLACE_SHIFT 20
#define PLACE ((size_t)1 << PLACE_SHIFT)
#define PLACE_USED (PLACE / 2)	/* distances between places outweigh those inside of them */
#define REGIONS_MAX 64

struct region {
	uintptr_t start;		/* of the first place */
	struct heap_order order;	/* of the places */
	uint32_t used;			/* places given out */
	bool early;			/* among those that are to be guarded */
	bool guarded;			/* inaccessible but for what slabs have committed */
	uint32_t *slabs;		/* by place: where the slab's header is, from meta, in units of 64 bytes; 0 = none */
	uintptr_t meta;
	size_t meta_used, meta_ready, meta_size;
};
/* What is looked for in the first region, which has nearly everything, by each free(). */
extern struct first {
	uintptr_t start;
	size_t places;			/* 0: there is no region yet */
	const uint32_t *slabs;
	uintptr_t meta;
} heap_first;

void heap_region_lock(void);
void heap_region_unlock(void);
/* Make a mapping of len bytes, inaccessible, and tell MvArmor that it is ours.  NULL: no memory. */
void *heap_map(size_t len);
bool heap_commit(uintptr_t start, size_t len);
/* Give the pages back; they read as zeros then. */
void heap_discard(uintptr_t start, size_t len);

/* For the following, heap_region_lock is held.  Zeroed metadata of len bytes that is never given back, 64-byte aligned. */
void *heap_meta(size_t len);
/* A place for data of len <= PLACE_USED bytes, committed, with its metadata: *data is where it begins.  NULL: no memory. */
struct slab *heap_place(size_t len, size_t meta, uintptr_t *data);

/* ---- slab.c ---- */

/*
 * No object ends where another one begins: programs put buffers together that do (nginx), which would depend on the variant.  So
 * the last bytes of a slot are nobody's, as with glibc.
 */
#define GAP ((size_t)8)
#define SMALL_MAX (448 * KIB + 8)	/* larger objects are huge */
#define FAMILY 55			/* classes for objects of no particular alignment; behind them, as many for aligned ones */
#define CLASSES (2 * FAMILY)

struct slab {
	uintptr_t base;			/* of slot 0 */
	uint64_t inverse;		/* of size's odd factor, modulo 2^64 */
	uint32_t size;			/* of a slot */
	uint8_t class;
	uint8_t shift;			/* size's factors of two */
	uint16_t nslots;
	uint16_t nfree;			/* in the ring */
	uint16_t nfresh;		/* the first so many of them were never handed out, or given back to the kernel since */
	uint16_t head;			/* of the ring */
	bool given_back;		/* its memory, to the kernel, and nothing is in it since */
	struct slab *next, *previous;	/* among those of the class that have free slots */
	uint16_t *ring;			/* free slots, in the order in which they will be taken */
	uint8_t taken[];		/* by slot: is it the program's? */
};

/* A slot in one word: the slab's header and the slot's number. */
typedef uint64_t handle;
static inline struct slab *handle_slab(handle h)
{
	return (struct slab *)(uintptr_t)(h >> 16);
}
static inline handle handle_of(const struct slab *s, uint32_t slot)
{
	return (handle)(uintptr_t)s << 16 | slot;
}

/* One that a thread has to itself, and where it lies. */
struct slot { handle h; void *p; };

extern const uint32_t heap_class_sizes[CLASSES];
extern const uint8_t heap_classes[1024 / 16 + 1];	/* of sizes up to 1024 with their gap, in units of 16 */
/* Of objects of up to SMALL_MAX bytes. */
static inline unsigned heap_class(size_t size)
{
	unsigned k;

	size += GAP;
	if (LIKELY(size <= 1024))
		return heap_classes[(size + 15) / 16];
	size -= 16;
	k = 63 - (unsigned)__builtin_clzl(size - 1);
	return 8 + (k - 7) * 4 + (unsigned)((size - 1) >> (k - 2)) - 4;
}

/* Up to n free slots of a class, fresh ones filled.  Returns how many: fewer only when memory is short. */
unsigned heap_slab_take(unsigned class, struct slot *to, unsigned n);
/* Give slots of one class back. */
void heap_slab_put(unsigned class, const struct slot *from, unsigned n);
void heap_slab_lock_all(void);
void heap_slab_unlock_all(void);

/* The slab whose place p is in, or NULL. */
struct slab *heap_slab_elsewhere(uintptr_t p);
static inline struct slab *heap_slab_of(uintptr_t p)
{
	size_t place = (p - heap_first.start) >> PLACE_SHIFT;
	uint32_t at;

	if (UNLIKELY(place >= heap_first.places))
		return heap_slab_elsewhere(p);
	at = heap_first.slabs[place];
	return LIKELY(at) ? (struct slab *)(heap_first.meta + (size_t)at * 64) : NULL;
}

/*
 * The slot that begins at p, or something from nslots on if none does: an exact division is a product, and what is no multiple of
 * the divisor, or lies before, becomes a number above all quotients.
 */
static inline uint64_t heap_slot_of(const struct slab *s, uintptr_t p)
{
	uint64_t product = (p - s->base) * s->inverse;

	return product >> s->shift | product << (-s->shift & 63);
}

/* Fill n bytes, a multiple of 16, with the variant's byte, if it has one. */
static inline void heap_fill(void *p, size_t n)
{
	typedef uint64_t words __attribute__((vector_size(16), aligned(16), may_alias));
	char *at = p, *end = at + n;

	if (n > 128) {
		if (heap_fill_byte)
			memset(p, heap_fill_byte, n);
		return;
	}
	if (heap_fill_byte) {
		uint64_t word = heap_fill_byte * 0x0101010101010101u;
		words w = { word, word };

		/* From both ends, which may meet. */
		if (n > 64) {
			*(words *)(at + 32) = *(words *)(at + 48) = w;
			*(words *)(end - 64) = *(words *)(end - 48) = w;
		}
		if (n > 32) {
			*(words *)(at + 16) = w;
			*(words *)(end - 32) = w;
		}
		*(words *)at = w;
		*(words *)(end - 16) = w;
	}
}

/* ---- cache.c ---- */

#define READY_MAX 32
#define HELD_MAX 64

/*
 * What a thread keeps of a class: slots that are ready to be handed out, and freed ones, which are held for a while before
 * they are reused.
 */
struct bin {
	uint16_t nready, nheld, first_held, delay, room, batch;
	struct slot ready[READY_MAX];
	struct slot held[HELD_MAX];	/* a ring */
};

struct cache {
	struct bin bins[CLASSES];
	struct cache *next;
};

extern __thread struct cache *heap_cache __attribute__((tls_model("initial-exec")));
/* Once, before the rest. */
void heap_cache_start(void);
/* For when the thread has no cache yet, or bins are empty or full. */
void *heap_cache_alloc(unsigned class);
void heap_cache_free(unsigned class, struct slot slot);

static inline void *heap_hand_out(const struct slot *slot)
{
	handle_slab(slot->h)->taken[slot->h & 0xffff] = 1;
	return slot->p;
}
static inline void heap_hold(struct bin *b, struct slot slot)
{
	b->held[(b->first_held + b->nheld++) % HELD_MAX] = slot;
}

/* ---- huge.c ---- */

struct huge {
	uintptr_t data;
	size_t size;		/* accessible bytes from data on; whole pages */
	size_t room;		/* what size may become */
	uintptr_t map;
	size_t map_len;
	struct huge *next;	/* with the same hash */
};

/* align is a power of two.  Zeroed memory, or NULL; room beyond size is for growing. */
void *heap_huge_alloc(size_t size, size_t align, size_t room);
/* Usable bytes of the huge object at p; 0: there is none. */
size_t heap_huge_size(const void *p);
/* False: there is none. */
bool heap_huge_free(void *p);
/* Make it so large, in place.  False: it does not fit, or there is no memory. */
bool heap_huge_resize(void *p, size_t size);
void heap_huge_lock(void);
void heap_huge_unlock(void);

/* ---- malloc.c ---- */

/* Set the heap up, if it is not yet. */
void heap_start(void);

#endif
