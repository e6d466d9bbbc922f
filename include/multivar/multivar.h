/*
 * libmultivar: a multi-variant execution engine for x86-64 Linux.
 *
 * The engine decides what each system call of each variant becomes: who executes it, what is compared, what is copied.
 * It never blocks, never waits, never enters the kernel, never exits and never prints.  A front-end catches the calls
 * (by ptrace, in the process, in a virtual machine), asks the engine what to do, and does it.
 *
 * A call goes like this:
 *
 *	mv_enter() -> MV_RUN     the front-end executes step.call in the variant, then calls mv_exit()
 *	           -> MV_IMPORT  the front-end installs an open file, then calls mv_exit() with its number or -errno
 *	           -> MV_DONE    the program gets step.result; the call is over
 *	           -> MV_SIGNAL  the call did not begin: deliver step.siginfo, the program will make the call again
 *	           -> MV_INTERRUPT the call ends as if the kernel had interrupted it: step.result is an ERESTART code or
 *	                         -EINTR; deliver step.siginfo
 *	           -> MV_PARK    not yet: call mv_retry() after other threads of the run have moved
 *	           -> MV_STOP    the run is over; mv_run_verdict() says why
 *	mv_exit() and mv_retry() answer in the same way.
 *
 * Threads: one thread of control at a time may use one mv_thread; different mv_threads of different variants may be used
 * from different processes that share the arena.  All sizes are in bytes, all results are the kernel's: -errno for errors.
 */
#ifndef MULTIVAR_MULTIVAR_H
#define MULTIVAR_MULTIVAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MV_VERSION "0.1.0"
#define MV_VARIANTS_MAX 8	/* one more would not find a slice of the address space of its own */
#define MV_NARGS 6
#define MV_SIGINFO_SIZE 128

struct mv_run;		/* one run: configuration, verdict, streams; lives in the arena */
struct mv_process;	/* one process of one variant */
struct mv_thread;	/* one thread of one variant */
struct mv_layout;	/* where the things of one variant lie */

/* A system call as the program made it. */
struct mv_call {
	uint32_t nr;		/* x86-64 number, or MV_PSEUDO_* of the table */
	uint64_t args[MV_NARGS];
};

enum mv_action { MV_RUN, MV_IMPORT, MV_DONE, MV_SIGNAL, MV_INTERRUPT, MV_REFUSE, MV_PARK, MV_STOP };

/* What a front-end has to do next for a thread; filled by mv_enter(), mv_retry(), mv_exit(). */
struct mv_step {
	enum mv_action action;
	struct mv_call call;		/* MV_RUN: execute this, which may differ from what the program asked for */
	int64_t result;			/* MV_DONE, MV_INTERRUPT; MV_REFUSE: si_errno */
	bool fatal;			/* MV_REFUSE, below */
	uint32_t child_tid;		/* MV_RUN of a clone: the child must get this id; 0 = any */
	uint64_t handle;		/* MV_IMPORT: what ops.export_fd returned in the leader, or MV_HANDLE_PROC + index */
	int fd;				/* MV_IMPORT: install at this number (replacing what is there); -1: the lowest free one */
	bool cloexec;			/* MV_IMPORT */
	int sig;			/* MV_SIGNAL, MV_INTERRUPT, and MV_DONE if a signal arrives with the result; else 0 */
	uint8_t siginfo[MV_SIGINFO_SIZE] __attribute__((aligned(8)));
};

/* Import handles from here on stand for a file of the thread's own in /proc: mv_proc_file() names it ("maps"). */
#define MV_HANDLE_PROC 0xffffffff00000000u
const char *mv_proc_file(uint64_t handle);

