/*
 * Plans on disk, one file per build-id.  A plan that is loaded is as good as one that is made: it is of this very file
 * (size, and a hash of all its code), undamaged (checksum), and what each site says is checked against the file's bytes.
 * Files and directories that another user could have written are not used.
 */
#ifndef MV_REWRITE_CACHE_H
#define MV_REWRITE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include "rewrite/plan.h"

/*
 * The directory: for root /var/cache/mvarmor, for others $XDG_CACHE_HOME/mvarmor or ~/.cache/mvarmor.  0; -ENOENT: there
 * is none (no home); -ENAMETOOLONG.  Whether it exists is not looked at.
 */
int mv_cache_dir(char *path, size_t size);

/*
 * Load the plan of the ELF file fd.  0 and the plan is the caller's; -ENOENT: there is none, or none for this very file;
 * another -errno with *err filled: there is one and it was not used (-EPERM: someone else could have written it,
 * -EBADMSG: damaged), or the ELF file itself is bad.
 */
int mv_cache_load(const char *dir, int fd, struct mv_plan *plan, struct mv_error *err);

/*
 * Store a plan; makes dir (not its parents' parents) if need be.  Whoever loads at the same time sees the old file or the
 * new one.  0, or -errno with *err filled (-ENOENT also: the plan's file has no build-id).
 */
int mv_cache_store(const char *dir, const struct mv_plan *plan, struct mv_error *err);

/*
 * The plan of fd: loaded if possible, made and stored otherwise.  dir may be NULL: made.  That a cache cannot be used is no
 * failure.  *cached, if not NULL: it was loaded.  Returns as mv_plan_make().
 */
int mv_cache_plan(const char *dir, int fd, struct mv_plan *plan, bool *cached, struct mv_error *err);

#endif
