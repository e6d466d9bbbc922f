#include <string.h>
#include "policy/nearest.h"

#define WORD_MAX 40

/* Edit distance where two neighbours that changed places count as one edit; both lengths are at most WORD_MAX. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned rows[3][WORD_MAX + 1];

	for (unsigned j = 0; j <= nb; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= na; i++) {
		unsigned *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= nb; j++) {
			unsigned d = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < d)
				d = last[j] + 1;
			if (now[j - 1] + 1 < d)
				d = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < d)
				d = before[j - 2] + 1;
			now[j] = d;
		}
	}
	return rows[na % 3][nb];
}

void mv_nearest_offer(struct mv_nearest *n, const char *known)
{
	size_t len = strlen(known);

	if (n->len > WORD_MAX || len > WORD_MAX)
		return;

	unsigned d = distance(n->word, n->len, known, len);

	/* Further than a third of the word is a guess, not a suggestion. */
	if (d > (n->len + 2) / 3 || (n->best && d >= n->distance))
		return;
	n->best = known;
	n->distance = d;
}