/* An open file of the leader's that followers are to use as well, and for what: where it is mapped shared, these bytes of it. */
enum {
	MV_SHARE_MAPPED = 1,
	MV_SHARE_WRITTEN = 2,
	MV_SHARE_COPIED = 4,		/* when it is imported, these bytes are copied to the variant's shadow of the file, or to its own file at fd;
					 * offset UINT64_MAX: before the file's, where that of its own comes, too.  A descriptor of nothing is imported */
	MV_SHARE_IF_SHADOWED = 8,	/* ... but -EBADF if the file has no shadow */
	MV_SHARE_SIZED = 16,		/* ... and no bytes, but its size */
};
struct mv_share {
	int32_t fd;
	uint32_t how;		/* MV_SHARE_* */
	uint64_t offset, len;
};
/* In handles: what is imported is the variant's shadow of the file; it is the file, of which only a private copy may be written. */
#define MV_HANDLE_SHADOW ((uint64_t)1 << 62)
#define MV_HANDLE_COPY ((uint64_t)1 << 61)

/*
 * For ops.export_fd: no descriptor but the directories that the thread's absolute and relative paths start from; for each variant the
 * directory in /proc of its process that the program knows by the number in offset (-EBADF: that is none of the run's).
 */
#define MV_EXPORT_ROOT (-2)
#define MV_EXPORT_CWD (-3)
#define MV_EXPORT_PROCESS (-4)

/* MV_RUN of a chroot that the program has not made: the front-end puts the address of a path "." in the place of this one. */
#define MV_HERE UINT64_MAX

/* What the engine needs from a front-end.  "task" is what the front-end gave to mv_thread_new(). */
struct mv_ops {
	/* Copy from and to the variant's memory.  Return the bytes copied before the first fault: len if all went well. */
	size_t (*peek)(void *task, uint64_t addr, void *dst, size_t len);
	size_t (*poke)(void *task, uint64_t addr, const void *src, size_t len);
	/* Memory private to the caller's process, zeroed; NULL when there is none. */
	void *(*alloc)(size_t size);
	void (*free)(void *p, size_t size);
	/*
	 * Take a reference to a descriptor (or MV_EXPORT_*) of a leader task that the twins can import; *handle names it (non-zero).  What is
	 * mapped shared and writable is the leader's file for the leader only: each follower imports a shadow, which has the
	 * file's contents and is the same for all that import this file in this variant.
	 * 0 or -errno.  The front-end drops the reference when it has been imported variants - 1 times or the run ends.
	 */
	int (*export_fd)(void *task, const struct mv_share *share, uint64_t *handle);
	/*
	 * Leader, before an execve or execveat: 0, or -errno for a program that the front-end could not run although the
	 * kernel would start it.  May be NULL.
	 */
	int (*may_exec)(void *task, const struct mv_call *call);
	/* Where the program goes on after the call at hand.  May be NULL: a call of our vDSO is then one as all others. */
	uint64_t (*return_ip)(void *task);
	/*
	 * Follower: its program asks for this call, which is sensitive (the policy makes the leader wait for all before it);
	 * the leader is not told so before this returns.  May be NULL.
	 */
	void (*claim)(void *task, const struct mv_call *call);
	/* Leader: the process that a pidfd of the task's means, as the program numbers it; 0: it is none.  May be NULL: as if there were none. */
	uint32_t (*pidfd_process)(void *task, int fd);
	/* A clone that asks to be suspended until its child, which shares no memory with it, executes a program or ends is made without that. */
	bool goes_on;
};

enum mv_layout_mode { MV_LAYOUT_SAME, MV_LAYOUT_ASLR, MV_LAYOUT_DISJOINT };

enum mv_heap_mode { MV_HEAP_OFF, MV_HEAP_FOLLOWERS, MV_HEAP_ALL };

struct mv_policy;	/* see multivar/policy.h */
struct mv_rules;	/* see multivar/rules.h */

