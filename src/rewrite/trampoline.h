/*
 * The machine code of one rewritten call.  Pure: nothing here touches a process.
 *
 *	P1	the displaced instruction		F	lea ret(%rip),%rcx
 *		lea ret(%rip),%rcx				jmp *%gs:ENTRY
 *		jmp *%gs:ENTRY				  ret:	the displaced instructions
 *	  ret = behind `syscall` in the program's text		jmp behind them in the program's text
 *
 * The monitor at *%gs:ENTRY finds the call as the kernel would: number and arguments in their registers, flags and stack
 * untouched, only rcx is the address to go on at.  It must leave what the kernel leaves: all but rax, rcx, r11.
 *
 * For rdtsc it is rax that is the address to go on at, the jump is through the word behind ENTRY, and all but rax and rdx must
 * be left.
 *
 * To restart a call with rax = number: P1 at ret - 2, the `syscall` that is still there; F at ret - MV_ENTRY_LEN.
 */
#ifndef MV_REWRITE_TRAMPOLINE_H
#define MV_REWRITE_TRAMPOLINE_H

#include <stdbool.h>
#include "rewrite/plan.h"

#define MV_ENTRY_LEN 15		/* lea and jmp */
#define MV_ENTRY_SIZE 8		/* of the monitor's address in the GS segment */
#define MV_TRAMPOLINE_MAX 64

struct mv_trampoline {
	uint8_t code[MV_TRAMPOLINE_MAX];	/* goes to the slot */
	unsigned size;
	uint8_t patch[MV_PATCH_LEN];		/* goes to patch_at */
	uint64_t patch_at;
	uint64_t ret;				/* what rcx is in the monitor (rdtsc: rax) */
};

/* How long a site's trampoline is, wherever it lies; 0 for MV_SITE_NONE. */
unsigned mv_trampoline_size(const struct mv_site *site);

/*
 * For a site whose `syscall` is at address at, with its trampoline at slot.  entry: the offset of the monitor's address in
 * the GS segment; that for rdtsc is MV_ENTRY_SIZE behind.  0, or -ERANGE: something that is referred to is out of reach, or slot
 * is not good for the trap bytes that the site needs; -EINVAL: MV_SITE_NONE.
 */
int mv_trampoline_make(const struct mv_site *site, uint64_t at, uint64_t slot, int32_t entry, struct mv_trampoline *t);

#define MV_NOWHERE (-1000)

/*
 * A thread was found at byte offset of a trampoline.  Where it would be in the program's text, relative to `syscall`;
 * MV_NOWHERE if no instruction starts at offset.  From before the call's entry, going there instead does the same.  In
 * F's displaced instructions it is a matter of showing only: the text has trap bytes there.
 */
int mv_trampoline_to_text(const struct mv_site *site, unsigned offset);

/*
 * A branch has led to a trap byte at byte offset behind F's `syscall`.  Where in the trampoline the same instruction is;
 * MV_NOWHERE if none starts at offset.
 */
int mv_trampoline_from_text(const struct mv_site *site, unsigned offset);

/* int3, and what the processor refuses in 64-bit mode whatever follows. */
bool mv_is_trap_byte(uint8_t byte);

#endif
