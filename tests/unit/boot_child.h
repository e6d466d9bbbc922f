/*
 * A real program under ptrace on its way through a boot: spawned up to its exec stop, planned, injected, run to its end.
 * Programs that Debian does not have are compiled on the spot into a scratch directory.
 */
#ifndef MV_TESTS_BOOT_CHILD_H
#define MV_TESTS_BOOT_CHILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>
#include <cmocka.h>
#include "engine/mm.h"
#include "supervisor/boot.h"

#define VARIANTS 3
#define EXITED(n) ((n) << 8)		/* wait status */

struct child {
	pid_t pid;
	int out;		/* read end of its standard output */
	bool seccomp;
	struct mv_layout layout;
	struct mv_boot_plan plan;
	struct user_regs_struct regs;
};

extern const struct mv_boot_random boot_random;	/* what child_plan() puts at AT_RANDOM */
extern char *const boot_environment[];

/* A group's setup and teardown. */
int scratch_make(void **state);
int scratch_remove(void **state);
void scratch_path(char path[64], const char *name);
/* Whether the compiler could make it; says so if not. */
bool scratch_compile(const char *name, const char *source, const char *flags);

/* Up to the exec stop, under a filter that traces every call if seccomp; pid is the negative wait status if the exec failed. */
void child_spawn(struct child *c, char *const argv[], char *const envp[], bool seccomp);
void child_plan(struct child *c, enum mv_layout_mode mode, unsigned variant, uint64_t seed);
void child_inject(struct child *c);
/* Run to the end; the wait status.  Signals are delivered; output (if not NULL) gets what it wrote. */
int child_finish(struct child *c, char *output, size_t size);
/* For a child that cannot be run to its end: kill it; the wait status. */
int child_kill(struct child *c);

const struct mv_boot_mapping *child_planned(const struct mv_boot_plan *p, uint32_t ordinal);
/* Every mapping is where the plan says, and nothing of the kernel's choice is left but the vsyscall page. */
void child_check_maps(struct child *c);
/* /proc/PID tells the truth: cmdline, environ, comm, exe, auxv. */
void child_check_proc(struct child *c, char *const argv[], char *const envp[]);

#endif
