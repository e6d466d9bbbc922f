/* A string that grows up to a limit, in memory of the caller's. */
#ifndef MV_SUPERVISOR_WORDS_H
#define MV_SUPERVISOR_WORDS_H

#include <stddef.h>

struct mv_words {
	char *text;		/* always NUL-terminated */
	size_t size, len;
};

/* An empty one in text, which has size > 0 bytes. */
struct mv_words mv_words_in(char *text, size_t size);
/* Append; what is too much is cut. */
void mv_say(struct mv_words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
