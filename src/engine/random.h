/*
 * Small deterministic random sequences (splitmix64, xoshiro256**).  Fast and well distributed, but no cipher: what
 * comes out must be secret only as long as nobody sees many whole outputs.
 */
#ifndef MV_ENGINE_RANDOM_H
#define MV_ENGINE_RANDOM_H

#include <stdint.h>

struct mv_random { uint64_t s[4]; };

/* splitmix64: the next value of a sequence whose whole state is one word. */
static inline uint64_t mv_random_step(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline uint64_t mv_random_rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline uint64_t mv_random_next(struct mv_random *r)
{
	uint64_t *s = r->s, result = mv_random_rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = mv_random_rotate(s[3], 45);
	return result;
}

/* Start a sequence from a key; different purposes get unrelated sequences from the same key. */
static inline void mv_random_init(struct mv_random *r, const uint64_t key[4], uint64_t purpose)
{
	uint64_t x = purpose;

	for (unsigned i = 0; i < 4; i++) {
		x ^= key[i];
		r->s[i] = mv_random_step(&x);
	}
	/* The first words depend on part of the key only; some rounds spread it over the state. */
	for (unsigned i = 0; i < 16; i++)
		mv_random_next(r);
}

#endif