struct mv_config {
	unsigned variants;		/* 1 .. MV_VARIANTS_MAX */
	unsigned ring_records;		/* how far the leader may run ahead, in records; a power of two >= 8 */
	size_t ring_bytes;		/* payload bytes of one stream; a power of two >= 16384 */
	enum mv_layout_mode layout;
	bool turns;			/* the threads of a process run one at a time, in the leader's order, */
	bool turns_shared;		/* ... and so do those of processes that share memory by a fork */
	bool turns_all;			/* ... and of all processes of the run */
	bool parallel;			/* they run at once, and libmvsync (mvsync/mvsync.h) keeps the order of what they do to each other */
	bool spare;			/* a follower's divergence stops that follower only: see mv_run_accused() */
	uint64_t seed[4];		/* secret of this run: layout, hash keys */
	const struct mv_policy *policy;
	enum mv_heap_mode heap;		/* whose diversifying heap (mvheap/mvheap.h) is told to fill and to guard */
	unsigned slab_max, slab_pad;	/* its settings */
	bool heap_fill;
	const struct mv_rules *rules[MV_VARIANTS_MAX];	/* of followers that are another build (multivar/rules.h); NULL: none */
};

/* Why a run is over. */
enum mv_verdict_kind {
	MV_VERDICT_NONE,
	MV_VERDICT_DIVERGENCE,
	MV_VERDICT_UNSUPPORTED,
	MV_VERDICT_FAILURE,		/* ours: out of arena memory, a front-end call failed */
};

enum mv_difference {
	MV_DIFF_NR,			/* another call */
	MV_DIFF_ARG,			/* argument arg as a value */
	MV_DIFF_BYTES,			/* bytes behind argument arg, from offset */
	MV_DIFF_LENGTH,			/* length of what is behind argument arg */
	MV_DIFF_FAULT,			/* argument arg is readable in one and not in the other */
	MV_DIFF_RESULT,			/* the leader succeeded, the variant failed (or with another number) */
	MV_DIFF_ABSENT,			/* the variant did not arrive, or ended */
	MV_DIFF_SIGNAL,			/* a fault in one only */
	MV_DIFF_BREACH,			/* the variant acts against its monitor; text says how */
	MV_DIFF_ORDER,			/* the variant's libmvsync says so: text is what its thread comes to, and the leader's did */
	MV_DIFF_REPORT,			/* the variant has written a report that its rules take for one; text is its first line */
};

/* Filled once, by the first to notice. */
#define MV_VERDICT_BYTES 512

struct mv_verdict {
	uint32_t kind;			/* enum mv_verdict_kind */
	uint32_t difference;		/* enum mv_difference */
	uint32_t variant;		/* the one that differs from the leader */
	uint32_t set;			/* thread set: the leader's thread id */
	uint32_t arg;			/* argument index */
	uint32_t known;			/* bytes of leader_bytes and variant_bytes that are valid */
	uint32_t bytes_arg;		/* MV_DIFF_BYTES, and MV_DIFF_ARG if known: the argument that the bytes are behind */
	uint64_t offset;		/* of the first difference behind it */
	uint64_t leader_value, variant_value;
	uint8_t leader_bytes[MV_VERDICT_BYTES], variant_bytes[MV_VERDICT_BYTES];	/* from a little before the first difference on */
	struct mv_call leader_call, variant_call;	/* the variant's own operands; the leader's as they were compared: pointers 0 or 1 */
	uint64_t seq;			/* of the leader's call: its mv_history has the same number; 0 = not known */
	char text[160];			/* UNSUPPORTED, FAILURE, MV_DIFF_BREACH: what, in words */
};

/* ---- runs ---- */

/*
 * Make a run inside [arena, arena + size), which all variants' front-ends must be able to map (at any address).
 * The policy is copied.  Returns NULL if the arena is too small.
 */
