/*
 * The in-process front-end's half outside of the variants: it starts the monitor in every program, catches what has not
 * been made to go to the monitor by itself, and serves the monitor.  Built on the ptrace front-end's processes.
 */
#ifndef MV_FRONTEND_INPROC_INPROC_H
#define MV_FRONTEND_INPROC_INPROC_H

#include <signal.h>
#include <stdio.h>
#include "frontend/ptrace/pt.h"
#include "monitor/abi.h"

/* The monitor's image as it lies in one variant. */
struct in_image {
	uint64_t low, high;		/* where all that is the monitor's lies, and nothing else: it begins and ends with a gap */
	uint64_t base;			/* where it is mapped */
	uint64_t text, data;		/* bytes that come from the file, multiples of the page size: at base, and behind */
	uint64_t bss;			/* bytes behind those, zeros; multiple of the page size */
	uint64_t agent;			/* where the boot agent goes, for as long as it runs: in the gap behind those */
	uint64_t heap;			/* where the heap is, behind a gap that is not mapped */
	uint64_t arena;			/* where the arena goes */
	uint64_t text_file, data_file;	/* offsets in the arena's memfd: the text is all variants' */
	uint64_t heads_file;		/* ... of the threads' heads: at info.heads, in the midst of bss */
	uint64_t heads;			/* bytes of those that are written */
	bool keyed;			/* all of it has the monitor's protection key */
	struct mon_info info;
};

struct in_plan;
struct in_reader;
struct in_text;
struct inproc {
	struct in_plan *plans;			/* of rewriting, by file */
	struct in_text *texts;			/* rewritten, which processes share */
	struct in_ahead *ahead;			/* what is made before it is asked for; NULL = nothing */
	struct in_reader *reader;		/* of calls that are compared here; NULL = none yet */
	struct in_image images[MV_VARIANTS_MAX];
	struct mv_layout layouts[MV_VARIANTS_MAX];
	struct in_company {			/* company.c */
		enum in_together { IN_APART, IN_JOINING, IN_JOINED, IN_PARTING } state;
		struct timespec counted;		/* the last window's end */
		uint64_t meetings;			/* ... at it */
		double rate;				/* meetings a millisecond before the trial */
		long settled, patience;			/* when state was chosen last, and how long before the next trial: ms */
	} company;
	struct mon_ticks ticks;			/* what rdtsc gives; rate 0 = not measured yet */
	uint32_t keys;				/* monitors have a protection key: mon_boot.keys; 0 = none */
};

enum in_where { IN_PROGRAM, IN_MONITOR, IN_GATE };

/* What a sensitive call is, in words that are equal for the same call in all variants. */
struct in_claim {
	uint64_t nr;
	uint64_t words[MV_NARGS];
	uint64_t hash[2];		/* of what is in memory */
};

/* How far a follower is with the sensitive call that its monitor has spoken of last. */
enum in_agreed {
	IN_NOTHING,			/* it has spoken of none, or has made it */
	IN_CLAIMED,			/* its program asks for the call */
	IN_GRANTED,			/* and the leader makes it, or has made it */
	IN_MOVES,			/* it has a mount namespace by it, and goes to where the leader's begins */
};

