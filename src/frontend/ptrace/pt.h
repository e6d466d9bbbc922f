/*
 * The ptrace front-end's own types.  One outside process and one loop drive every thread of every variant.
 */
#ifndef MV_FRONTEND_PTRACE_PT_H
#define MV_FRONTEND_PTRACE_PT_H

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>
#include <time.h>
#include <uthash.h>
#include "frontend/frontend.h"

struct pt;
struct pt_task;

/*
 * What is done with a thread's stops.  The loop, the start, the namespaces and the end are the same whether the engine runs
 * here or inside of the variants.
 */
struct pt_mode {
	bool engine_inside;
	/* In the child, before its exec: the seccomp filter.  listener: it gets a notification descriptor. */
	bool (*filter)(struct pt *pt, unsigned variant);
	/* A variant's first process has executed the program: make it ready to run.  0 or -errno with *err filled. */
	int (*first)(struct pt_task *t, struct mv_error *err);
	void (*on_seccomp)(struct pt_task *t);
	void (*on_exit)(struct pt_task *t);		/* the exit stop of a system call */
	void (*on_clone)(struct pt_task *t, pid_t child);
	void (*on_exec)(struct pt_task *t);
	void (*on_signal)(struct pt_task *t, int sig);
	void (*on_stop)(struct pt_task *t, int sig);	/* group stop, first stop, PTRACE_INTERRUPT */
	void (*on_gone)(struct pt_task *t, int sig);	/* killed by sig, or 0 */
	void (*on_ended)(struct pt_task *t);		/* it stays as a zombie until its siblings are gone */
	void (*retry)(struct pt *pt);			/* something has moved */
	void (*tick)(struct pt *pt);
	/* How far has a follower come, and is there something for it to read?  False if that is unknown. */
	bool (*progress)(struct pt_task *t, uint64_t *moves, bool *behind);
	void (*absent)(struct pt_task *t, const char *text);	/* a divergence: it does not come to where the leader is */
	bool (*standing)(struct pt_task *t, struct mv_standing *out);	/* for the log; false if it is unknown */
	int (*proc_copy)(const struct pt *pt, const char *path);	/* /proc/PID/maps as the program is to see it; or NULL */
	uint64_t (*set)(const struct pt_task *t);	/* its thread set, 0 if it is unknown */
	bool (*in_program)(struct pt_task *t);	/* stopped: in the program's own code, with nothing on its way to it? */
	void (*spin)(struct pt_task *t, unsigned how);	/* stopped there: let it make the pseudo call <spin> */
	void (*set_free)(struct pt_task *t);		/* leader, stopped there: it gives its turn up until its next call */
	unsigned (*history)(struct pt_task *t, struct mv_history *out, unsigned max);	/* of a thread that may be running */
	void (*look)(struct pt_task *t, struct mv_snapshot *s);	/* of a stopped thread: all but ids and names */
	/* For a change of the leader: */
	bool (*stands)(struct pt_task *t);		/* accused: is it stopped, at what it was accused of? */
	bool (*meets)(struct pt_task *t, uint64_t seq);	/* leader, stopped: has it come to that call, where all meet? */
	bool (*is_quiet)(struct pt_task *t);		/* leader, stopped: has it done nothing that it has not told of? */
	bool (*rests)(struct pt_task *t);		/* follower: is it stopped at a call, and has read all? */
	struct mv_files *(*files)(struct pt_task *t);	/* what its engine knows of descriptors; NULL without memory */
	uint64_t (*call_at)(struct pt_task *t);		/* where there is a system call instruction, 0 = nowhere */
	void (*again)(struct pt_task *t);		/* it stands, and is no more accused, or rests: it goes on */
};

/* A process of a variant, as the host sees it. */
struct pt_process {
	pid_t tgid;
	unsigned threads;
	unsigned variant;
	int pidfd;		/* -1 until needed */
	bool expected_death;	/* we have killed it, or its twin died */
	bool outlives;		/* ... and it is to read what that one has told of (outlive.c) */
	struct timespec bereft;	/* ... since then */
	struct in_process *inside;	/* what inproc knows of it, or NULL */
};

