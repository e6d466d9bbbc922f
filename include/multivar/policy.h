/*
 * Policies: which calls wait for all variants (lockstep), which are compared afterwards (relaxed), which are not compared
 * at all (unchecked), which fail (deny).  A policy is data without pointers: it may be copied into shared memory.
 */
#ifndef MULTIVAR_POLICY_H
#define MULTIVAR_POLICY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mv_level { MV_LEVEL_UNCHECKED, MV_LEVEL_RELAXED, MV_LEVEL_LOCKSTEP, MV_LEVEL_DENY };

#define MV_POLICY_CALLS 512
#define MV_POLICY_FDKINDS 8	/* indexed by enum mv_fdkind of the table; 0 = the call has no descriptor */

struct mv_policy {
	char name[64];
	uint8_t level[MV_POLICY_CALLS][MV_POLICY_FDKINDS];	/* enum mv_level */
	uint16_t deny_errno[MV_POLICY_CALLS];			/* MV_LEVEL_DENY: errno, EPERM unless told otherwise */
};

struct mv_policy_error {
	char file[128];		/* "(built in)" for built-in policies */
	unsigned line;		/* 0: the file as a whole */
	char text[192];		/* names the value found and what would be right */
};

/* Names of the built-in policies, NULL-terminated, static: performance, comprehensive, exec, leak. */
const char *const *mv_policy_names(void);
/* One line about a built-in policy, static, NULL for unknown names. */
const char *mv_policy_about(const char *name);
/* The text of a built-in policy in the syntax of policy files, static, NULL for unknown names. */
const char *mv_policy_text(const char *name);

/*
 * Parse policy text (not NUL-terminated, len bytes) into *out.  file is for messages only.
 * 0, or -1 with *err filled.  *out is unspecified on error.
 */
int mv_policy_parse(const char *file, const char *text, size_t len, struct mv_policy *out, struct mv_policy_error *err);

#ifdef __cplusplus
}
#endif
#endif