struct mv_run *mv_run_new(void *arena, size_t size, const struct mv_config *config);
const struct mv_verdict *mv_run_verdict(const struct mv_run *run);	/* kind NONE while the run goes on */
/* End the run for a reason the front-end found; the first verdict stays.  text is formatted by the caller. */
void mv_run_fail(struct mv_run *run, enum mv_verdict_kind kind, const char *text);
/* The same for a variant that acts against its monitor. */
void mv_run_breach(struct mv_run *run, unsigned variant, const char *text);
/*
 * Runs that go on without a follower (mv_config.spare).  A follower that diverges is accused: all its threads are told MV_STOP,
 * and the leader goes on waiting for it.  The front-end then ends its processes and releases it, or convicts it, which ends
 * the run.  A divergence of the leader's own (mv_run_breach() of variant 0) ends the run at once.
 */
uint32_t mv_run_accused(const struct mv_run *run);	/* bit v: variant v; released ones stay among them */
/* Why; kind NONE if it is not accused. */
const struct mv_verdict *mv_run_accusation(const struct mv_run *run, unsigned variant);
/* Has another follower come past the call at which this one was accused?  True too if there is no such call, or it has left. */
bool mv_run_passed(const struct mv_run *run, unsigned accused, unsigned other);
/* Nobody waits for it any more.  Parked threads of the leader find out when they are retried. */
void mv_run_release(struct mv_run *run, unsigned variant);
/*
 * Another variant takes the leader's place.  Two accused ones agree if they make the same call where the leader makes another; they
 * stand at the end of what it has written, if they do not come to more.  The leader must have been stopped for good, at that call
 * if it waits for all to come to it (mv_thread_meets()); the front-end then gives the new leader what only the old one has.
 * variant leads from then on, and those of with (bits, variant's among them), which all agree, are accused no more.  Parked
 * threads of theirs go on when they are retried, and the new leader's call is a lockstep call.
 */
/*
 * Before that, all other threads come to rest.  From mv_run_change() on those of with (bits) read on, though accused, but for the threads
 * that have said what they call.  A thread of the leader's that is stopped is to stay so if it is quiet: it has done nothing that it
 * has not told of.  When all are, mv_run_gather() lets the threads of the next leader rest (MV_STOP, to be retried afterwards)
 * where they have read all.  Whoever stays has no turn any more (mv_set_yields()).
 */
void mv_run_change(struct mv_run *run, uint32_t with);
bool mv_run_reads_on(const struct mv_run *run, unsigned variant, uint64_t set);	/* that thread of an accused variant */
void mv_run_gather(struct mv_run *run, unsigned variant);
bool mv_run_agree(const struct mv_run *run, unsigned a, unsigned b);
bool mv_run_at_end(const struct mv_run *run, unsigned variant);
void mv_run_take_over(struct mv_run *run, unsigned variant, uint32_t with);
/* Does it use anything of an IPC namespace?  No two variants are in the same. */
bool mv_run_uses_ipc(const struct mv_run *run);
/* Its accusation becomes the verdict on the run, if there is none yet. */
void mv_run_convict(struct mv_run *run, unsigned variant);
/* The environment of some variants has this setting ("NAME=VALUE", the name below 64 bytes), others' does not. */
void mv_run_own_setting(struct mv_run *run, const char *setting);
unsigned mv_run_variants(const struct mv_run *run);
unsigned mv_run_leader(const struct mv_run *run);
/* Calls so far at which a leader's thread had all variants come; about, and of all threads. */
uint64_t mv_run_meetings(const struct mv_run *run);
/* MV_DIFF_REPORT: what the variant wrote, len bytes as it wrote them, at most 16 KiB. */
const char *mv_run_report(const struct mv_run *run, size_t *len);
/*
 * What is known of processes of the run that change the same memory in no order with each other, so that each variant's may do so in another
 * one; 0 with turns_shared and turns_all.  A hint where there is a divergence, nothing more: an attack may be all the same.
 */
enum mv_racing {
	MV_RACING_FORK = 1,		/* memory that both may write to was there at a fork */
	MV_RACING_WAITS = 2,		/* a process has waited for a word of such memory, or woken those that do, as far as that is seen */
	MV_RACING_OTHERS = 4,		/* there was more than one process */
};
uint32_t mv_run_racing(const struct mv_run *run);
/* The rules of a variant with what the engine has counted. */
const struct mv_rules *mv_run_rules(const struct mv_run *run, unsigned variant);
/* Bytes of the arena in use and in all. */
void mv_run_usage(const struct mv_run *run, size_t *used, size_t *size);

