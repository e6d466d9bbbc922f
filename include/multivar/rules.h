/*
 * Rules for variants that are another build of the program: which calls one build makes and the other does not.  Rules
 * are data without pointers, as policies are.
 */
#ifndef MULTIVAR_RULES_H
#define MULTIVAR_RULES_H

#include <stddef.h>
#include <stdint.h>
#include <multivar/policy.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MV_RULES_MAX 96
#define MV_RULE_PATH 64

enum mv_rule_who {
	MV_RULE_FOLLOWER,	/* the follower makes it, the leader does not */
	MV_RULE_LEADER,		/* the leader makes it, the follower does not */
	MV_RULE_REPORT,		/* what the follower alone writes to descriptor fd is its report: the run ends with it */
};

struct mv_rule {
	uint16_t nr;			/* the call; not used by REPORT */
	uint16_t who;			/* enum mv_rule_who */
	uint32_t line;			/* where it stands, 0 = in a rule set that was started from */
	uint32_t limit;			/* how often at most; 0: as often as they like */
	uint32_t used;			/* counted by the engine */
	int32_t fd;			/* REPORT */
	char path[MV_RULE_PATH];	/* the file the call is to name; empty: any */
};

struct mv_rules {
	char name[64];
	uint32_t count;
	struct mv_rule rule[MV_RULES_MAX];
};

/* Names of the built-in rule sets, NULL-terminated, static: build, allocator, asan, ubsan. */
const char *const *mv_rules_names(void);
/* The text of a built-in rule set, static, NULL for unknown names. */
const char *mv_rules_text(const char *name);
/*
 * Parse rules (not NUL-terminated, len bytes) into *out.  file is for messages only.  0, or -1 with *err filled: *out is
 * unspecified then.
 */
int mv_rules_parse(const char *file, const char *text, size_t len, struct mv_rules *out, struct mv_policy_error *err);

#ifdef __cplusplus
}
#endif
#endif
