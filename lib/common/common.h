/* What our preloaded libraries have in common.  Nothing here allocates memory or takes a lock. */
#ifndef LIB_COMMON_H
#define LIB_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Write "NAME: " and the parts (up to NULL) to standard error, and abort. */
_Noreturn void library_die(const char *name, const char *const *parts) __attribute__((cold));
/* End the program because of a word of a list of options: "NAME: VARIABLE: 'word' is not " and what is wanted. */
_Noreturn void library_bad_option(const char *name, const char *variable, const char *text, size_t len, const char *wanted);
/* Is a word of len bytes that one? */
bool library_is(const char *text, size_t len, const char *word);
/* len decimal digits, or false. */
bool library_number(const char *text, size_t len, uint64_t *out);
/* mvarmor has put libraries in front of LD_PRELOAD: take the first of them away, before the program looks. */
void library_hide(void);

#endif
