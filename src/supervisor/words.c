#include <stdarg.h>
#include <stdio.h>
#include "supervisor/words.h"

struct mv_words mv_words_in(char *text, size_t size)
{
	text[0] = 0;
	return (struct mv_words){ text, size, 0 };
}

void mv_say(struct mv_words *w, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(w->text + w->len, w->size - w->len, format, ap);
	va_end(ap);
	if (n < 0)
		w->text[w->len] = 0;
	else
		w->len = (size_t)n < w->size - w->len ? w->len + (size_t)n : w->size - 1;
}