/* What the thread is stopped for, which says how a step is carried out. */
enum pt_at {
	PT_RUNNING,
	PT_AT_ENTRY,		/* a system call's seccomp stop */
	PT_AT_EXIT,		/* its exit stop */
	PT_AT_EVENT,		/* a clone event */
	PT_AT_EXEC,		/* an exec event, after the boot */
	PT_AT_FAULT,		/* delivery of a synchronous signal */
	PT_AT_SIGNAL,		/* delivery of an asynchronous signal that is being published */
	PT_AT_BOUNDARY,		/* a system call's seccomp stop, publishing a held signal first */
	PT_AT_ASYNC,		/* interrupted in user code, publishing a held signal */
};

struct pt_held {		/* a signal caught in user code, waiting for the next call */
	struct pt_held *next;
	siginfo_t info;
	uint64_t cpu;		/* what the thread had used then, in ms */
};

#define PT_TRAPS 4	/* that x86 has */

struct pt_trap {
	uint64_t at;	/* where its loop begins */
	unsigned how;	/* the loop, as <spin> has it */
	unsigned steps;	/* that a round takes which changes nothing, or that it may take to see some rounds of one that counts */
};

struct pt_task {
	UT_hash_handle hh;
	pid_t tid;		/* host's number */
	struct pt *pt;
	struct pt_process *process;
	struct mv_thread *thread;	/* NULL before the first exec of a variant's first process, or if the engine is inside */
	struct in_task *inside;		/* what inproc knows of it, or NULL */
	uint32_t id;			/* the leader's number of it */
	uint32_t maker;			/* ... and of the thread that made it; 0 = a variant's first */
	uint64_t birth;			/* younger ones have higher numbers */
	unsigned variant;
	enum pt_at at;
	bool started;		/* its first stop was seen */
	bool kept;		/* accused, or rests, and has stopped since: status is not looked at yet */
	bool rests;		/* for a change of the leader */
	int status;
	bool ended;		/* the first of its process, which has other threads: a zombie */
	bool parked;
	bool injected;		/* the next system-call entry is ours: carry out next */
	bool replaced;		/* registers of the running call are not the program's: own has those */
	bool importing;		/* in our own call for an open file; mask is the program's */
	bool lost;		/* ... to which the answer may have been nothing */
	uint64_t mask;
	bool emulated;		/* in a call of the vsyscall page; its next stop is that call's exit */
	bool rewind;		/* leaves the vsyscall page undone: put it back when its signal arrives */
	bool suspended;		/* follower: really waits under a temporary mask for a queued signal */
	bool interrupting;	/* PTRACE_INTERRUPT was sent, and no stop has come since */
	uint32_t child_tid;
	unsigned execs;
	int64_t interrupted;	/* leader: ERESTART code its running call ended with, 0 = none */
	bool rest;		/* leader: twins know that t->call was interrupted; the kernel may make the rest of it */
	struct {		/* follower: a signal between calls is there for it, which it is not told of yet */
		bool on;
		uint64_t until;		/* where in its stream that is, at most */
		uint64_t at, since;	/* where it was, and the CPU time it had used then, in ms */
		uint64_t told;		/* inproc: of what it was told last */
	} due;
	uint64_t return_ip;	/* leader: where its last call returned to, when a signal follows; else 0 */
	struct mv_call call;	/* the call it is in or was in last, as the program made it */
	struct mv_call now;	/* at a call's entry: what the kernel is about to execute */
	uint64_t ip;		/* at a call's stops: where the thread goes on */
	int64_t result;		/* at a call's exit: the kernel's */
	/* Reading and writing all registers costs as much as the rest of a stop's requests: most calls do without. */
	bool have_regs, have_own;
	struct user_regs_struct regs;	/* at the stop */
	struct user_regs_struct own;	/* the program's registers in the call, but for rax */
	struct mv_step next;	/* with injected: what to run at the next entry */
	struct pt_held *held, **held_tail;
	bool held_due;		/* ... for so long that they are to be published where the thread is stopped */
	struct pt_held *requeued;	/* what was known of signals sent back to the kernel, oldest first */
	siginfo_t inject;	/* signal that was queued by us: give it this siginfo */
	int inject_sig;		/* 0 = none */
	bool refused;		/* about to get SIGSYS, refuse.c */
	/* follower: has it got on since the last tick, and how long may it take? (watch.c) */
	uint64_t seen_moves, last_cpu, cpu_limit, siblings_cpu;
	struct timespec seen;
	bool waiting;
	bool waited;			/* leader: waited for a twin at the last tick too */
	struct {			/* spin.c */
		uint64_t since, cpu;	/* where it was, and the CPU time it had used then, in ms */
		uint64_t limit;		/* and may use until it is looked at */
		bool suspected;
		unsigned seen;		/* the loop that the last look showed, 0 = none */
		unsigned how;		/* the loop that it has waited in, as <spin> has it; 0 = none yet */
		uint64_t low;		/* where the loop that was seen last begins */
		unsigned steps;		/* until all was as before, or until enough was seen */
		struct pt_trap *hit;	/* suspected for this; NULL: for its CPU time */
		struct pt_trap traps[PT_TRAPS];	/* trap.c */
		unsigned ntraps;	/* ever set, of which the last PT_TRAPS are there */
		unsigned idle;		/* hits in a row that nothing came of */
		unsigned behind;	/* instructions from the loop's lowest to where it has waited last */
	} spin;
	struct {			/* outlive.c: where it was, and since when, and the CPU time it had used then, in ms */
		const char *state;
		uint64_t moves, consumed, cpu;
		struct timespec since;
	} last;
	struct {			/* stall.c */
		enum { PT_GETS_ON, PT_STANDS, PT_STANDS_TOLD } state;
		uint64_t moves;
		struct timespec since;
	} stall;
};