/* What is known of a thread besides pt_task. */
struct in_task {
	uint64_t set;			/* its thread set */
	struct mv_brk brk;		/* where its process's program break may be */
	uint64_t child_set, child_head;	/* of the clone at hand */
	uint64_t child_flags;		/* ... and what it shares */
	struct in_claim claim;		/* follower: what its monitor has spoken of last */
	enum in_agreed agreed_on;	/* ... and where that stands */
	bool told_to_stop;		/* it is accused, and has said that it stands */
	bool sensitive;			/* makes a sensitive call, whose exit stops */
	uint64_t mapping;		/* ... and maps this many bytes of code, which are rewritten at its end, or 0 */
	bool opening;			/* opens a file to write to it, likewise */
	uint64_t head;			/* address of its struct mon_head, 0 = not seen yet */
	uint64_t self, self_of;		/* address of its struct mon_thread, which belongs to that head; see in_self() */
	bool nudged;			/* follower: a signal is in its stream that it may not look for by itself */
	bool reached;			/* it was reported that it gives addresses of the monitor's to calls, or goes there itself */
	int copy;			/* of a file in /proc, to be imported instead of it; 0 = none */
	struct { uint64_t at, size, offset; int fd; } mapped;	/* the last call that makes memory executable: of a file; size 0 = else */
	struct in_text *offered;	/* what the monitor is to map there, NULL = nothing */
	struct mon_text offer;
	void *frozen;			/* the engine's state on its way over an exec */
	size_t frozen_size;
	bool pseudo;			/* sent into the monitor from the midst of the program; pt_task.own holds its registers */
	uint64_t vsyscall;		/* ... for a call of the vsyscall page, from this address; 0 = for something else */
	uint32_t vsyscall_nr;
	bool agreed;			/* the fault that comes next is the same in all variants */
	uint64_t handles_at;		/* a signal was delivered to it here, where it has stopped since or not at all; 0 = none */
	bool no_frame;			/* the fault is that there was no room for that signal's frame: it does not happen again */
	/*
	 * While a signal is held or on its way no other is let through, so that the kernel keeps them in order: the thread's
	 * mask is then ours, and own_mask the program's.
	 */
	bool masked;
	uint64_t own_mask;
	bool under_mask;		/* the signal on its way is delivered under this mask: */
	uint64_t mask;
	bool stepping;			/* to the handler's first instruction, to set right the mask that it returns to */
};

/* image.c */
int in_images_load(struct pt *pt, struct mv_error *err);	/* into the arena's memfd; 0 or -errno */
int in_heads_write(struct pt *pt, unsigned variant, uint64_t head, struct mv_error *err);	/* that one is there; 0 or -errno */

/* key.c: a protection key for the monitor's memory */
/* Is there one, on this machine?  Then where PKRU is in XSAVE areas; else 0. */
uint32_t in_key_offset(void);
struct mv_boot_plan;
int in_key_boot(const struct in_image *m, uint64_t arena_size, struct mv_boot_plan *plan, struct mv_error *err);
/*
 * A fault of t, stopped: one on the way into the monitor, since the program has closed the way to its own memory (then t goes on), or one
 * in the monitor with its key closed (then the run ends).  False if it is neither.
 */
bool in_key_fault(struct pt_task *t, const siginfo_t *info);

/* room.c */
/* Bytes that the kernel counts for the monitor in a process: of address space, and of private writable memory. */
uint64_t in_mapped(const struct pt *pt, unsigned variant);
uint64_t in_writable(const struct pt *pt, unsigned variant);
/* Limits of memory that a variant starts with become so much higher; mon_limit() shows the program its own.  0 or -errno. */
int in_room(struct pt_task *t, struct mv_error *err);

/* filter.c */
enum {	/* what a seccomp stop says */
	IN_CALL = 0,		/* a call from outside of the gate */
	IN_32BIT = 1,
	IN_SERVICE = 2,
	IN_SENSITIVE = 8,	/* a call from the gate that all variants must make */
	IN_GUARDED = 4,		/* a call from the gate that may change the monitor's memory */
	IN_OPENING = 16,	/* a call from the gate that opens a file to write to it, or may */
};
struct bpf;
void in_filter_write(struct bpf *b, const struct in_image *image, const struct mv_policy *policy, uint64_t cookie);
bool in_filter(struct pt *pt, unsigned variant);

/* boot.c: the monitor into a process that has just executed a program.  False: it failed (pt_fail() was told). */
bool in_boot(struct pt_task *t);

/*
 * company.c: followers where their leaders run, while that is faster; with every tick.  What is to be done at the end of a window
 * (now: milliseconds, of any clock) in which variants met rate times a millisecond.
 */
