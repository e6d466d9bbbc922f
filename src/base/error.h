/*
 * Errors.  Every fallible function returns a negative errno (or -1 where it says so) and fills *err: what was tried, the
 * value found, the cure where there is one.  Libraries never print and never exit; only src/cli does.
 */
#ifndef MV_BASE_ERROR_H
#define MV_BASE_ERROR_H

#include <stdarg.h>

struct mv_error {
	int code;		/* positive errno, or 0 when errno says nothing */
	int status;		/* the exit status mvarmor should end with; 0 = 125 (our own failure) */
	char text[320];		/* no newline, no program name in front */
};

/* Fill *err (which may be NULL) and return -code (-1 if code is 0).  errno's text is appended when code is not 0. */
int mv_error_set(struct mv_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