struct pt_export {
	UT_hash_handle hh;
	uint64_t handle;
	int fd;
	struct pt_shadow *shadow;	/* what they import instead, NULL = none */
	uint32_t process;	/* fd is none: the directory in /proc of their process of that number, 0 = no such */
	struct { uint64_t from, len; int to; bool moves, sized; } copied;	/* len is not 0: bytes of fd that their own file to gets; moves: up to its offset */
	uint32_t wanted;	/* followers (bits) that have yet to import it */
};

/* A process whose leader's is dead, and that is not made yet. */
struct pt_doomed {
	struct pt_doomed *next;
	unsigned variant;
	uint32_t tgid;
};

struct pt_stray {
	UT_hash_handle hh;
	pid_t tid;
	bool orphan;		/* orphan.c: its parent is none of ours */
	struct timespec since;	/* ... since then */
};

/* A page of a variant's memory, as it was found at the stop at hand. */
struct pt_page {
	const struct pt_task *of;
	uint64_t addr;
	uint8_t bytes[4096];
};

/* One variant's own world. */
struct pt_variant {
	int listener;		/* seccomp notification descriptor, for imports */
	pid_t init;		/* followers: first process of the PID namespace */
	int control;		/* followers: socket to it */
	pid_t root;		/* host pid of its first process */
	struct pt_task *cloning;	/* holds the order of pids in the namespace */
};

#define PT_FDS_MAX 1024		/* descriptors that a program can inherit */

struct pt {
	const struct pt_mode *mode;
	struct inproc *inproc;		/* of that front-end */
	struct mv_session *session;
	struct mv_run *run;
	struct pt_task *tasks;		/* hash by tid */
	struct pt_export *exports;
	struct pt_shadow *shadows;	/* shadow.c: hash by file */
	struct pt_stray *strays;
	struct pt_library *libraries;	/* standin.c: hash by file */
	bool counter_escapes;		/* the processor lets everybody look at the time stamp counter, whatever prctl says */
	struct pt_doomed *doomed;
	uint64_t births;
	uint64_t handles;
	uint32_t accused;		/* followers (bits) that have diverged: their stops are no more answered */
	uint32_t dropped;		/* ... that are no part of the run any more */
	uint32_t changing;		/* ... one of which is about to lead (rest.c) */
	unsigned gathering;		/* the leader has stopped, and this one's threads rest where they have read all; 0 = none's */
	struct timespec change_began, change_looked;
	unsigned nvariants;
	unsigned leader;		/* the variant that leads */
	unsigned live[MV_VARIANTS_MAX];		/* tasks */
	struct pt_variant variants[MV_VARIANTS_MAX];
	uint64_t secret[4];		/* for bytes that all variants share */
	uint64_t cookie;		/* marks our own import calls for the filter */
	uint32_t root_tid;
	uint8_t inherited[PT_FDS_MAX];	/* what the program finds open: enum mv_fdkind, 0 = closed or close-on-exec */
	bool same_time;			/* variants have our clocks */
	bool moved;			/* something may have become possible for parked threads */
	bool root_gone;
	sigset_t mask;			/* ours, and so the program's at its start */
	uint64_t owed;			/* signals (bits) passed on to the program's first process that it has not stopped for yet */
	unsigned outliving;		/* processes that outlive their leader's */
	unsigned tick_ms;		/* how often pt_tick() comes */
	unsigned spun;			/* spin.c: ticks for which it comes often */
	/* affinity.c */
	cpu_set_t cpus;			/* what the run may use */
	bool gathered, spread;		/* on one CPU now; never again */
	unsigned stops;			/* since counted */
	struct timespec counted;
	unsigned windows;		/* how often they were counted */
	unsigned notices;		/* said once */
	struct pt_page pages[4];
	unsigned npages;		/* how many were read since they were last forgotten */
	struct mv_error *err;
	bool failed;			/* err is filled */
};

