/* What boot.c, boot_note.c, boot_stack.c and boot_vdso.c share. */
#ifndef MV_SUPERVISOR_BOOT_INTERNAL_H
#define MV_SUPERVISOR_BOOT_INTERNAL_H

#include <elf.h>
#include "supervisor/boot.h"
#include "supervisor/procmaps.h"

#define BOOT_PAGE ((uint64_t)4096)

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

/* Rewrite b->auxv for the moves and fill plan->stack_*, plan->sp.  at_random as in mv_boot_plan().  0 or -errno. */
int boot_plan_stack(struct boot *b, const uint8_t *at_random);

/* Has the program a note of the Go linker's among its n headers? */
bool boot_is_go(struct boot *b, const Elf64_Phdr *ph, uint64_t n, uint64_t bias);

/* The mapping of the kernel's vDSO becomes b->vdso, if there is one. */
void boot_find_vdso(struct boot *b);
/* Fill plan->vdso_*.  0 or -errno. */
int boot_plan_vdso(struct boot *b, enum mv_vdso which);

#endif
