/*
 * What this front-end needs of the machine and its settings beyond what the ptrace front-end does, and may find missing.
 */
#ifndef MV_FRONTEND_INPROC_NEEDS_H
#define MV_FRONTEND_INPROC_NEEDS_H

#include <stdint.h>
#include "base/error.h"

/* Each 0, or a negative number with *err filled: what is missing and the cure.  Cheap; nothing changes. */
int in_needs_code(struct mv_error *err);			/* the monitor's text is mapped from a memory file */
int in_needs_room(uint64_t arena_size, struct mv_error *err);	/* limits of memory can be raised by what the monitor takes */

/* Likewise what it does without where it is missing: protection keys, all of them, closed from the start. */
int in_needs_keys(struct mv_error *err);

#endif