static inline bool pt_leads(const struct pt_task *t)
{
	return t->variant == t->pt->leader;
}

/* tracee.c: memory and state of a stopped thread */
/*
 * Operands are many small pieces that lie together (the strings of an execve), and reading a page costs as much as reading a
 * word: small pieces are taken from pages that are kept until something may have changed them.
 */
void pt_forget_pages(struct pt *pt);
size_t pt_peek(void *task, uint64_t addr, void *dst, size_t len);
bool pt_peek_str(struct pt_task *t, uint64_t addr, char *dst, size_t size);	/* "" and false after a fault */
size_t pt_poke(void *task, uint64_t addr, const void *src, size_t len);
void pt_now(struct timespec *now);	/* the monotonic clock; the loop must not read it otherwise */
long pt_ms_since(const struct timespec *then);
void *pt_alloc(size_t size);
void pt_free(void *p, size_t size);
bool pt_get_regs(struct pt_task *t);
bool pt_set_regs(struct pt_task *t);
bool pt_set_reg(struct pt_task *t, size_t offset, uint64_t value);	/* one, by its offset in struct user_regs_struct */
bool pt_get_call(struct pt_task *t, uint64_t *message);	/* at an entry: now, ip; the filter's message */
bool pt_get_result(struct pt_task *t);			/* at an exit: result, ip */
/* Let it run on, PTRACE_CONT outside of calls or PTRACE_SYSCALL to its call's exit. */
void pt_resume(struct pt_task *t, int request, int sig);
struct pt_sigsets { uint64_t pending, blocked, ignored, caught; };
bool pt_sigsets(pid_t tid, struct pt_sigsets *out);
char pt_state(pid_t tid);	/* the kernel's letter: R, S, Z ...; 0 if it is gone */
/* What a signal would do to the thread now. */
enum pt_effect { PT_EFFECT_NOTHING, PT_EFFECT_STOP, PT_EFFECT_DELIVER };
enum pt_effect pt_effect(const struct pt_sigsets *s, int sig);
/* The pid a thread has in its own namespace; its process and that one's parent in ours; 0 if it is gone. */
struct pt_ids { pid_t own, group, parent; };
struct pt_ids pt_ids(pid_t tid);

/* ../inproc/task.c */
void in_task_free(struct in_task *t);
void in_process_free(struct pt_process *p);	/* what inproc knows of it, when it ends or executes a program */

/* task.c */
struct pt_task *pt_task_new(struct pt *pt, pid_t tid, pid_t tgid, unsigned variant);
struct pt_task *pt_task_find(struct pt *pt, pid_t tid);
struct pt_task *pt_task_twin(struct pt *pt, unsigned variant, uint32_t tid);
void pt_task_free(struct pt_task *t);
/* Threads that have stopped for the first time before their creator's event told whose they are. */
void pt_stray_add(struct pt *pt, pid_t tid);
bool pt_stray_take(struct pt *pt, pid_t tid);	/* was it there? */
void pt_doom(struct pt *pt, unsigned variant, uint32_t tgid);
bool pt_doomed(struct pt *pt, unsigned variant, uint32_t tgid);	/* takes it off the list */
void pt_process_kill(struct pt_process *p);

