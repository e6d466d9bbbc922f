/*
 * A keyed 128-bit streaming hash: inputs that are longer than a record's payload are compared by it.  XXH3 with a
 * secret made from the key; variants of one run use the same key, the program never sees it.
 */
#ifndef MV_ENGINE_HASH_H
#define MV_ENGINE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Opaque, needs no clean-up.  Points into itself: do not copy or move it between mv_hash_init() and mv_hash_final(). */
struct mv_hash { uint64_t opaque[104]; };

void mv_hash_init(struct mv_hash *h, const uint64_t key[4]);
/* How the input is split into pieces makes no difference.  p may be NULL when len is 0. */
void mv_hash_update(struct mv_hash *h, const void *p, size_t len);
/* The hash of all so far; more may be added afterwards. */
void mv_hash_final(const struct mv_hash *h, uint64_t out[2]);

#endif
