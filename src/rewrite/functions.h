/* Where a file's functions begin and end: .eh_frame first, symbols where it says nothing.  Internal to src/rewrite. */
#ifndef MV_REWRITE_FUNCTIONS_H
#define MV_REWRITE_FUNCTIONS_H

#include <stdbool.h>
#include "rewrite/image.h"

struct mv_function {
	uint64_t start, end;	/* virtual addresses in one executable segment; end exclusive */
	bool signal_frame;	/* unwinders take it for a signal's return trampoline, and match its bytes */
};

struct mv_functions {
	struct mv_function *list;	/* low to high, not overlapping */
	unsigned n, room;
};

/*
 * 0, or -errno with *err filled (-ENOMEM, what reading gives).  A damaged table is used as far as it can be read.
 * mv_functions_free() is due (and harmless) in either case.
 */
int mv_functions_find(const struct mv_image *im, struct mv_functions *fs, struct mv_error *err);
void mv_functions_free(struct mv_functions *fs);
/* The index of the function that vaddr is in; -1: none. */
int mv_functions_index(const struct mv_functions *fs, uint64_t vaddr);

#endif
