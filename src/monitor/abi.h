/*
 * What the monitor inside of a variant and the supervisor outside agree on.  Also read by assembly (only the macros).
 *
 * The monitor is one image, position independent, linked with the engine.  The supervisor maps and relocates it at the same
 * address in every process of a variant, at each exec anew, and starts it before the program.
 */
#ifndef MV_MONITOR_ABI_H
#define MV_MONITOR_ABI_H

/*
 * What the assembly knows of a thread lies in three arrays, MON_ENTRIES bytes one behind the other: its head, which %gs points to, is
 * a file's that nobody can write to; its state is the monitor's; and its scratch is as the program's own memory, for what
 * registers hold on the way through a protection key (keys.S).  Offsets from %gs:
 */
#define MON_THREADS 16384
#define MON_HEAD_SIZE 64
#define MON_ENTRIES (MON_THREADS * MON_HEAD_SIZE)
#define MON_ENTRY 8		/* where trampolines jump to */
#define MON_LOOK 16		/* ... those of rdtsc: MV_ENTRY_SIZE behind */
#define MON_SELF (MON_ENTRIES + 0)
#define MON_FRAME (MON_ENTRIES + 8)	/* the thread's frame, at the top of its monitor stack */
#define MON_SAVED_RSP (MON_ENTRIES + 16)
#define MON_PENDING (MON_ENTRIES + 24)	/* set by the supervisor: it holds a signal for this thread */
#define MON_INUSE (MON_ENTRIES + 28)
#define MON_BACK (MON_ENTRIES + 32)	/* where mon_leave_to() goes */
#define MON_REQUEUED (MON_ENTRIES + 40)	/* set by the supervisor: what the kernel tells of this thread's signals may be another's */
#define MON_SCRATCH (2 * MON_ENTRIES)	/* eight words */

/* Flags of the program's that the monitor does not run with. */
#define MON_FLAG_TRAP 0x100ull
#define MON_FLAG_DIRECTION 0x400ull
#define MON_FLAG_ALIGNMENT 0x40000ull

/* The protection key of the monitor's memory.  The last one: programs get the numbers that they get natively. */
#define MON_KEY 15
#define MON_KEY_CLOSED 0x40000000	/* of its two bits in PKRU: as they are after an exec, and in handlers of signals */
#define MON_KEY_BITS 0xc0000000

/* Functions that mon_send_closed goes to. */
#define MON_SEND_ASYNC 0
#define MON_SEND_PSEUDO 1
#define MON_SEND_COUNTER 2

/* Offset into struct mon_regs. */
#define REGS_RIP 120

/* Offsets into struct mon_frame. */
#define FRAME_R15 0
#define FRAME_R14 8
#define FRAME_R13 16
#define FRAME_R12 24
#define FRAME_RBX 32
#define FRAME_RBP 40
#define FRAME_RDI 48
#define FRAME_RSI 56
#define FRAME_RDX 64
#define FRAME_R10 72
#define FRAME_R8 80
#define FRAME_R9 88
#define FRAME_RAX 96
#define FRAME_RIP 104
#define FRAME_RSP 112
#define FRAME_FLAGS 120
#define FRAME_SIZE 128

/* Call numbers that no kernel has; our filter makes stops of them. */
#define MON_LEAVE_NR 64			/* MON_LEAVE, for assembly */
#define MON_SERVICE_NR 0x3ffffff1	/* rdi = enum mon_service, rsi, rdx, r10 = its arguments */

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <multivar/multivar.h>
#include "engine/layout.h"
#include "engine/mm.h"

/* The program's registers while it is in the monitor. */
struct mon_frame {
	uint64_t r15, r14, r13, r12, rbx, rbp, rdi, rsi, rdx, r10, r8, r9;
	uint64_t rax;		/* the call's number, then its result */
	uint64_t rip;		/* where it returns to */
	uint64_t rsp, flags;
};
_Static_assert(sizeof(struct mon_frame) == FRAME_SIZE, "the assembly knows it");

