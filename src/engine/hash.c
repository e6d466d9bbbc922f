/*
 * XXH3-128 from the header-only xxHash, scalar code: the vector unit belongs to the program.  The header has allocating
 * functions that we do not use; without optimisation the compiler keeps them, so they must not refer to the libc's.
 */
#include <stdlib.h>

/* The lanes of the inner loop stay in memory if it is not unrolled, which halves the speed. */
#ifndef __clang__
#pragma GCC optimize("O3")
#endif

#define malloc(size) ((void)(size), NULL)
#define free(p) ((void)(p))

/* Its loads are memcpy(), which in freestanding code would be calls. */
#define XXH_FORCE_MEMORY_ACCESS 1
#define XXH_INLINE_ALL
#define XXH_STATIC_LINKING_ONLY
#define XXH_VECTOR XXH_SCALAR
#define XXH_DEBUGLEVEL 0
#include <xxhash.h>

#undef malloc
#undef free

#include "engine/hash.h"
#include "engine/random.h"

#define PURPOSE_HASH 0x6861736820202020u
#define SECRET_SIZE 192		/* the size XXH3 is designed and tested with */

struct state {
	XXH3_state_t xxh;
	uint64_t secret[SECRET_SIZE / sizeof(uint64_t)];
};
_Static_assert(sizeof(struct state) + _Alignof(struct state) - _Alignof(struct mv_hash) <= sizeof(struct mv_hash),
	       "struct mv_hash has room for xxHash's state at its alignment");

/* xxHash wants cache lines; a struct mv_hash lies in memory that allocators give, which are less strict. */
static struct state *state_of(const struct mv_hash *h)
{
	uintptr_t align = _Alignof(struct state);

	return (struct state *)(((uintptr_t)h + align - 1) & ~(align - 1));
}

void mv_hash_init(struct mv_hash *h, const uint64_t key[4])
{
	struct state *s = state_of(h);
	struct mv_random r;

	mv_random_init(&r, key, PURPOSE_HASH);
	for (unsigned i = 0; i < SECRET_SIZE / sizeof(uint64_t); i++)
		s->secret[i] = mv_random_next(&r);
	XXH3_INITSTATE(&s->xxh);
	XXH3_128bits_reset_withSecret(&s->xxh, s->secret, SECRET_SIZE);
}

void mv_hash_update(struct mv_hash *h, const void *p, size_t len)
{
	if (len)
		XXH3_128bits_update(&state_of(h)->xxh, p, len);
}

void mv_hash_final(const struct mv_hash *h, uint64_t out[2])
{
	XXH128_hash_t digest = XXH3_128bits_digest(&state_of(h)->xxh);

	out[0] = digest.low64;
	out[1] = digest.high64;
}
