/*
 * Operands that several tests of inputs and outputs use, and how to find out which of their bytes count.
 */
#ifndef MV_TESTS_OPERANDS_H
#define MV_TESTS_OPERANDS_H

#include "engine_sim.h"

/* Prepares the memories of all variants, alike. */
typedef void (*filler)(struct sim *s);

void fill_nothing(struct sim *s);

/* Do the variants agree about a call when byte number at differs? */
bool agree_flipped(filler fill, struct mv_call call, uint64_t at);
/* Exactly the bytes [at, at + len) count. */
void compared(filler fill, struct mv_call call, uint64_t at, uint64_t len);

void put_iov(struct sim *s, uint64_t at, uint64_t base, uint64_t len);
/* A vector of 3 at 0x100: 5 bytes at 0x2000, none at 0x3000, 32 at 0x4ff0. */
void fill_iov(struct sim *s);

struct message {
	uint64_t name;
	uint32_t namelen, pad0;
	uint64_t iov, iovlen, control, controllen;
	uint32_t flags, pad1;
};

/* A message: name of 8 at 0x1000, a vector of 2 at 0x200 (0x2000, 0x3000), control data of 56 at 0x4000. */
void put_message(struct sim *s, uint64_t at);
void put_cmsg(struct sim *s, uint64_t at, uint64_t len, int32_t level, int32_t type);
/* A message with two control messages at 0x100; a second message behind it, at 0x140. */
void fill_message(struct sim *s);
void fill_messages(struct sim *s);

/* A socket address with a path at 0x1000. */
void fill_unix(struct sim *s);

#endif