enum in_do { IN_STAY, IN_JOIN, IN_PART };
enum in_do in_company_next(struct in_company *c, long now, double rate);
void in_company_tick(struct pt *pt);

/*
 * ticks.c: what rdtsc gives the program.  Its rate is measured from the start of the run to that of its first process; both times
 * the caller can still read the counter.
 */
void in_ticks_start(struct inproc *in);
void in_ticks_measure(struct inproc *in);	/* once for the run */

/* task.c */
struct in_task *in_task_new(struct pt_task *t, uint64_t set);	/* NULL without memory */
void in_task_free(struct in_task *i);
enum in_where in_where(const struct pt_task *t);
/* Address of the thread's struct mon_thread; 0 if it cannot be read. */
uint64_t in_self(struct pt_task *t);
/* At every stop: registers, and what they tell.  False if the thread is gone. */
bool in_stopped(struct pt_task *t);
/* Send a thread that is stopped in the program into the monitor: function(a, b, c) on its monitor stack. */
bool in_send(struct pt_task *t, uint64_t function, uint64_t a, uint64_t b, uint64_t c);
/* ... at a look at the time stamp counter, behind which the monitor goes on by itself; nr: the pseudo call. */
bool in_send_counter(struct pt_task *t, uint32_t nr);
/* t->own: its registers, with those of the struct mon_regs at from in its memory. */
bool in_take_regs(struct pt_task *t, uint64_t from);
unsigned in_history(struct pt_task *t, struct mv_history *out, unsigned max);
void in_look(struct pt_task *t, struct mv_snapshot *s);
bool in_progress(struct pt_task *t, uint64_t *moves, bool *behind);
void in_absent(struct pt_task *t, const char *text);
bool in_standing(struct pt_task *t, struct mv_standing *out);
void in_on_gone(struct pt_task *t, int sig);
void in_on_ended(struct pt_task *t);
bool in_stands(struct pt_task *t);
bool in_is_quiet(struct pt_task *t);
bool in_rests(struct pt_task *t);
bool in_meets(struct pt_task *t, uint64_t seq);
struct mv_files *in_files(struct pt_task *t);
uint64_t in_call_at(struct pt_task *t);
void in_again(struct pt_task *t);

/* patch.c */
void in_plans_free(struct pt *pt);
void in_process_fork(struct pt_task *parent, struct pt_task *child, bool shares_memory);
/* t is stopped at a call, its process may be rewritten: because of the calls that stop, or now at the latest. */
void in_rewrite_at(struct pt_task *t, bool now);
/* t is about to make that call: does it map code that in_rewrite_code() must be told of before the call returns? */
bool in_maps_code(struct pt_task *t, const struct mv_call *c);
void in_rewrite_code(struct pt_task *t, uint64_t start, uint64_t len);
bool in_has_trampoline(const struct pt_task *t, uint64_t addr);
/* Where a thread at addr in a trampoline would be in the program's text; addr for all else. */
uint64_t in_text_address(const struct pt_task *t, uint64_t addr);
/* Where a thread that has hit a trap byte of a patch at addr is to go on; 0 if there is none. */
uint64_t in_trap_address(struct pt_task *t, uint64_t addr);
/*
 * A thread has come to a trampoline at addr in whose place the program has mapped something else: where it is to go on in its
 * text, which is what it was before; 0 if it is nothing of that.
 */
uint64_t in_lost_trampoline(struct pt_task *t, uint64_t addr);

/* text.c */
void in_texts_free(struct pt *pt);
/* ahead.c: once all is on one CPU, before anything is started; before the first follower; at the end. */
void in_ahead_start(struct pt *pt);
void in_ahead_wait(struct pt *pt);
void in_ahead_end(struct pt *pt);
/*
 * Add to a boot what maps texts over the plan's.  import and done: operations to be added before and behind what maps a
 * descriptor; the descriptors go to fds, in their order, *n more.  0, or -errno with *err filled.
 */