/* outlive.c */
void pt_outlive(struct pt_task *t);	/* the leader's process was killed: t's is, too, when it has done what that one did */
void pt_outlive_tick(struct pt *pt);

/* orphan.c */
/* p is about to be killed, as the leader's process was: is there a child that nobody has told it of? */
void pt_orphans(struct pt *pt, const struct pt_process *p);
bool pt_orphans_tick(struct pt *pt);	/* is there one that is to be looked at again soon? */

/* handles.c: open files on their way from the leader to followers */
int pt_export(void *task, const struct mv_share *share, uint64_t *handle);
/* The file behind an import step for task t: a descriptor of ours to be closed by the caller, or -errno. */
int pt_import_source(struct pt_task *t, const struct mv_step *step);
enum pt_import {
	PT_IMPORT_SERVED,
	PT_IMPORT_TURNED_AWAY,	/* it has stopped somewhere else, or died: the loop will hear of it */
	PT_IMPORT_FAILED,
};
/*
 * t has just been resumed into the notification: give it file at *fd, or at a free number if that is negative.  Turned away
 * it may have got it all the same; it is then to be given the same *fd again.
 */
enum pt_import pt_hand_over(struct pt_task *t, int file, int *fd, bool cloexec);
/* Likewise at step->fd; faster, but t may have got nothing for an answer: whoever sees its result asks pt_import_again(). */
enum pt_import pt_import_serve(struct pt_task *t, const struct mv_step *step, int file);
/* Whether t, which returns with this result, is to ask for its file once more. */
bool pt_import_again(const struct pt_task *t, int64_t result);
/* It has got its file: the export is one import nearer to its end. */
void pt_import_done(struct pt_task *t, const struct mv_step *step);
void pt_exports_drop(struct pt *pt, unsigned variant);	/* it imports nothing any more */
void pt_exports_free(struct pt *pt);

/* shadow.c: what followers have in the place of files that the leader changes through memory */
/*
 * The shadow of the file with the bytes that share names; *out is NULL if there is none, and it needs none: it is no regular file,
 * or not to be written.  0 or -errno.
 */
int pt_shadow_of(struct pt *pt, int file, const struct mv_share *share, struct pt_shadow **out);
struct pt_shadow *pt_shadow_find(const struct pt *pt, int file);	/* NULL: it has none */
/* Bytes of the file for to, a variant's shadow or a twin of the file. */
int pt_shadow_copy(int file, int to, uint64_t from, uint64_t len);
int pt_shadow_own(const struct pt_shadow *s, unsigned variant);	/* the variant's; not to be closed; negative: it has none */
void pt_shadow_ref(struct pt_shadow *s);	/* it is not given up until it has been imported */
void pt_shadow_unref(struct pt_shadow *s);
int pt_shadow_open(const struct pt_shadow *s, unsigned variant, bool writable);	/* a descriptor of ours, or -errno */
void pt_shadows_drop(struct pt *pt, unsigned variant);
void pt_shadows_free(struct pt *pt);

/* refuse.c: SIGSYS for the call at hand */
/*
 * From a stop at a call's entry, in regs a place where our filter knows the numbers.  data: for siginfo.  fatal: the process ends;
 * else the signal's own stop follows, with refused set, where pt_refused() gives it to the program with its registers.
 */
void pt_refuse(struct pt_task *t, bool fatal, uint32_t nr, int data);
void pt_refused(struct pt_task *t, const struct user_regs_struct *program);

/* standin.c */
/*
 * An mmap of the program's has mapped something at addr, and has not returned: put stand-ins into it (rewrite/standin.h).
 * True: there were some.
 */
bool pt_stand_in(struct pt_task *t, const struct mv_call *mmap_call, uint64_t addr);
struct mv_boot_plan;
/* The same for a program that is where plan has put it, and has not started. */
void pt_stand_in_program(struct pt_task *t, const struct mv_boot_plan *plan);
/* Sets pt->counter_escapes. */
void pt_counter_probe(struct pt *pt);
#define PT_LOOK_REPLACED 0xcd	/* the first byte of what was rdtsc */
void pt_libraries_free(struct pt *pt);

