/* What boot.c and its parts, boot_*.c, share. */
#ifndef MV_SUPERVISOR_BOOT_INTERNAL_H
#define MV_SUPERVISOR_BOOT_INTERNAL_H

#include <elf.h>
#include "supervisor/boot.h"
#include "supervisor/procmaps.h"

#define BOOT_PAGE ((uint64_t)4096)
#define BOOT_MIB ((uint64_t)1 << 20)
#define BOOT_GIB ((uint64_t)1 << 30)
#define BOOT_LOWEST (64 * 1024)		/* nothing of ours below: mmap_min_addr */
#define BOOT_GUARD BOOT_MIB		/* the kernel's stack_guard_gap */

/* A part of the address space that moves as one. */
struct boot_part {
	uint64_t start, end;	/* where the kernel put it; page aligned; start == end: there is none */
	uint64_t align;		/* its place modulo this must stay */
	uint64_t delta;		/* how far it moves, modulo 2^64 */
	uint32_t ordinal;
	uint32_t flags;
};

struct boot {
	pid_t pid;
	const struct user_regs_struct *regs;
	struct mv_layout *layout;
	struct mv_maps maps;
	struct mv_auxv auxv;			/* as the kernel made it; later as the program will see it */
	struct boot_part program, interp, stack, vdso;
	const char *preload;			/* NULL: none */
	uint64_t stack_room;			/* how large the stack may become */
	struct mv_boot_plan *plan;
	struct mv_error *err;
};

static inline bool boot_part_has(const struct boot_part *part, uint64_t addr)
{
	return addr >= part->start && addr < part->end;
}

static inline uint64_t boot_page_down(uint64_t n)
{
	return n & ~(BOOT_PAGE - 1);
}

static inline uint64_t boot_page_up(uint64_t n)
{
	return boot_page_down(n + BOOT_PAGE - 1);
}

static inline uint64_t boot_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* -ENOEXEC: the program can run natively only, and why. */
int boot_not_ours(struct boot *b, const char *why);
/* Fill b->program, b->interp, b->stack with what the kernel has mapped.  0 or -errno. */
int boot_find_program(struct boot *b);
int boot_find_interp(struct boot *b);
int boot_find_stack(struct boot *b);

/* Choose random places: b's parts' deltas and flags.  0 or -errno. */
int boot_place_parts(struct boot *b);
/* ... where the program's break starts; the kernel has put it at kernel_brk. */
void boot_plan_brk(struct boot *b, uint64_t kernel_brk);
/* ... where the agent runs: plan->agent.  0 or -errno. */
int boot_place_agent(struct boot *b);

/* Rewrite b->auxv for the moves and fill plan->stack_*, plan->sp.  at_random as in mv_boot_plan().  0 or -errno. */
int boot_plan_stack(struct boot *b, const uint8_t *at_random);

/* Has the program a note of the Go linker's among its n headers? */
bool boot_is_go(struct boot *b, const Elf64_Phdr *ph, uint64_t n, uint64_t bias);

/* The mapping of the kernel's vDSO becomes b->vdso, if there is one. */
void boot_find_vdso(struct boot *b);
/* Fill plan->vdso_*.  0 or -errno. */
int boot_plan_vdso(struct boot *b, enum mv_vdso which);

#endif