struct mon_head {
	uint64_t here;			/* its own address: for who looks */
	uint64_t entry, look;
	uint64_t rest[5];
};
_Static_assert(sizeof(struct mon_head) == MON_HEAD_SIZE && offsetof(struct mon_head, entry) == MON_ENTRY &&
	       offsetof(struct mon_head, look) == MON_LOOK, "the assembly knows it");

/* The part of a thread's state that others than the monitor's own C code use. */
struct mon_state {
	void *self;
	struct mon_frame *frame;
	uint64_t saved_rsp;
	uint32_t pending;
	uint32_t inuse;
	uint64_t back;
	uint32_t requeued, pad;
	uint64_t rest[2];
};
_Static_assert(sizeof(struct mon_state) == MON_HEAD_SIZE && offsetof(struct mon_state, frame) == MON_FRAME - MON_ENTRIES &&
	       offsetof(struct mon_state, inuse) == MON_INUSE - MON_ENTRIES &&
	       offsetof(struct mon_state, back) == MON_BACK - MON_ENTRIES &&
	       offsetof(struct mon_state, requeued) == MON_REQUEUED - MON_ENTRIES, "others know it");

/* What the monitor asks of the supervisor.  The result is -errno or as said. */
enum mon_service {
	MON_STOP,		/* the run has a verdict; does not return */
	MON_EXPORT,		/* arg0 = struct mv_share; its handle */
	MON_IMPORT,		/* arg0 = struct mon_import; the descriptor */
	/* Before a clone: arg0 = number the child must get or 0, arg1 = its thread set, arg2 = its mon_head, arg3 = flags */
	MON_CLONE,
	MON_TAKE,		/* arg0 = where a siginfo goes; the signal's number, 0 = none.  To be delivered then */
	MON_TRUTH,		/* arg0 = signal that the kernel gave for a wait, arg1 = where its siginfo is, or 0: put it right */
	MON_DELIVER,		/* arg0 = struct mon_delivery; goes on with the frame's registers */
	MON_RETURN_WITH,	/* arg0 = struct mon_delivery, arg1 = context that the program's handler returns by, and where it finds the signal */
	MON_PSEUDO_DONE,	/* arg0 = result of the pseudo call; goes on where the program was */
	MON_FREEZE,		/* arg0 = bytes, arg1 = how many: for the next exec; 0 = it failed */
	MON_MAY_EXEC,		/* arg0 = struct mv_call; 0 or -errno */
	MON_COUNTER_LATER,	/* arg0 = struct mon_regs: a signal comes before the look at the counter that they make again */
	MON_SPREAD,		/* the program looks at or sets where it runs: it is to be where the kernel puts it */
	MON_OPENED,		/* arg0 = descriptor of a file in /proc: 0, -errno if it may not be open, MON_COPY = import a copy */
	MON_CLAIM,		/* follower: arg0 = struct mv_call, sensitive, which the program asks for */
	MON_REACHED,		/* arg0 = number of a call that was given an address of the monitor's */
	MON_REFUSE,		/* arg0 = fatal, arg1 = si_errno, arg2 = number: SIGSYS for the program, with the frame's registers */
	/* arg0 = struct mon_text, to be filled, for the file that was just mapped; a descriptor to map, which is then to be closed */
	MON_TEXT,
	MON_PIDFD,		/* leader: arg0 = descriptor; the number of the process that it means, 0 = none */
	MON_NUDGE,		/* leader: a signal was published for twins that may make no call; follower: look once more for one */
	MON_LEAVE = MON_LEAVE_NR,	/* goes on with the frame's registers, which the monitor cannot load all itself */
};

/* What the monitor is to map over the text of a file that the program has mapped: prot PROT_READ | PROT_EXEC. */
struct mon_text {
	uint64_t n;
	struct { uint64_t at, size, flags, offset; } maps[2];
};

#define MON_COPY 1
#define MON_COPY_HANDLE (~(uint64_t)0)	/* what is imported then */

struct mon_import {
	uint64_t handle;
	int32_t fd;
	int32_t cloexec;
};

/* All registers, to go back to where no call is. */
struct mon_regs {
	uint64_t r15, r14, r13, r12, rbx, rbp, rdi, rsi, rdx, r10, r8, r9, rax, rcx, r11;
	uint64_t rip, flags, rsp;
};
_Static_assert(offsetof(struct mon_regs, rip) == REGS_RIP, "the assembly knows it");

