/*
 * What the kernel says about another process: its mappings, its auxiliary vector, its memory's contents.
 */
#ifndef MV_SUPERVISOR_PROCMAPS_H
#define MV_SUPERVISOR_PROCMAPS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>
#include "base/error.h"

struct mv_map {
	uint64_t start, end;	/* end exclusive */
	uint64_t offset;	/* in the file */
	char perms[5];		/* "rwxp" */
	const char *name;	/* path, "[stack]" and the like, or ""; never NULL; lives as long as the struct mv_maps */
};

struct mv_maps {
	struct mv_map *maps;	/* low to high */
	unsigned n;
	char *text;
};

/* Read /proc/PID/maps.  0, or -errno with *err filled; mv_maps_free() is due (and harmless) in either case. */
int mv_maps_read(pid_t pid, struct mv_maps *maps, struct mv_error *err);
void mv_maps_free(struct mv_maps *maps);
/* The mapping that addr is in, or NULL. */
const struct mv_map *mv_maps_find(const struct mv_maps *maps, uint64_t addr);
/* The first mapping that overlaps [start, end), or NULL. */
const struct mv_map *mv_maps_overlap(const struct mv_maps *maps, uint64_t start, uint64_t end);

struct mv_auxv {
	unsigned n;		/* entries before AT_NULL */
	struct { uint64_t type, value; } v[64];
};

/* Read /proc/PID/auxv of a 64-bit process.  0, or -errno with *err filled. */
int mv_auxv_read(pid_t pid, struct mv_auxv *auxv, struct mv_error *err);
/* The value of the first entry of that type, or 0. */
uint64_t mv_auxv_get(const struct mv_auxv *auxv, uint64_t type);

/* Copy len bytes at addr out of pid.  0, or -errno with *err filled (-EFAULT if only a part is there). */
int mv_proc_peek(pid_t pid, uint64_t addr, void *dst, size_t len, struct mv_error *err);
/* Read the file /proc/PID/name whole: *text is malloc()ed, *len long, with a NUL behind.  0, or -errno with *err filled. */
int mv_proc_slurp(pid_t pid, const char *name, char **text, size_t *len, struct mv_error *err);
/*
 * A limit of pid: RLIMIT_STACK, RLIMIT_AS or RLIMIT_DATA.  prlimit() asks for CAP_SYS_RESOURCE, which root of a container has not,
 * as soon as the process has another user; then /proc/PID/limits tells, at ten times the price.  0, or -errno with *err filled.
 */
int mv_proc_limit(pid_t pid, int resource, struct rlimit *limit, struct mv_error *err);
/* The same from that file only, by the name that it has there ("Max stack size"). */
int mv_proc_limit_by_name(pid_t pid, const char *name, struct rlimit *limit, struct mv_error *err);

#endif
