/*
 * The text of a file with its calls rewritten and the trampolines for them, to be mapped by every process that maps the file:
 * it is made once, and a process that maps it copies no page.  The trampolines lie at one distance from the text, wherever
 * that is mapped.
 */
#ifndef MV_REWRITE_SHARED_H
#define MV_REWRITE_SHARED_H

#include "rewrite/trampoline.h"

/* The trampolines are at most so many bytes below the text. */
#define MV_SHARED_REACH ((uint64_t)0x34000000)

struct mv_shared_site {
	const struct mv_site *site;
	int64_t at, slot;	/* of `syscall` and of its trampoline, relative to the text's address */
};

struct mv_shared {
	uint64_t offset, size;		/* of the text in the file: whole pages */
	int64_t distance;		/* from the text's address to that of the trampolines */
	uint64_t tramp_size;		/* whole pages */
	unsigned n;
	struct mv_shared_site *sites;	/* those that are rewritten, by address */
};

/*
 * Find the places for a text that is mapped from offset on, size bytes.  plan is the file's and must live as long as *shared;
 * seed: which of the good places.  0; -ENOENT: there is nothing to be rewritten; -ENOMEM.  mv_shared_free() is due on success.
 */
int mv_shared_plan(const struct mv_plan *plan, uint64_t offset, uint64_t size, uint64_t seed, struct mv_shared *shared);
void mv_shared_free(struct mv_shared *shared);

/*
 * Rewrite a text: bytes are the file's, shared->size of them, and room for the trampolines behind.  entry as in
 * mv_trampoline_make().  0; -ESTALE: the file is not as planned; -ERANGE.
 */
int mv_shared_apply(const struct mv_shared *shared, int32_t entry, uint8_t *bytes);

#endif