struct mon_delivery {
	int32_t sig;
	int32_t under_mask;	/* the call waited under a mask of its own: */
	uint64_t mask;		/* ... this one, which the handler runs with; the thread's own is put back by its return */
	uint8_t siginfo[MV_SIGINFO_SIZE];
};

#define MON_HEAP ((uint64_t)1 << 30)	/* address space for the monitor's heap; memory as it is used */
#define MON_GAP (1u << 20)	/* unmapped: at the beginning of the monitor's area, between image, heap and arena, at the end */
#define MON_MAPPINGS_MAX 96
#define MON_FDS_MAX 1024

/*
 * What rdtsc gives: ticks + (CLOCK_MONOTONIC_RAW in ns - ns) * rate / 2^32.  The monitor may not read the counter itself, and to
 * be let takes two calls of 5 us on a virtual machine.  One for the run.
 */
struct mon_ticks { int64_t ns, ticks, rate; };

/* Written by the supervisor before the monitor's first instruction. */
struct mon_boot {
	uint64_t arena, arena_size;
	uint64_t run;			/* address of struct mv_run */
	uint64_t heap, heap_size;	/* zeroed memory for the monitor */
	uint64_t mapped, writable;	/* bytes that the kernel counts for the monitor: of address space; of private writable memory */
	uint64_t low, high;		/* the monitor's area: image, heap, arena, and what is unmapped around them */
	uint64_t files;			/* f_fsid of the file system that memory files are in, ours among them */
	uint32_t variant;
	uint32_t tid;
	uint32_t usable_cpus;
	uint32_t keys;			/* where PKRU is in the XSAVE area of a signal's frame; 0 = MON_KEY is not used */
	uint32_t nmappings;
	struct mon_ticks ticks;
	uint64_t entry, sp;		/* the program's */
	uint64_t frozen, frozen_size;	/* after an exec; 0 at the start of a variant */
	struct mv_layout layout;
	struct mv_brk brk;
	struct { uint64_t start, len; uint32_t ordinal, flags; } mappings[MON_MAPPINGS_MAX];
	uint8_t fds[MON_FDS_MAX];	/* enum mv_fdkind of what is inherited, 0 = closed */
};

/* At the beginning of the image's data: where things are.  Absolute after relocation. */
struct mon_info {
	uint64_t start;			/* first instruction: void (void) on the first thread's stack */
	uint64_t entry;			/* a call: rcx = return address, rax = number, else the program's registers */
	uint64_t pseudo;		/* void (nr, arg0, arg1) on the thread's stack */
	uint64_t look;			/* rdtsc: rax = address behind it, else the program's registers */
	uint64_t counter;		/* void (nr) on the thread's stack: the same where it stopped, mon_thread.regs are written */
	uint64_t async;			/* void (set_free) on the thread's stack: take signals, or give the turn up */
	uint64_t kernel;		/* a system call instruction of the gate */
	uint64_t gate, gate_end;	/* the page with all system call instructions */
	uint64_t check, insn, after, abort;	/* of the program's calls: look for signals, call, return; and give up */
	uint64_t refuse;		/* ... close what rdi tells (rax = number of close), return -EACCES */
	uint64_t no_return, returned;	/* rt_sigreturn: where a thread is whose frame is bad; and where it gets to with the key closed */
	uint64_t copy, copy_bytes, copy_end, copy_fault;	/* copying from and to the program's memory, see entry.S */
	/* Ways in where the key is closed (keys.S): to start, entry and look; to the functions above; with the frame filled. */
	uint64_t start_closed, entry_closed, look_closed, send_closed, filled_closed;
	uint64_t die;			/* where a thread stops that has come to an instruction in the midst of those; they begin here */
	uint64_t keys_end;		/* ... and end here */
	uint64_t text, text_end;
	uint64_t boot;			/* struct mon_boot */
	uint64_t heads;			/* struct mon_head of all threads, the first one's first; mon_state and scratch behind */
	uint64_t stack;			/* the top of its monitor stack */
};
#endif
#endif