struct mv_boot_plan;
struct mv_boot_op;
int in_texts_boot(struct pt_task *t, struct mv_boot_plan *plan, const struct mv_boot_op *import, const struct mv_boot_op *done,
		  int *fds, unsigned *n, struct mv_error *err);
void in_text_note(struct pt_task *t);		/* t is stopped at a call that makes memory executable, perhaps */
/* Its monitor asks what to map over what that call has mapped: *to is a struct mon_text there.  A descriptor of ours or -errno. */
int in_text_offer(struct pt_task *t, uint64_t to);
bool in_text_is_offered(struct pt_task *t);	/* t is stopped at a call that maps it */
/* A line of maps, smaps or numa_maps that tells of a text is printed as if the file itself were mapped. */
enum in_text_line { IN_TEXT_OTHER, IN_TEXT_SHOWN, IN_TEXT_HIDDEN /* trampolines */ };
enum in_text_line in_text_show(const struct pt_task *t, const char *line, FILE *to);
struct mv_maps;
void in_text_rename(void *task, struct mv_maps *maps);

/* procfile.c */
enum in_proc_file { IN_PROC_OTHER, IN_PROC_COPIED, IN_PROC_REFUSED };
/* What is open in t as fd: does it tell of a monitor?  path is where it is. */
enum in_proc_file in_proc_file(const struct pt_task *t, int fd, char *path, size_t size);
/* A copy of a file of /proc/PID that shows mappings of one of our processes, without the monitor's; a descriptor or -errno. */
int in_proc_copy(const struct pt *pt, const char *path);
void in_opening(struct pt_task *t);		/* stopped at a call that opens a file to write to it */
void in_opened(struct pt_task *t);		/* it is over */

/* arbiter.c */
int64_t in_claim(struct pt_task *t, uint64_t from);	/* its monitor says that the program asks for the call there */
void in_sensitive(struct pt_task *t);			/* stopped at one */
void in_sensitive_over(struct pt_task *t);		/* it has returned */
void in_reader_free(struct inproc *in);

/* service.c */
bool in_frame(struct pt_task *t, struct mon_frame *f);	/* the program's registers, as its monitor has them */
void in_frame_to_regs(const struct mon_frame *f, struct user_regs_struct *r);
void in_answer(struct pt_task *t, int64_t result);	/* at a call: it is not made, and goes on */
void in_on_seccomp(struct pt_task *t);
void in_on_exit(struct pt_task *t);

/* process.c; the first three for the monitor's services, which they are called as */
void in_before_clone(struct pt_task *t);
int64_t in_freeze(struct pt_task *t, uint64_t from, uint64_t size);
int64_t in_may_exec(struct pt_task *t, uint64_t from);
void in_on_clone(struct pt_task *t, pid_t child);
void in_on_exec(struct pt_task *t);
void in_retry(struct pt *pt);

/* signal.c */
void in_on_signal(struct pt_task *t, int sig);
void in_on_stop(struct pt_task *t, int sig);
int64_t in_take(struct pt_task *t, uint64_t to);
/* MON_TRUTH. */
int64_t in_truth(struct pt_task *t, int sig, uint64_t at);
void in_first_stop(struct pt_task *t);	/* of a new thread */
void in_deliver(struct pt_task *t, uint64_t delivery);
int64_t in_return_with(struct pt_task *t, uint64_t delivery, uint64_t context);
void in_nudge(struct pt_task *t);		/* a leader's followers, or a follower itself */
void in_tick(struct pt *pt);
void in_set_pending(struct pt_task *t, uint32_t value);
bool in_in_program(struct pt_task *t);
void in_spin(struct pt_task *t, unsigned how);
void in_set_free(struct pt_task *t);
uint64_t in_set(const struct pt_task *t);

#endif