/* ---- processes and threads ---- */

/*
 * The first process of a variant, with its first thread.  tid is the leader's thread id in every variant.
 * Threads with the same tid in different variants are twins.  NULL when memory is short (verdict is set).
 */
struct mv_thread *mv_thread_root(struct mv_run *run, unsigned variant, uint32_t tid, const struct mv_ops *ops, void *task);

/*
 * The child of the clone that parent has just run: call it before the child runs, in the leader after mv_exit() of the
 * clone.  NULL when memory is short (verdict is set).
 */
struct mv_thread *mv_thread_child(struct mv_thread *parent, uint32_t tid, void *task);

/*
 * A child that mv_thread_child() has made, before its first instruction: MV_DONE, MV_PARK (call mv_retry()) or MV_STOP.  As a
 * thread of its parent's process it waits here for its turn.
 */
void mv_thread_begin(struct mv_thread *t, struct mv_step *step);

/*
 * The thread's execve, which it was told to run, has succeeded: old mappings and siblings are gone; the caller fills the
 * new address space (mv_process_mm()).  MV_DONE, MV_PARK (call mv_retry()) or MV_STOP.
 */
void mv_thread_exec(struct mv_thread *t, struct mv_step *step);

/* The thread is gone (exited, or killed by signal sig, 0 if it exited by itself).  Frees t. */
void mv_thread_gone(struct mv_thread *t, int sig);

/*
 * For front-ends that run the engine inside of the variants.
 *
 * The child of the fork that parent is told to run lives in another process, where mv_thread_child() is called with that
 * process's copy of parent: parent, in its own process, has no more to do with it.  Before mv_exit() of the fork.
 */
void mv_thread_child_apart(struct mv_thread *parent);
/* Free t and what it alone uses of its process here, and tell nobody: it lives on elsewhere (a fork's copy, after an exec). */
void mv_thread_forget(struct mv_thread *t);
/*
 * A thread that is told to run an execve, as bytes (*size of them, from ops->alloc), NULL without memory; and back, in the
 * new program, to be followed by mv_thread_exec(): NULL if the bytes are none or memory is short.
 */
void *mv_thread_freeze(struct mv_thread *t, size_t *size);
struct mv_thread *mv_thread_thaw(struct mv_run *run, const void *bytes, size_t size, const struct mv_layout *layout,
				 const struct mv_ops *ops, void *task);
/* The name of a thread's set for the functions below, and of the child's that a clone at hand makes; 0 if there is none. */
uint64_t mv_thread_set(const struct mv_thread *t);
uint64_t mv_thread_child_set(const struct mv_thread *t);
/*
 * The thread of that set and variant is gone, killed by sig or 0: what mv_thread_gone() does, but for the thread's memory.
 * Returns a word on which its siblings sleep, who may go on now (FUTEX_WAKE all), or NULL.
 */
uint32_t *mv_set_gone(struct mv_run *run, uint64_t set, unsigned variant, int sig);
/*
 * The first thread of a process has ended and its others go on, so that it stays as a zombie: it gives its turn up.  Returns what
 * mv_set_gone() does.
 */
uint32_t *mv_set_ended(struct mv_run *run, uint64_t set, unsigned variant);
/* For a change of the leader: has the follower read all that the leader's thread has told? */
bool mv_set_is_read(const struct mv_run *run, uint64_t set, unsigned variant);
/* That thread has stopped for it: it has no turn.  Returns what mv_set_gone() does. */
uint32_t *mv_set_yields(struct mv_run *run, uint64_t set, unsigned variant);
/* All rest: turns that its process's threads have had until now are over in all variants.  Before mv_run_take_over(). */
void mv_set_changes(struct mv_run *run, uint64_t set);
/* Those who wait for the leader's thread are to look at what has become of the run.  Returns what mv_set_gone() does. */
uint32_t *mv_set_rouses(struct mv_run *run, uint64_t set);
/*
 * Does the leader's thread have the turn while others of its process wait for it?  *since changes whenever the turn is taken or
 * the thread makes a call.  One that does so for long and is seen to be in a loop that changes nothing makes the pseudo call
 * <spin>, which lets the others go first.
 */
