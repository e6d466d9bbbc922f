/*
 * Limits of resources (ulimit) that were set for the program, and which the supervisor has as well: it keeps more files open than the
 * program does, makes memfds of some size, and computes for all variants.
 */
#ifndef MV_SUPERVISOR_LIMITS_H
#define MV_SUPERVISOR_LIMITS_H

#include <sys/resource.h>
#include <sys/types.h>
#include "base/error.h"

#define MV_LIMITS 3

struct mv_limits { struct rlimit found[MV_LIMITS]; };	/* RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_CPU */

/* Raise ours as far as we may; what they were is in *limits.  -errno with *err filled: a file of room bytes cannot be made all the same. */
int mv_limits_raise(struct mv_limits *limits, size_t room, struct mv_error *err);
/* Give process pid, a child of ours that has inherited them, what was found; 0: ourselves.  0, also if it was killed; or -errno. */
int mv_limits_restore(const struct mv_limits *limits, pid_t pid);

#endif
