/*
 * The monitor: the engine inside of a variant's process.  No libc, no TLS but %gs, no vector registers, no system call
 * instruction outside of the gate.  One process, any number of threads; the engine is entered with the monitor's lock held.
 */
#ifndef MV_MONITOR_MONITOR_H
#define MV_MONITOR_MONITOR_H

#include <stdbool.h>
#include <linux/errno.h>
#include "monitor/abi.h"

#define MON_STACK 32768
#define MON_NAP 8000000		/* nanoseconds: how late a follower may be that nobody waits for */
#define MON_SLEEP 100000000	/* sleep is bounded, since a verdict wakes nobody */
#define MON_SPIN_MAX 4096
#define MON_SPIN_MIN 64		/* for a start: all may run on one CPU, where a spin only keeps the others off */

struct mon_thread {
	struct mon_state *state;
	struct mon_thread *next;		/* of all ever made in this process */
	struct mv_thread *thread;		/* the engine's; NULL once the thread is ending */
	struct mon_thread *child;		/* being made by a clone that shares our memory */
	uint32_t attached;			/* child: it has its engine thread */
	struct mv_step *parent_step;		/* child of a vfork: of the call its parent is in, which it has to end */
	struct mon_regs regs;			/* the program's behind a look at the counter */
	bool counting;				/* ... which is being made */
	bool reached;				/* the call at hand was given an address of ours */
	bool nested;				/* ... not by an argument: by what one points to */
	bool pseudo;				/* it is no call: the supervisor has put it in where the program was */
	struct mon_altstack { uint64_t sp; uint32_t flags, pad; uint64_t size; } altstack;	/* what the kernel is given of one */
	bool rested;				/* its last nap was not disturbed */
	bool hurried;				/* ... was: the leader is likely to wait for it again soon */
	uint32_t spin;				/* looks at a word before a wait sleeps, as it has paid lately */
	uint8_t stack[MON_STACK] __attribute__((aligned(64)));
	struct mon_frame frame __attribute__((aligned(64)));
};

struct mon {
	struct mv_run *run;
	bool shared;				/* there is more than one thread */
	uint32_t lock;
	uint32_t spin_max;			/* looks at a word before a wait sleeps, at most */
	struct mon_thread *threads;
	uint32_t nthreads;			/* heads that were given away */
};
extern struct mon mon;
extern struct mon_head mon_heads[MON_THREADS];	/* read-only */
extern struct mon_state mon_states[MON_THREADS];
extern struct mon_boot mon_boot;

static inline struct mon_thread *mon_self(void)
{
	struct mon_thread *t;

	__asm__("mov %%gs:%c1, %0" : "=r"(t) : "i"(MON_SELF));
	return t;
}

static inline bool mon_is_error(int64_t r)
{
	return r < 0 && r >= -4095;
}

