/*
 * The arena: memory that the supervisor and all variants map, each at its own address.  Everything in it is found by
 * offsets.  Allocation is process-shared and lock-free: a process that dies in it holds nobody up.
 */
#ifndef MV_ENGINE_ARENA_H
#define MV_ENGINE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct mv_arena;

/*
 * Lay out an arena in [mem, mem + size); mem is page aligned.  NULL if size cannot hold the header.  What exceeds
 * 256 GiB is not used.
 */
struct mv_arena *mv_arena_init(void *mem, size_t size);
/*
 * Zeroed, 64-byte aligned memory, or 0 when there is none; offsets are relative to the arena and never 0.
 * Freed blocks are reused for requests of the same size class (powers of two and their midpoints).
 */
uint64_t mv_arena_alloc(struct mv_arena *a, size_t size);
/* The same, not zeroed. */
uint64_t mv_arena_take(struct mv_arena *a, size_t size);
/* size is what mv_arena_alloc() was asked for.  Offset 0 and offsets outside of the arena are ignored. */
void mv_arena_free(struct mv_arena *a, uint64_t offset, size_t size);
/* Address of an offset in this process, NULL for 0 or an offset outside of the arena. */
void *mv_arena_at(struct mv_arena *a, uint64_t offset);
/* The offset of an address in this process, 0 for NULL or an address outside of the arena. */
uint64_t mv_arena_offset(struct mv_arena *a, const void *p);
/* Bytes in use, size classes and header included; bytes in all. */
size_t mv_arena_used(const struct mv_arena *a);
size_t mv_arena_size(const struct mv_arena *a);

#endif
