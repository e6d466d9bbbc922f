/*
 * Boot: what becomes of a process whose execve has just succeeded, before its first instruction (design.md section 9).
 *
 * The supervisor has the process stopped at PTRACE_EVENT_EXEC.  mv_boot_plan() looks at it (/proc/PID/maps, auxiliary
 * vector, memory) and plans: which mappings move where, the new stack image, the rewritten auxiliary vector.  The
 * front-end maps agent_len bytes, readable and executable, at plan->agent, writes plan->agent_bytes there, and lets it
 * run from its first byte: the agent makes the listed system calls in order and ends with the one that unmaps the agent
 * itself.  Then the front-end writes plan->stack_bytes to plan->stack_addr and plan->vdso_bytes to plan->vdso_addr, which
 * need not be writable for the program, and continues the program at plan->entry with plan->sp.  frontend/ptrace/inject.h does
 * all this.
 *
 * Nothing here changes the process.
 */
#ifndef MV_SUPERVISOR_BOOT_H
#define MV_SUPERVISOR_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>
#include "base/error.h"
#include "engine/layout.h"

/* One system call for the agent; the agent's assembly knows this struct. */
struct mv_boot_op {
	uint64_t nr;
	uint64_t args[6];
	uint64_t flags;		/* MV_BOOT_* */
};

enum {
	MV_BOOT_MAY_FAIL = 1,	/* otherwise an error (a result in -4095..-1) fails the boot */
	MV_BOOT_GIVES_FD = 2,	/* the result is a descriptor, which is ... */
	MV_BOOT_MAPS_FD = 4,	/* ... the fifth argument of operations that follow, or ... */
	MV_BOOT_CLOSES_FD = 8,	/* ... their first */
	MV_BOOT_ELSEWHERE = 16,	/* the call is made by the instruction that the sixth argument is the address of; the last one only */
};

struct mv_boot_mapping {	/* what is mapped after the boot, for mv_mm_add() */
	uint64_t start, len;
	uint32_t ordinal;	/* MV_MAP_* of engine/mm.h */
	uint32_t flags;		/* MV_MM_* */
};

struct mv_boot_text {		/* executable memory of the interpreter, mapped from its file */
	uint64_t start, len;	/* after the moves */
	uint64_t offset;	/* in the file */
	uint64_t old;		/* where it is before the boot */
	const char *name;	/* path; valid in mv_boot_extra.add() only */
};

#define MV_BOOT_OPS_MAX 144
#define MV_BOOT_TEXTS_MAX 4

struct mv_boot_plan;

/* What a front-end adds to a boot. */
struct mv_boot_extra {
	uint64_t agent;		/* where the agent goes, in every process */
	uint64_t last_insn;	/* the system call instruction by which the agent is unmapped */
	uint64_t below_interp;	/* bytes below the interpreter that are to be free */
	/* Add operations (mv_boot_add_op()), which are made after the planner's; 0, or -errno with *err filled. */
	int (*add)(struct mv_boot_plan *plan, void *ctx, struct mv_error *err);
	/* Called each time the agent has been resumed: serve what it waits for.  Non-zero, with errno, if that failed. */
	int (*meanwhile)(void *ctx);
	void *ctx;
};

/* What the functions of the program's vDSO do (agent/vdso.S). */
enum mv_vdso {
	MV_VDSO_SYSCALL,	/* make the system call */
	MV_VDSO_MONITOR,	/* go to the monitor in the process, as a rewritten call does */
	MV_VDSOS
};
/* The ELF file that is mapped then, as a whole, at offset 0. */
const uint8_t *mv_vdso_image(enum mv_vdso which, size_t *size);

struct mv_boot_plan {
	uint64_t syscall_insn;		/* a syscall instruction in the process, to map the agent with; see below */
	uint64_t agent;			/* where the agent goes: page aligned, free, inside the variant's window */
	size_t agent_len;		/* bytes to map there, a multiple of the page size */
	uint8_t *agent_bytes;		/* malloc()ed: all of the agent with its operations, agent_len bytes */
	unsigned nops;
	struct mv_boot_op ops[MV_BOOT_OPS_MAX];	/* the last one is munmap(agent, agent_len) */
	uint64_t stack_addr;		/* where stack_bytes go after the last operation */
	uint8_t *stack_bytes;		/* malloc()ed */
	size_t stack_len;
	uint64_t vdso_addr;		/* where vdso_bytes go after the last operation */
	uint8_t *vdso_bytes;		/* malloc()ed; NULL: the kernel has given the program no vDSO, and it gets none */
	size_t vdso_len;		/* all of the mapping */
	uint64_t entry, sp;		/* how the program starts */
	/*
	 * Program and interpreter are one mapping each, from first to last page of their segments; the stack's reaches as
	 * far down as the stack may grow, so that an address in it means the same before and after it has grown.
	 */
	unsigned nmappings;
	struct mv_boot_mapping mappings[MV_BOOT_OPS_MAX];
	unsigned ntexts;
	struct mv_boot_text texts[MV_BOOT_TEXTS_MAX];	/* the first ones */
	uint64_t brk_start, brk_limit;	/* for the emulated break; page aligned */
	bool preloaded;			/* the libraries will be loaded: the program is dynamic, and can see the files */
	bool seeds_by_random;		/* what AT_RANDOM is decides what it does: it has what all variants have */
	bool program_fixed;		/* not position independent: it stays where it is in all variants */
	char program[4096];		/* path of the program, for messages */
	const struct mv_boot_extra *extra;	/* the caller's, or NULL */
};

/* For AT_RANDOM: of this variant alone, and the same in all, for programs that decide by it what they do (boot_note.c). */
struct mv_boot_random { uint8_t own[16], common[16]; };

/*
 * Plan the boot of pid; regs are those of the exec stop.  layout gives the areas and is advanced (its random sequence).
 * In the modes SAME and ASLR nothing moves.  at_random: bytes for AT_RANDOM, or NULL to leave the kernel's.  The kernel's
 * vDSO is replaced by that one.  preload: paths of libraries, with colons between, that ld.so is to load before all others, or NULL; see
 * plan->preloaded.  extra may be NULL; it must live as long as the plan.
 * 0, or -errno with *err filled (err->status 126: not a program we can run; -ESRCH: pid is being killed).
 * mv_boot_plan_free() is due in any case.
 */
int mv_boot_plan(pid_t pid, const struct user_regs_struct *regs, struct mv_layout *layout, const struct mv_boot_random *at_random,
		 enum mv_vdso vdso, const char *preload, const struct mv_boot_extra *extra, struct mv_boot_plan *plan,
		 struct mv_error *err);
void mv_boot_plan_free(struct mv_boot_plan *plan);
/* One more operation; -E2BIG with *err filled. */
int mv_boot_add_op(struct mv_boot_plan *plan, struct mv_boot_op op, struct mv_error *err);

/*
 * The agent's image: position independent, no relocations, no data of its own.  It expects at offset
 * mv_agent_ops_offset: uint64_t count, then that many struct mv_boot_op.  Entry at offset 0.  When an operation fails it
 * stops with int3, rax = the result, rbx = the index of the operation.
 */
extern const uint8_t mv_agent_image[];
extern const size_t mv_agent_image_size;
extern const size_t mv_agent_ops_offset;

#endif