bool mv_set_hogs(const struct mv_run *run, uint64_t set, uint64_t *since);
/*
 * Leader, outside of any call: it has computed for so long that the others must not wait any more.  Until its next call it runs
 * beside them, in all variants: what they have in common may then differ.  Publishes that; as mv_signal(), and followers are to
 * be told in the same way, which give their turn up in mv_pending_signal().
 */
void mv_thread_set_free(struct mv_thread *t, struct mv_step *step);
/* Follower: is <spin> what it has to do next?  Its operand, else 0. */
unsigned mv_set_spins(const struct mv_run *run, uint64_t set, unsigned variant);
/* Follower: is a signal what comes next, behind the last call that it has made? */
bool mv_set_signals(const struct mv_run *run, uint64_t set, unsigned variant);
/* Where a variant's things lie (engine/layout.h). */
void mv_run_layout(const struct mv_run *run, unsigned variant, struct mv_layout *layout);
/* Make the thread set of the run's first threads now; its name, 0 when memory is short (verdict is set). */
uint64_t mv_run_root(struct mv_run *run, uint32_t tid);
/* As mv_thread_absent(); call is the one that the follower is in. */
void mv_set_absent(struct mv_run *run, uint64_t set, unsigned variant, const struct mv_call *call, const char *text);
/*
 * How far the leader has written and a follower read; false if that is no set.  While the follower waits for its turn in its
 * process there is nothing for it to read: *head is 0 then.
 */
bool mv_set_progress(const struct mv_run *run, uint64_t set, unsigned variant, uint64_t *head, uint64_t *tail);

unsigned mv_thread_variant(const struct mv_thread *t);
/* Does it lead?  One of a new leader's does as soon as it has read all that the old one has written. */
bool mv_thread_leads(struct mv_thread *t);
/* Leader: has it come to that call, and waits for all others to come there? */
bool mv_thread_meets(const struct mv_thread *t, uint64_t seq);
/* Leader, stopped for a change of the leader.  undone: in a kernel call that has not begun, or has ended without an effect. */
bool mv_thread_is_quiet(const struct mv_thread *t, bool undone);
/* Follower: is it at a call that the leader has not told of, or has not made (mv_thread_awaits())? */
bool mv_thread_rests(const struct mv_thread *t);
bool mv_thread_awaits(const struct mv_thread *t);
/* Is it a new one, which waits for its first turn? */
bool mv_thread_begins(const struct mv_thread *t);
/* The call at hand is taken back, and is a lockstep call when the program makes it again. */
void mv_thread_again(struct mv_thread *t);
uint32_t mv_thread_tid(const struct mv_thread *t);
void *mv_thread_task(const struct mv_thread *t);
struct mv_process *mv_thread_process(const struct mv_thread *t);
/* The clone that the thread is in, or made last: does its child share the thread's process? */
bool mv_clone_is_thread(const struct mv_thread *t);
/* Is the thread inside a call (between mv_enter() and the MV_DONE, MV_SIGNAL or MV_INTERRUPT that ends it)? */
bool mv_thread_in_call(const struct mv_thread *t);
/* Grows when a retry got somewhere, even if it parked again: others that are parked may then go on. */
uint64_t mv_thread_moves(const struct mv_thread *t);
/*
 * Follower, parked at the beginning of a look at the clock, with nothing to read: let it look before the leader does.  A
 * front-end may do so to end a deadlock: this thread holds a lock that its sibling needs to get to where the leader's
 * sibling waits for it, and the leader's twin of this thread waits for the lock.  False if the thread is not in such a call.
 */