/* answer.c: true if the supervisor has done what the call does; its result is 0 then, and it must not be made */
void pt_answer_start(struct pt *pt);
bool pt_answer(struct pt_task *t, const struct mv_call *call);

/* launch.c */
int pt_launch(struct pt *pt, unsigned variant, struct mv_error *err);
/* Lay out a process that has just executed a program; plan is to be freed.  False: it failed, or the process is gone (*gone). */
struct mv_boot_extra;
bool pt_lay_out(struct pt_task *t, struct mv_layout *layout, const struct mv_boot_extra *extra, struct mv_boot_plan *plan,
		bool *gone);
bool pt_filter(struct pt *pt, unsigned variant);
int pt_first(struct pt_task *t, struct mv_error *err);

/* exec.c: can a program that the leader is about to execute run here? */
int pt_may_exec(void *task, const struct mv_call *call);

/* openfd.c: for the engine (mv_ops) */
uint32_t pt_pidfd_process(void *task, int fd);
/* Write text where the program has nothing: below its stack.  The address, 0 if nothing is mapped there. */
uint64_t pt_below_stack(struct pt_task *t, const char *text, uint64_t stack);
/*
 * The thread is about to make this call: if it executes the program of the run and its variant is another build of that, the
 * address of that build's path, written below stack; else 0.
 */
uint64_t pt_own_build(struct pt_task *t, const struct mv_call *call, uint64_t stack);

/* pidns.c */
int pt_namespace_start(struct pt *pt, unsigned variant, struct mv_error *err);
bool pt_namespace_next(struct pt *pt, unsigned variant, uint32_t pid);

/* call.c */
void pt_on_entry(struct pt_task *t);
void pt_on_exit(struct pt_task *t);
void pt_apply(struct pt_task *t, struct mv_step *step);
void pt_retry_parked(struct pt *pt);
/* Read the registers at a call's stop, and remember the program's own; false if the thread is gone. */
bool pt_need_regs(struct pt_task *t);
/* Back to before the call at hand, whose instruction is made again. */
void pt_roll_back(struct pt_task *t);

/* birth.c */
void pt_on_clone(struct pt_task *t, pid_t child);
void pt_on_exec(struct pt_task *t);
void pt_on_gone(struct pt_task *t, int sig);
void pt_on_ended(struct pt_task *t);
/* The number, in the leader's namespace, of a child that t has made: what t's variant was told to give it, or has given. */
uint32_t pt_child_id(const struct pt_task *t, pid_t child, const struct pt_ids *ids);
void pt_begin(struct pt_task *t);	/* a new thread or process has stopped for the first time */

/* signal.c */
void pt_on_signal(struct pt_task *t, int sig);
void pt_on_stop(struct pt_task *t, int sig);	/* group stop, first stop, PTRACE_INTERRUPT */
/* Queue a signal that was taken elsewhere, to be delivered with its own siginfo; _inject lets the thread run to that. */
void pt_queue(struct pt_task *t, int sig, const void *siginfo);
void pt_inject(struct pt_task *t, int sig, const void *siginfo);
/* Leader: does a signal wait that will be taken as soon as the running call returns? */
bool pt_signal_due(struct pt_task *t);
/* Has the running call, with this result, done less than it goes on for if nothing ends it?  part.c */
bool pt_part(struct pt_task *t, int64_t result);
/* Leader: are only signals pending that would do nothing? */
bool pt_woken_for_nothing(struct pt_task *t);
/* A signal that its own instruction has caused. */
bool pt_synchronous(const siginfo_t *info);
/* Is the instruction at rip a trapped rdtsc or rdtscp?  The pseudo call's number, or 0. */
uint32_t pt_trapped_counter(struct pt_task *t);
/* Let registers be those after the instruction of that pseudo call, which has read value. */
void pt_counted(struct user_regs_struct *r, uint32_t pseudo, uint64_t value);
uint64_t pt_counter(void);	/* the time stamp counter: the loop runs without it */
/* Keep a signal for later; take the first one that is kept and not in blocked, false if there is none. */
void pt_hold(struct pt_task *t, const siginfo_t *info);
bool pt_take_held(struct pt_task *t, uint64_t blocked, siginfo_t *info);
/*
 * A signal for the process that the kernel has given to t because the first thread was stopped under ptrace: the first
 * thread, which is to have it; else NULL.  And back to the kernel with a signal, for thread t.
 */
