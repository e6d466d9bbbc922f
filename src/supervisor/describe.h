/*
 * Words for calls and results, made from the system-call table.
 *
 * Functions that take (text, size) write a NUL-terminated string of less than size bytes (size > 0), cut if need be,
 * and return text.  Control characters never get through: what a program chose (paths, names) may end on a terminal.
 */
#ifndef MV_SUPERVISOR_DESCRIBE_H
#define MV_SUPERVISOR_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <multivar/multivar.h>

/* "openat(AT_FDCWD, 0x7f0012345678, 0)".  name is used instead of the table's if it is not NULL and not empty. */
char *mv_describe_call(const struct mv_call *call, const char *name, char *text, size_t size);
/* "write(1, ..., 18)": a call as it was compared; what is not compared as a number is not known. */
char *mv_describe_compared(const struct mv_call *call, char *text, size_t size);
/* "write(1, ...)": small scalars up to the first argument that is none, or to argument index stop (>= 6: no limit). */
char *mv_describe_brief(const struct mv_call *call, unsigned stop, char *text, size_t size);
/* "3", "0x7f0012345678", "-ENOENT". */
char *mv_describe_result(const struct mv_call *call, int64_t result, char *text, size_t size);
/* "SIGSEGV", "SIGRTMIN+3" or "signal 99". */
char *mv_describe_signal(uint64_t sig, char *text, size_t size);
/* in, with control characters (ascii: all bytes that are not printable ASCII) as \xNN. */
char *mv_describe_text(const char *in, bool ascii, char *text, size_t size);

/* How many arguments the call has (6 when the table does not know it), and whether one of them is an address. */
unsigned mv_call_nargs(const struct mv_call *call);
bool mv_call_arg_is_address(const struct mv_call *call, unsigned arg);
/* Is the argument's value compared as it is? */
bool mv_call_arg_is_compared(const struct mv_call *call, unsigned arg);

#endif
