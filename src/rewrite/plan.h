/*
 * Which `syscall` instructions of an ELF file can be replaced by a jump into a trampoline, and how; and which rdtsc: the loader
 * looks at the time stamp counter eight times before each program.  Where `syscall` is said, rdtsc is meant too.  A plan is made
 * of the file's contents alone: it is the same for every process that maps the file, wherever it maps it.
 *
 * Only code is patched: instructions are decoded one after the other from a function's known start, and what no
 * instruction before and no branch leads to counts as data.
 */
#ifndef MV_REWRITE_PLAN_H
#define MV_REWRITE_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

#define MV_PATCH_LEN 5		/* bytes that a patch changes: one `jmp rel32` */
#define MV_DISPLACED_MAX 3
#define MV_SITE_BYTES 24

enum mv_site_kind {
	MV_SITE_NONE,		/* stays as it is, and traps */
	/*
	 * The jump takes the place of the one instruction, 5 bytes or longer, before `syscall`; `syscall` stays, so that
	 * branches to it and restarts at it go on working: they trap.
	 */
	MV_SITE_P1,
	/*
	 * The jump covers `syscall` and whole instructions behind it.  Each of these that starts inside of the jump makes
	 * the byte at its start a trap byte: a branch to it that nobody foresaw does not run half a jump.
	 */
	MV_SITE_F,
	MV_SITE_KINDS
};

enum mv_site_why {		/* why a site is MV_SITE_NONE */
	MV_WHY_NOT,		/* it is not */
	MV_WHY_SIGRETURN,	/* unwinders know a signal's return by its bytes */
	MV_WHY_PREFIX,		/* `syscall` with prefix bytes */
	MV_WHY_RELOCATED,	/* the file has relocations in its code: the bytes of the plan are not those that will run */
	MV_WHY_END,		/* F: the function ends too early */
	MV_WHY_TARGET,		/* F: a branch leads to an instruction that would be displaced */
	MV_WHY_FIXED,		/* F: an instruction that cannot run elsewhere */
	MV_WHY_NEIGHBOUR,	/* F: the patch of the next site needs the same bytes */
	MV_WHYS
};

enum mv_displaced_kind {
	MV_DISPLACED_PLAIN,	/* runs anywhere */
	MV_DISPLACED_RIP,	/* has a 32-bit displacement relative to its own end */
	MV_DISPLACED_JMP,	/* `jmp` relative, 8 or 32 bits */
	MV_DISPLACED_JCC,	/* conditional jump relative, 8 or 32 bits */
	MV_DISPLACED_PAD,	/* padding that is never reached; not copied */
	MV_DISPLACED_KINDS
};

struct mv_displaced {
	uint8_t at;		/* in struct mv_site.bytes */
	uint8_t length;
	uint8_t kind;		/* enum mv_displaced_kind */
	uint8_t field;		/* RIP, JMP, JCC: where in the instruction its displacement is */
};

struct mv_site {
	uint64_t vaddr;		/* of `syscall`, as linked */
	uint64_t offset;	/* of `syscall` in the file */
	int32_t nr;		/* the call's number if the code before sets it always; -1 otherwise, and for rdtsc */
	uint8_t kind;		/* enum mv_site_kind */
	uint8_t why;		/* enum mv_site_why */
	uint8_t before;		/* the patch starts so many bytes before `syscall`: P1 the instruction's length, F 0 */
	uint8_t length;		/* of all displaced instructions, at least MV_PATCH_LEN; F: with `syscall` */
	uint8_t nbytes;		/* in bytes: P1 length + 2, F length, NONE 2 */
	uint8_t traps;		/* bit i: byte i of the jump's displacement must be a trap byte (mv_is_trap_byte()) */
	uint8_t ndisplaced;	/* P1 1, F 1 to MV_DISPLACED_MAX */
	struct mv_displaced displaced[MV_DISPLACED_MAX];	/* without `syscall` */
	uint8_t bytes[MV_SITE_BYTES];	/* the file's, from the patch's start; with `syscall`; 0 behind */
	uint8_t reserved;	/* 0 */
};

/*
 * Equal states of a file mean equal contents: the kernel changes the last one with every change.  All 0: the file was changed
 * so shortly before it was looked at that its clock could not show another change.
 */
struct mv_file_state { uint64_t device, inode, modified, changed; };	/* times in ns */

struct mv_plan {
	struct mv_site *sites;	/* by address; all that were decoded, NONE too */
	unsigned n;
	unsigned unbounded;	/* byte pairs that look like `syscall` outside of every known function: left alone */
	uint64_t file_size;
	uint64_t text_hash[2];	/* of all executable segments: where they are and what is in them */
	unsigned build_id_len;	/* 0: the file has none */
	uint8_t build_id[64];
	struct mv_file_state state;	/* in which the text was read */
};

/*
 * Make the plan of the ELF file fd, which must be readable; its position is not used.  0, or -errno with *err filled:
 * -ENOEXEC no ELF file for x86-64 or a damaged one, -ENOMEM, what reading gives.  The plan is the caller's;
 * mv_plan_free() is due on success and harmless otherwise.
 */
int mv_plan_make(int fd, struct mv_plan *plan, struct mv_error *err);
void mv_plan_free(struct mv_plan *plan);

/* The instruction is rdtsc, not `syscall`. */
static inline bool mv_site_is_counter(const struct mv_site *site)
{
	return site->bytes[site->before + 1] == 0x31;
}

/* How many sites are of that kind. */
unsigned mv_plan_count(const struct mv_plan *plan, enum mv_site_kind kind);

#endif
