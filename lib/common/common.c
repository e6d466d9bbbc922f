#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#include "common.h"

static size_t add(char *text, size_t size, size_t n, const char *part)
{
	size_t len = strlen(part);

	if (len > size - n)
		len = size - n;
	memcpy(text + n, part, len);
	return n + len;
}

void library_die(const char *name, const char *const *parts)
{
	static bool dying;
	char text[256];
	size_t n = add(text, sizeof(text) - 1, 0, name);

	/* Another thread has said why, and ends the process. */
	while (__atomic_exchange_n(&dying, true, __ATOMIC_ACQ_REL))
		pause();
	n = add(text, sizeof(text) - 1, n, ": ");
	for (; *parts; parts++)
		n = add(text, sizeof(text) - 1, n, *parts);
	text[n++] = '\n';
	if (write(STDERR_FILENO, text, n) < 0)
		abort();	/* nobody listens */
	abort();
}

void library_bad_option(const char *name, const char *variable, const char *text, size_t len, const char *wanted)
{
	char word[64];

	len = len < sizeof(word) - 1 ? len : sizeof(word) - 1;
	memcpy(word, text, len);
	word[len] = 0;
	library_die(name, (const char *const[]){ variable, ": '", word, "' is not ", wanted, NULL });
}

bool library_is(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && !memcmp(text, word, len);
}

bool library_number(const char *text, size_t len, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(*out, 10, out) ||
		    __builtin_add_overflow(*out, (uint64_t)(text[i] - '0'), out))
			return false;
	return len > 0;
}

/*
 * They are in the environment that ld.so reads: before what was in LD_PRELOAD, or as two words behind all others ("LD_PRELOAD=...",
 * and an empty string).  The program shall not see it.  Two words, because the auxiliary vector is looked for behind the
 * environment: what is left of the gap reads as an entry of it that is to be ignored.
 */
void library_hide(void)
{
	static const char name[] = "LD_PRELOAD=";

	for (char **e = environ; e && *e; e++) {
		char *rest;

		if (strncmp(*e, name, sizeof(name) - 1))
			continue;
		rest = strchr(*e, ':');
		if (rest) {
			rest++;
			memmove(*e + sizeof(name) - 1, rest, strlen(rest) + 1);
		} else if (e[1] && !*e[1] && !e[2]) {
			e[0] = NULL;
			e[1] = (char *)(uintptr_t)AT_IGNORE;
			e[2] = NULL;
		}
		return;
	}
}
