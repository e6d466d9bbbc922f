/*
 * Variants that are other builds of the program (--variant).
 */
#ifndef MV_SUPERVISOR_BUILDS_H
#define MV_SUPERVISOR_BUILDS_H

#include <sys/stat.h>
#include "base/error.h"
#include "supervisor/supervisor.h"

/* Can all that are named run here?  0, or -1 with *err and its exit status (126, 127) filled. */
int mv_builds_check(const struct mv_run_options *o, struct mv_error *err);
/* The file that a variant executes; program is what the run was asked for. */
const char *mv_build_path(const struct mv_run_options *o, const char *program, unsigned variant);
/* Its arguments and environment: arrays to be free()d, strings are o's.  NULL without memory. */
char **mv_build_argv(const struct mv_run_options *o, unsigned variant);
char **mv_build_envp(const struct mv_run_options *o, unsigned variant);
/* The variant is about to execute the file st: what it executes instead because that is the program of the run, else NULL. */
const char *mv_build_instead(const struct mv_run_options *o, const char *program, unsigned variant, const struct stat *st);
/*
 * "variant 1: allow follower mmap: 43": a line for each rule that was used, malloc()ed; NULL if there are none or without
 * memory.
 */
char *mv_rules_used(const struct mv_run *run);

#endif
