/* "Did you mean": the known word that is nearest to an unknown one. */
#ifndef MV_POLICY_NEAREST_H
#define MV_POLICY_NEAREST_H

#include <stddef.h>

/* Start with an empty struct holding word and len; offer all known words; best is then NULL if none is near enough. */
struct mv_nearest {
	const char *word;
	size_t len;
	const char *best;
	unsigned distance;
};

void mv_nearest_offer(struct mv_nearest *n, const char *known);

#endif