/* entry.S */
long mon_gate(const struct mv_call *call);
long mon_gate_on_stack(const struct mv_call *call, uint64_t rsp);	/* for calls that look at the stack pointer */
long mon_kernel(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
long mon_kernel_call(const struct mv_call *call);
long mon_clone(const struct mv_call *call);
_Noreturn void mon_sigreturn(uint64_t context);
_Noreturn void mon_exit_thread(int status);
_Noreturn void mon_leave_open(void);			/* to the program, with the frame's registers */
_Noreturn void mon_leave_to_open(const struct mon_regs *r);	/* ... with these */
_Noreturn void mon_last_open(enum mon_service s, uint64_t a, uint64_t b, uint64_t c);
/* keys.S: the same where the key has to be closed */
_Noreturn void mon_leave_closed(void);
_Noreturn void mon_leave_to_closed(const struct mon_regs *r);
_Noreturn void mon_last_closed(enum mon_service s, uint64_t a, uint64_t b, uint64_t c);
size_t mon_copy(void *to, const void *from, size_t n);

static inline long mon_service4(enum mon_service s, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return mon_kernel(MON_SERVICE_NR, s, a, b, c, d);
}

static inline long mon_service(enum mon_service s, uint64_t a, uint64_t b)
{
	return mon_service4(s, a, b, 0, 0);
}

static inline _Noreturn void mon_leave(void)
{
	if (mon_boot.keys)
		mon_leave_closed();
	mon_leave_open();
}

/* A service that does not return: the thread goes on in the program. */
static inline _Noreturn void mon_last(enum mon_service s, uint64_t a, uint64_t b, uint64_t c)
{
	if (mon_boot.keys)
		mon_last_closed(s, a, b, c);
	mon_last_open(s, a, b, c);
}

/* memory.c; and what the compiler calls */
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memset(void *to, int c, size_t n);
void *memmove(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *mon_alloc(size_t size);		/* zeroed; NULL */
void mon_free(void *p, size_t size);
size_t mon_peek(void *task, uint64_t addr, void *dst, size_t len);
size_t mon_poke(void *task, uint64_t addr, const void *src, size_t len);
/* The program has made call, and it succeeded: if it has mapped a file's text, map what takes that text's place. */
void mon_text_mapped(const struct mv_call *call);
bool mon_owns(uint64_t addr, uint64_t len);	/* does the range touch the monitor's area? */
static inline bool mon_in_area(uint64_t addr)
{
	return addr - mon_boot.low < mon_boot.high - mon_boot.low;
}

/* guard.c */
/*
 * Let what a call is given of the monitor's area be as if nothing were mapped there: call is changed, or answered in *result
 * (then true).
 */
bool mon_guard(struct mon_thread *m, struct mv_call *call, int64_t *result);
/* The stack for signals that the kernel is told of: true if it was put elsewhere. */
bool mon_move_stack(struct mon_thread *m, struct mon_altstack *s);
/* arch_prctl about the program's gs, the real one being ours: the answer, or false if the call is about something else. */
bool mon_segment(const struct mv_call *call, int64_t *result);

/* key.c */
/* pkey_free and pkey_mprotect of the monitor's key: answered as if it were nobody's; or false if it is another one. */
bool mon_key(const struct mv_call *call, int64_t *result);
_Noreturn void mon_return(struct mon_thread *m, uint64_t context);	/* from a handler: what rt_sigreturn does */
_Noreturn void mon_returned(void);					/* where the kernel gets to then */
_Noreturn void mon_leave_to(struct mon_thread *m);			/* to the program, with m->regs */

/* limit.c */
/* getrlimit and the like about memory of this process: answered in *result; or false if the call is about something else. */
bool mon_limit(const struct mv_call *call, int64_t *result);
bool mon_lock_all(const struct mv_call *call, int64_t *result);	/* likewise for mlockall of what is mapped */

/* start.c: a call (start, length, 0) for each part of the area in which something is mapped */
void mon_over_area(long nr);

/* wait.c */
void mon_lock(void);
void mon_unlock(void);
/* The process is about to have a second thread; the caller holds the lock. */
void mon_share(void);
/* Wake those that wait for what the engine has just done for t. */
void mon_wake(struct mv_thread *t);
/* Wait until step is no MV_PARK; ends with the run.  Called and returns with the lock held. */
void mon_settle(struct mon_thread *m, struct mv_thread *t, struct mv_step *step);
/* Among threads of this process: wait for a word to change, and change it. */
void mon_wait_word(uint32_t *word, uint32_t while_value);
void mon_set_word(uint32_t *word, uint32_t value);

/*
 * Follower: the leader has found the thread of a tgkill gone.  Wait until the twin is, too, or for a second: what the program does
 * then (take its stack, as glibc does) goes by that.  With the lock held, which is given up meanwhile.
 */
#define NR_TGKILL 234
void mon_wait_gone(const struct mv_call *call);

/* call.c */
void mon_call(struct mon_frame *f);
_Noreturn void mon_pseudo(uint64_t nr, uint64_t arg0, uint64_t arg1);
_Noreturn void mon_counter(uint64_t nr);
_Noreturn void mon_looks(const struct mon_regs *regs);	/* rdtsc, from entry.S */
_Noreturn void mon_async(uint64_t set_free);	/* take signals; or compute beside other threads */
/* Drive a step to the call's end: DONE, SIGNAL or INTERRUPT.  With the lock held. */
void mon_finish(struct mon_thread *m, struct mv_step *step);
/* At the end of a call: of a signal that comes before its next one a follower is to be told in time. */
void mon_signal_at_end(struct mon_thread *m);
_Noreturn void mon_stop(void);
_Noreturn void mon_fail(const char *text);
_Noreturn void mon_unsupported(const char *text);

/* process.c: calls that make threads and processes, execute programs, end */
bool mon_is_process_call(const struct mv_call *call);
/* Carry out step; true if step tells by now what comes next, else the call's result is in *result. */
bool mon_process_call(struct mon_thread *m, struct mv_step *step, int64_t *result);
struct mon_thread *mon_thread_make(void);
void mon_thread_init(struct mon_thread *m);
_Noreturn void mon_child(void);		/* where a thread begins; from entry.S */

/* signal.c */
/* Leader: take one signal that the supervisor holds, to deliver it: its number, or 0. */
int mon_take(uint8_t siginfo[MV_SIGINFO_SIZE]);
/*
 * What the kernel has told of a signal that a wait has got: it may be one that the supervisor has sent back, which tells of the
 * supervisor, or that came before such a one.  siginfo may be 0.
 */
void mon_tell_truth(int64_t sig, uint64_t siginfo);
/* Leader, at a sigreturn: take one that is blocked until then. */
int mon_take_unblocked(const struct mon_frame *f, uint8_t siginfo[MV_SIGINFO_SIZE]);
/* Where a call is made again whose return address is rip. */
uint64_t mon_again(uint64_t rip);
/* Publish it; fills step as what the caller delivers then. */
void mon_publish(struct mon_thread *m, int sig, const uint8_t siginfo[MV_SIGINFO_SIZE], enum mv_signal_when when,
		 int64_t result, struct mv_step *step);
/* Let the frame's registers be those of a call that step's signal comes before, after, or in; does not return. */
_Noreturn void mon_deliver_before(struct mon_thread *m, const struct mv_step *step, uint64_t nr);
void mon_return_with(const struct mv_step *step, uint64_t context);	/* before mon_return(): where that goes back to */
_Noreturn void mon_deliver(const struct mv_step *step);	/* after it, or in a pseudo call */
_Noreturn void mon_deliver_interrupted(struct mon_thread *m, const struct mv_step *step, const struct mv_call *call);

#endif