bool mv_go_early(struct mv_thread *t, struct mv_step *step);
/* Leader: is the thread waiting for its twins, at a lockstep call or after one that all must have done? */
bool mv_thread_waits(const struct mv_thread *t);
/* Follower: is there something in its stream that it has not read, and that it may read now? */
bool mv_thread_behind(const struct mv_thread *t);
/* Where a thread stands, for a log; the strings are constant. */
struct mv_standing {
	const char *state;		/* what its step machine does next */
	const char *next;		/* follower: kind of the next record in its stream */
	struct mv_call call;		/* at hand, or made last */
	uint64_t written;		/* records in its stream since the beginning */
	uint64_t consumed;		/* follower: by itself; leader: by the slowest */
	uint64_t ticket;		/* the call's place in the order of its process, 0 = none */
	uint64_t turn;			/* follower: whose turn it is; leader: the next place to be given out */
	uint32_t owner;			/* the leader's thread in an exclusive call of this process, 0 = none */
	uint64_t moves;			/* mv_thread_moves() */
	bool parked;			/* it waits for others */
	bool read;			/* follower: it has read all */
	bool fetches;			/* follower: it waits for a record */
};
void mv_thread_standing(const struct mv_thread *t, struct mv_standing *out);
/* Of that set's thread in another process: t is a copy of its own bytes.  False if they make no sense, as in mid-change. */
bool mv_set_standing(const struct mv_run *run, uint64_t set, unsigned variant, const struct mv_thread *t,
		     struct mv_standing *out);
/* End the run because this follower does not come to where the leader is; text says more, may be empty. */
void mv_thread_absent(struct mv_thread *t, const char *text);
/* Tell the engine what descriptor fd, which the program inherits, is: kind is enum mv_fdkind.  0 or -ENOMEM. */
int mv_process_fd(struct mv_process *p, int fd, unsigned kind);

/* ---- calls ---- */

void mv_enter(struct mv_thread *t, const struct mv_call *call, struct mv_step *step);
/*
 * A call by which threads wait for each other (futex, sched_yield), in a process that has one or whose threads are free: the
 * kernel may have it without mv_enter().
 */
bool mv_call_is_apart(const struct mv_thread *t, const struct mv_call *call);
void mv_exit(struct mv_thread *t, int64_t result, struct mv_step *step);
void mv_retry(struct mv_thread *t, struct mv_step *step);

/*
 * Waiting in the process.  A front-end without an event loop lets a parked thread sleep in a futex until *word changes:
 *
 *	while (step.action == MV_PARK) {
 *		mv_thread_wait(t, &w);				the value before the look
 *		mv_retry(t, &step);				the look
 *		mv_thread_wakes() and FUTEX_WAKE, as after every call of the engine
 *		mv_thread_wait(t, &now);
 *		if (step.action != MV_PARK || !w.word || now.word != w.word)
 *			continue;				over, or it waits for something else than before
 *		atomic increment of *w.sleepers
 *		if (atomic load of *w.word == w.value)		both are sequentially consistent
 *			FUTEX_WAIT(w.word, w.value, 100 ms)
 *	}
 *
 * Any number of retries may stand where the one is; spinning means to do that for a while before sleeping.  The order
 * of these steps is what keeps wake-ups from being lost: docs/model.  The words are in the arena, which other processes
 * map at other addresses: futex operations must not be FUTEX_PRIVATE.
 *
 * Naps: where *w.naps is there, a follower has nothing to do but to read on, and may count itself in it instead, in the same
 * way.  Then it is woken only when the leader waits for it or will do soon (more than half of the ring is taken), so it has to
 * wake up by itself: the nap's length is how late it may be.  The leader then pays a wake-up for many records, not for each.
 *
 * Nobody is woken when the run ends or a thread that others wait for is gone: sleep with a timeout (100 ms), and retry
 * after it; a retry says MV_STOP when there is a verdict.
 */