struct pt_task *pt_passed_over(const struct pt_task *t, const siginfo_t *info);
void pt_send_back(struct pt_task *t, const siginfo_t *info);
/*
 * Leader: the kernel has given a signal to the thread; put into info what it is if signals of its number were sent back.  True if
 * that was another than the kernel has said.
 */
bool pt_true_info(struct pt_task *t, siginfo_t *info);
/* Likewise, for a signal that a call of the thread's has waited for and whose siginfo is at that address (0: it did not ask). */
void pt_tell_truth(struct pt_task *t, int sig, uint64_t at);
/* The stop of a signal that pt_queue() has sent, or that was sent back to the kernel: puts the right siginfo in. */
bool pt_is_queued(struct pt_task *t, int sig, siginfo_t *info);
/*
 * Follower: stop it if it runs outside of calls while a signal is the next thing in its stream.  pt_resume() asks each time:
 * the leader may have taken the signal when this follower was behind, and it may make no call for long.
 */
void pt_nudge(struct pt_task *t);
/*
 * Follower: is a signal what comes next for it, and has it computed as long as its leader has at least, or does it sleep?  If not, the next tick
 * is soon.
 */
bool pt_has_computed(struct pt_task *t);
/* Publish that the signal announced for the last call's return did not come to this thread. */
void pt_publish_no_signal(struct pt_task *t, enum pt_at at);
/* Publish the first held signal that can be taken at this stop; false if there is none. */
bool pt_publish_held(struct pt_task *t, enum pt_at at, enum mv_signal_when when);

/* stand.c: for struct pt_mode */
bool pt_stands(struct pt_task *t);
bool pt_is_quiet(struct pt_task *t);
bool pt_rests(struct pt_task *t);
bool pt_meets(struct pt_task *t, uint64_t seq);
struct mv_files *pt_files(struct pt_task *t);
uint64_t pt_call_at(struct pt_task *t);
void pt_again(struct pt_task *t);
bool pt_progress(struct pt_task *t, uint64_t *moves, bool *behind);
void pt_absent(struct pt_task *t, const char *text);
bool pt_standing(struct pt_task *t, struct mv_standing *out);
/* vsyscall.c: calls of the vsyscall page; _run lets the kernel make it, _roll_back takes it back for a signal that is queued
   next (t->own is there), and _rewind does the second half of that at the signal's delivery */
bool pt_in_vsyscall(const struct pt_task *t);	/* at its entry, or the exit's stop is the next */
void pt_vsyscall_run(struct pt_task *t);
bool pt_vsyscall_result(struct pt_task *t);	/* at the exit, as pt_get_result(); -EFAULT: SIGSEGV is pending instead */
void pt_vsyscall_roll_back(struct pt_task *t);
void pt_vsyscall_rewind(struct pt_task *t);

/* watch.c: what no stop tells of: signals held too long, followers that do not come */
void pt_tick_fast(struct pt *pt);	/* a signal is held, or the run begins */
void pt_tick(struct pt *pt);
uint64_t pt_cpu_time(pid_t tid);	/* of a thread, in ms */
#define PT_OUTLIVE_MS 2			/* how often processes are looked at that outlive their leader's */
#define PT_HOLD_MS 20			/* how long a signal waits for a call of the leader's, in CPU time */

/*
 * spin.c: threads that wait for others in loops without calls.  pt_spin_tick() suspects and interrupts them, and says in how
 * many ms to look again, 0 = at any time; pt_spin_stop() looks at one that has stopped: true if it was suspected and runs on or
 * has made its call.
 */
unsigned pt_spin_tick(struct pt *pt);
bool pt_spin_stop(struct pt_task *t);
/* It has stopped by a signal: true if that was a trap's, and it runs on or has made its call. */
bool pt_spin_hit(struct pt_task *t);
void pt_spin(struct pt_task *t, unsigned how);
void pt_set_free(struct pt_task *t);

/*
 * trap.c: breakpoints of the processor's, where loops begin that a thread has waited in.  They are the thread's own, and nobody sees them in
 * memory; where the machine has none nothing is set.
 */