struct mv_wait {
	uint32_t *word;		/* changes when the thread may go on; NULL: it may already, retry at once */
	uint32_t value;		/* what the word was: sleep only while *word == value */
	uint32_t *sleepers;	/* counts those that were about to sleep on the word; its writers wake them when there are new ones */
	uint32_t *naps;		/* follower: counts those that were about to nap; NULL where a thread is not to */
	bool soon;		/* others wait for what this thread does next: it may pay to spin */
};
/* What a parked thread waits for.  The pointers are valid until mv_thread_gone(). */
void mv_thread_wait(const struct mv_thread *t, struct mv_wait *w);
/* Follower: is more than half of the ring yet to be read?  Who is woken from a nap then, is not because the leader waits for him. */
bool mv_thread_crowded(const struct mv_thread *t);
#define MV_WAKES_MAX 3
/*
 * Words that the thread has changed since the last call of this function and that somebody sleeps on: FUTEX_WAKE all on
 * each.  Call it after mv_enter(), mv_retry(), mv_exit(), mv_signal(), mv_pending_signal() and mv_thread_exec(), before
 * the thread does anything that takes time.  Returns how many, nearly always 0.
 */
unsigned mv_thread_wakes(struct mv_thread *t, uint32_t *words[MV_WAKES_MAX]);

/*
 * Leader: a signal is about to be delivered to the thread; publishes it for the twins.  MV_DONE: deliver it now;
 * MV_PARK: call mv_retry().
 */
enum mv_signal_when {
	MV_SIGNAL_BOUNDARY,	/* outside of any call; the next call has not begun */
	/*
	 * The thread's last call has just returned, and mv_exit() was told so by mv_signal_follows().  With signal 0: another
	 * thread of the process has taken the one that was announced; must come before anything else of this thread.
	 */
	MV_SIGNAL_AT_RETURN,
	MV_SIGNAL_IN_CALL,	/* the call it is in was interrupted; result is the ERESTART code or -EINTR */
	MV_SIGNAL_ASYNC,	/* somewhere between two calls, twins may take it anywhere between the same two */
};
void mv_signal(struct mv_thread *t, int sig, const void *siginfo, enum mv_signal_when when, int64_t result,
	       struct mv_step *step);

/* Leader: before mv_exit() of a call after which a signal will be taken at once (MV_SIGNAL_AT_RETURN). */
void mv_signal_follows(struct mv_thread *t);
/* Leader, in a call that has been run: may a signal follow?  Not at a call outside of the stream, or one that never returns. */
bool mv_signal_can_follow(const struct mv_thread *t);
/* Can the call that the thread is in make a signal deliverable at its own return (kill, sigprocmask ...)? */
bool mv_signal_point(const struct mv_thread *t);

/* Follower outside of any call: is a MV_SIGNAL_ASYNC signal the next thing in its stream?  Fills step, returns true if so. */
bool mv_pending_signal(struct mv_thread *t, struct mv_step *step);
/*
 * The same question without taking the signal.  A front-end asks when the signal is published and again whenever the thread
 * goes on outside of calls: it may have been in an earlier call before, and sleep in a call outside of the stream later.
 */
bool mv_signal_waits(const struct mv_thread *t);

/* ---- for reports ---- */

struct mv_history {
	struct mv_call call;
	int64_t result;
	bool done;
	uint64_t seq;	/* of the leader's record of it, the same in all variants; 0 = not compared (yet) */
};
/* The last calls of a thread, oldest first; returns how many of at most max were written. */
unsigned mv_thread_history(const struct mv_thread *t, struct mv_history *out, unsigned max);
/* What a call with these operands is called: "openat", "fcntl(F_DUPFD)"; never NULL. */
const char *mv_call_name(const struct mv_call *call);

#ifdef __cplusplus
}
#endif
#endif