void pt_trap_set(struct pt_task *t, uint64_t at, unsigned how, unsigned steps);
void pt_trap_disarm(struct pt_task *t);
/* Has it waited in that loop before, as far back as traps go? */
bool pt_trap_known(const struct pt_task *t, unsigned how);
/* Has it stopped for one, by the signal that it has stopped with?  *trap is which, NULL if it is not there any more. */
bool pt_trap_hit(struct pt_task *t, struct pt_trap **trap);

/* stall.c: threads that have work and do not get on, for the log */
void pt_stall_tick(struct pt *pt);
void pt_stall_tell(struct pt *pt);	/* of every thread where it stands */

/* affinity.c: all on one CPU while that is faster */
void pt_affinity_start(struct pt *pt);	/* before anything is launched */
bool pt_affinity_settled(const struct pt *pt);	/* false: tick fast */
void pt_affinity_end(struct pt *pt);	/* from now on the kernel places all */
void pt_affinity_tick(struct pt *pt);
void pt_affinity_call(struct pt_task *t, int64_t result);	/* a call of the leader is over */

/* recover.c: followers that have diverged, where the run may go on without them */
static inline bool pt_is_out(const struct pt *pt, unsigned variant)
{
	return pt->accused >> variant & 1;
}
/* Is this thread's variant, and does it not read on for a change of the leader? */
bool pt_task_is_out(const struct pt_task *t);
/* It was told to stop: is there no reason for that any more? */
bool pt_may_go_on(struct pt_task *t);
void pt_recover(struct pt *pt);
/* The run goes on without it: report, and all that is the variant's goes; the loop hears of the ends. */
void pt_drop(struct pt *pt, unsigned variant);
void pt_drop_variant(struct pt *pt, unsigned variant);	/* without a report, nor an end of a variant's that has no namespace */

/* takeover.c: a follower takes the leader's place */
#define PT_WHY 200
enum pt_takeover { PT_TAKEOVER_WAIT, PT_TAKEOVER_DONE, PT_TAKEOVER_REFUSED };
uint32_t pt_majority(const struct pt *pt, uint32_t accused);	/* the largest part of them (bits) that agrees on a call */
/* The first of with, in which all agree, does; or why says what of the leader's cannot be carried over. */
enum pt_takeover pt_take_over(struct pt *pt, uint32_t with, char why[PT_WHY]);

/* finish.c: the end of a run that got a verdict */
void pt_snapshots(struct pt *pt);
/* The report about a follower that is dropped: of it, and what is known of the leader without a stop. */
void pt_snapshots_dropped(struct pt *pt, unsigned variant);
void pt_snapshots_succeeded(struct pt *pt, unsigned variant);	/* about the leader, whose place variant takes */
unsigned pt_history(struct pt_task *t, struct mv_history *out, unsigned max);
void pt_look(struct pt_task *t, struct mv_snapshot *s);
bool pt_halt(struct pt_task *t);	/* bring a running thread to a stop; false if it is gone or does not come */
void pt_kill_all(struct pt *pt);

/* loop.c */
void pt_dispatch(struct pt *pt, pid_t tid, int status);	/* handle what waitpid() has told */
int pt_choose_secret(struct pt *pt);	/* with session and err set: 0 or -errno */
int pt_run(struct pt *pt);	/* with mode, session, run, nvariants, err and the secret set: 0 or -errno */
void pt_on_end(struct pt_task *t, int status);
void pt_take_kept(struct pt_task *t);	/* handle the stop that was kept */
void pt_fail(struct pt *pt, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Results by which the kernel says that a signal has interrupted a call. */
#define PT_RESTARTS(r) ((r) == -512 || (r) == -513 || (r) == -514 || (r) == -516)
/* ... or that it can be made once more: one that answers EINTR has had no effect, but for connect, which goes on by itself. */
#define PT_UNDONE(nr, r) ((int64_t)(nr) >= 0 && (PT_RESTARTS(r) || ((r) == -EINTR && (nr) != SYS_connect)))
#define PT_IMPORT_NR 0x3ffffff0u	/* no system call; our filter turns it into a notification */
#define PT_TRAP_NR 0x3ffffff2u		/* and these into SIGSYS, */
#define PT_KILL_NR 0x3ffffff3u		/* or the process's end by it */

#endif
