/*
 * What the engine's own files share.  Nothing of this is for front-ends.
 */
#ifndef MV_ENGINE_INTERNAL_H
#define MV_ENGINE_INTERNAL_H

#include <linux/errno.h>
#include <multivar/multivar.h>
#include <multivar/policy.h>
#include <multivar/rules.h>
#include "arena.h"
#include "fds.h"
#include "hash.h"
#include "mm.h"
#include "seccomp.h"
#include "stream.h"
#include "table.h"

#define ERR(e) (-(int64_t)(e))
static inline bool is_error(int64_t result)
{
	return result < 0 && result >= -4095;
}

/* ---- in the arena ---- */

#define MV_OWN_ENV 32
#define MV_OWN_ENV_NAME 64

#define MV_LETTERS 64

struct mv_run {
	uint64_t self;			/* offset of this struct */
	uint32_t over;			/* set with release when verdict is complete */
	uint32_t verdict_lock;
	uint32_t leader;		/* the variant that leads */
	bool ipc;			/* the program has asked for something of an IPC namespace */
	uint32_t accused, released;	/* followers (bits) that have diverged, with config.spare; ... that nobody waits for */
	uint32_t changing, gathering;	/* a change of the leader, for: accused ones that read on; the next leader */
	uint64_t root;			/* offset of the first thread set */
	uint64_t segments;		/* of System V shared memory (hooks/shm.c): offset, 0 = none yet */
	struct mv_config config;	/* config.policy is meaningless here, see policy */
	struct mv_verdict verdict;
	struct mv_accusation {
		uint32_t lock;
		uint64_t set;		/* offset, 0 = none */
		uint64_t call[2];	/* what this variant calls, if it calls something: a hash */
		bool calls;
		struct mv_verdict verdict;
	} accusations[MV_VARIANTS_MAX];
	struct mv_policy policy;
	char own_env[MV_OWN_ENV][MV_OWN_ENV_NAME];	/* names of settings that single variants have been given */
	struct mv_rules rules[MV_VARIANTS_MAX];	/* of followers that are another build; else empty */
	struct mv_report_text {		/* of the follower that was first to write one */
		uint32_t owner;		/* tid, 0 = none has */
		uint32_t variant;
		uint32_t len;
		char text[16384];
	} report;
	uint32_t racing;		/* enum mv_racing */
	uint32_t shadows;		/* how often a shadow was mapped */
	uint32_t pairs;			/* pipes and pairs of sockets that processes have made themselves, in all variants */
	/* Addresses that were written to them (hooks/letter.c): a variant's youngest are its last n, modulo MV_LETTERS. */
	struct mv_letters {
		uint32_t n;
		struct mv_letter { uint64_t address; uint32_t pair; } slots[MV_LETTERS];
	} letters[MV_VARIANTS_MAX];
	/* Calls at which leaders had all followers come; one that is lost does not matter.  Nothing else is in its line. */
	uint64_t meetings __attribute__((aligned(64)));
};

#define MV_PLACES 1024		/* more threads than wait at once */
#define MV_TURN_WORDS 32	/* whose turn is next is told to those alone who may be it, modulo this */

/*
 * What the twin processes share, and processes that share memory with them: the order of calls whose effects depend on each
 * other.  A line for each who writes.
 */
struct mv_procset {
	uint32_t refs;
	uint32_t owner;			/* tid of the leader's thread inside an exclusive call, 0 = none */
	struct mv_word unlocks;		/* of owner */
	struct mv_word heads[MV_TURN_WORDS];	/* of owner, while that place is the first */
	uint64_t issued;		/* tickets given out by the leader */
	uint64_t changed;		/* ... when the leader changed last: turns up to that one have ended */
	uint32_t head, tail;		/* the leader's threads that wait for their turn have places [head, tail) */
	uint32_t barged;		/* turns since the last one that was waited for */
	uint64_t left[MV_PLACES / 64];	/* places, modulo MV_PLACES, of those that have died waiting */
	struct mv_turn {
		uint64_t done;		/* tickets this variant has worked off */
		uint32_t holder;	/* tid of the follower whose turn it is, 0 = none (turns.h) */
		uint32_t nlost;
		uint64_t lost[MV_PLACES / 64];	/* tickets, modulo MV_PLACES, that nobody will work off: their threads are dead */
		struct mv_word moves[MV_TURN_WORDS];	/* of done, to the ticket before one of these */
	} __attribute__((aligned(64))) turns[MV_VARIANTS_MAX];
};

/* A thread set; its stream follows at the next 64-byte boundary. */
struct mv_set {
	uint32_t tid;
	uint32_t refs;
	uint64_t procset;		/* offset */
	uint64_t size;			/* of this block, stream included */
	uint8_t waits[MV_VARIANTS_MAX];	/* the follower's next record is for a turn that has not come */
	uint64_t alone;			/* offset of the procset that an exec of this thread joins, 0 = it stays in its own */
	uint64_t last;			/* the leader's newest ticket, and whether it has died with that turn (turns.c) */
	uint32_t apart;			/* variants (bits) that have joined it */
	uint32_t gone;			/* variants (bits) whose thread is gone */
	uint32_t place;			/* the leader waits for its turn in this place, */
	uint32_t queued;		/* ... or does not */
};
_Static_assert(sizeof(struct mv_set) == 64, "the stream behind it is 64-byte aligned");

/* ---- private to one process of the monitor ---- */

#define MV_LOCAL_FDS 16
#define MV_CLOCKS 8		/* the coarse clocks are numbers 5 and 6 */

struct mv_process {
	struct mv_run *run;
	const struct mv_ops *ops;
	struct mv_mm *mm;
	struct mv_files *files;
	struct mv_procset *procset;
	struct mv_seccomp *filters;	/* those that one thread has put on all, NULL = none */
	unsigned variant;
	unsigned threads;
	bool turns;			/* it has several threads, which run one at a time */
	uint32_t pid;
	uint32_t execs;			/* programs it has executed, its parents' included */
	bool ending;			/* a thread of it makes exit_group: what siblings come to has no effect any more */
	bool heap_told;			/* this program's heap has its settings */
	bool sync_told;			/* ... and its libmvsync */
	bool own_memory;		/* threads run at once: private memory is each variant's own affair (hooks/mm.c) */
	uint64_t clocks[MV_CLOCKS][2];	/* the time that each clock has last shown, 0 = never */
	uint32_t local_fds[MV_LOCAL_FDS];	/* descriptors that only this variant has, 0 = none */
	unsigned nlocal;		/* how many these are */
	struct mv_sigvalues *sigvalues;	/* follower: what signals carry for it (hooks/signal.c), NULL = nothing of its own */
};

#define MV_INLINE_MAX 4096	/* input bytes that are compared one by one; more are compared by hash */
#define MV_SCRATCH 16384
#define MV_MARKS 64
#define MV_EARLY 8
#define MV_HISTORY 16
#define MV_HISTORY_SLOTS (MV_HISTORY + 1)	/* one for a call that is begun and taken back for a signal */

/* Gathered input: what is behind the call's pointers, in a canonical order. */
struct mv_blob {
	uint64_t total;			/* bytes put so far */
	uint32_t faults;		/* arguments (bits) that could not be read */
	unsigned nmarks;
	struct { uint64_t start; uint32_t arg; } marks[MV_MARKS];	/* where each argument's bytes begin */
	struct mv_hash hash;		/* of all bytes, once there are more than MV_INLINE_MAX */
	uint8_t bytes[MV_INLINE_MAX];
};

/* A place in the variant's memory that a call may write to. */
struct mv_dest {
	uint64_t addr;
	uint64_t cap;			/* bytes that may be written at most */
	uint64_t used;			/* leader, after the call: bytes written */
	uint16_t operand;		/* index into desc->out */
	uint16_t part;			/* MV_PART_* for message headers */
	uint32_t index;			/* of the message, for mmsghdr arrays */
};

enum mv_state {
	MV_ST_IDLE,
	MV_ST_PUBLISH, MV_ST_MEET, MV_ST_LOCK, MV_ST_LEAD, MV_ST_ORDER, MV_ST_RESULT, MV_ST_COLLECT,	/* leader */
	MV_ST_HOLD,
	MV_ST_WANT,								/* leader: taking the turn before a call */
	MV_ST_SIGNAL,								/* leader: publishing a signal */
	MV_ST_EXEC,								/* leader: publishing a successful exec */
	MV_ST_FETCH, MV_ST_AWAIT, MV_ST_TURN, MV_ST_FOLLOW, MV_ST_REPLICATE, MV_ST_AFTER, MV_ST_TAKE,	/* follower */
	MV_ST_BEGIN,								/* of an accused variant: has not begun its call */
	MV_ST_LOCAL,								/* a call outside the stream is running */
	MV_ST_ALONE,								/* a call outside the stream that has a hook */
};

/* Words that this thread has bumped: of its stream (commits or consumes), its procset's unlocks, that of the next turn. */
enum { MV_CHANGED_STREAM = 1 << 0, MV_CHANGED_LOCK = 1 << 1, MV_CHANGED_TURN = 1 << 2 };

/* How a call that a filter of the program's does not let through ends, other than by a result. */
enum mv_refusal { MV_REFUSE_NOT, MV_REFUSE_TRAP, MV_REFUSE_KILL };

struct mv_thread {
	struct mv_run *run;
	struct mv_process *process;
	const struct mv_ops *ops;
	void *task;
	struct mv_set *set;
	struct mv_stream *stream;
	unsigned variant;
	bool leads;			/* its variant is the leader */
	bool wary;			/* its next call is a lockstep call, whatever the policy says */
	uint32_t tid;
	enum mv_state state;

	/* the call */
	struct mv_call call;		/* as the program made it */
	const struct mv_desc *desc;
	uint8_t cls;			/* enum mv_class, after prepare */
	uint8_t level;			/* enum mv_level */
	bool again;			/* the call went on as another one, once or thrice or ... (MV_AGAIN) */
	uint16_t flags;			/* MV_REC_* of the RESULT record */
	unsigned step;			/* kernel calls made for this call so far */
	uint64_t norm[MV_NARGS];	/* arguments as compared */
	uint64_t seq;			/* sequence number of the ENTER record */
	int64_t own;			/* this variant's own result */
	int64_t result;			/* the leader's result */
	uint64_t extra;			/* what a hook sends along with the result */
	uint64_t ticket;
	uint64_t aux[4];		/* the hook's own, zero at mv_enter() */
	bool exclusive;			/* leader: holds procset->owner */
	bool keeps;			/* the hook says that a call that may block does not, */
	bool yields;			/* ... that the thread lets others go first */
	bool gives;			/* leader: it gives its turn up for this call */
	unsigned calls;			/* leader: calls since it took the turn */
	unsigned looks;			/* leader: calls in a row that other variants need not make */
	uint64_t turn;			/* follower: the ticket of the turn it has, 0 = none */
	uint64_t awaits;		/* follower: parked until this ticket's time comes, 0 = is not */
	bool passing;			/* follower: over the rest of a call of the leader's that it does not make */
	uint32_t passed;		/* ... which is that one */
	uint64_t look;			/* a look at a setting (setting.c): the leader's descriptor for it + 1, MV_LOOK_OPENS, 0 = none */
	bool alone;			/* the call at hand is this variant's own alone */
	bool reporting;			/* follower: it writes its report, and does not come back to the stream */
	unsigned reported;		/* calls it has made since */
	bool follows;			/* leader: a signal will be taken at this call's return */
	bool stays;			/* leader, with turns: all is told, and for a change of the leader it does not go on */
	struct mv_blob *blob;

	struct mv_seccomp *filters;	/* the program's own, NULL = none */
	struct mv_seccomp *candidate;	/* of the call that would install it */
	enum mv_refusal refusal;	/* what they make of the call */

	/* outputs */
	struct mv_dest *dests;
	unsigned ndests, dests_max;
	unsigned dest_at;		/* leader: next to publish */
	uint64_t dest_off;
	uint8_t *scratch;		/* MV_SCRATCH bytes */

	/* signals */
	int sig;
	enum mv_signal_when sig_when;
	int64_t sig_result;
	uint8_t siginfo[MV_SIGINFO_SIZE];

	bool enters;			/* a child that begins in a mount namespace of its own */
	struct mv_set *child_set;	/* made by a clone, not yet taken by mv_thread_child() */
	uint64_t clone_flags;

	struct { uint32_t nr; uint64_t norm[MV_NARGS]; } early[MV_EARLY];	/* follower: calls made before the leader */
	unsigned nearly;
	uint64_t vain_at;		/* follower: where in its stream it has waited for nothing last, and how often */
	unsigned vain;
	uint64_t moves;			/* steps of the machine taken, parked or not */
	struct mv_procset *former;	/* the procset it has left, until its word has been told of */
	uint8_t changed;		/* MV_CHANGED_*, since mv_thread_wakes() was called last */
	bool hasty;			/* leader: those who nap are to come, too */
	uint8_t next_turn;		/* MV_CHANGED_TURN: the word is the one for this */
	struct mv_waker commits;	/* of those words, */
	struct mv_waker unlocks;
	struct mv_waker next_turns[MV_TURN_WORDS];
	struct mv_waker naps;		/* leader: of its stream's */
	uint64_t ncalls;
	struct mv_history history[MV_HISTORY_SLOTS];
};

/* What is remembered of the call at hand, or of the last one. */
static inline struct mv_history *mv_latest(struct mv_thread *t)
{
	return &t->history[(t->ncalls - 1) % MV_HISTORY_SLOTS];
}

/*
 * The irregular part of a call.  Every function may be NULL.  "act" functions are little step machines: called with
 * t->step == 0 first, then after every kernel call they asked for with its result in last.  They fill step with MV_RUN or
 * MV_IMPORT and return true, or set t->own and return false when there is nothing (more) to do.
 */
struct mv_hook {
	/* Every variant, before gathering: may change t->cls; 0, -errno to deny the call, MV_UNSUPPORTED to end the run. */
	int (*prepare)(struct mv_thread *t);
	/* Every variant: change how arguments are compared. */
	void (*normalise)(struct mv_thread *t);
	/* Follower, before comparing: take over from the leader what may differ by its nature. */
	void (*reconcile)(struct mv_thread *t, const struct mv_record *rec, const void *payload);
	/* Of a row flagged elastic: is it so with these operands, as they are compared?  NULL: with all. */
	bool (*elastic)(const uint64_t *norm);
	/* Follower, of a call that no record is compared with: make the gathered input what it is in all variants that make this call. */
	void (*abstract)(struct mv_thread *t);
	/* Follower: answer an optional call that the leader does not make; sets t->own.  False: let the kernel. */
	bool (*surplus)(struct mv_thread *t);
	bool (*lead)(struct mv_thread *t, int64_t last, struct mv_step *step);
	/* Leader, after a successful call: outputs are in place; sets t->extra, changes dests. */
	void (*collect)(struct mv_thread *t);
	/* Leader and follower: convert an output piece on its way; offset is into the destination.  seldom: only if extra is not 0. */
	bool seldom;
	void (*publish)(struct mv_thread *t, const struct mv_dest *d, uint64_t offset, void *bytes, size_t len);
	void (*adopt)(struct mv_thread *t, const struct mv_dest *d, uint64_t offset, void *bytes, size_t len);
	bool (*follow)(struct mv_thread *t, int64_t last, struct mv_step *step);
	/* Follower, after outputs are in place: more acts. */
	bool (*after)(struct mv_thread *t, int64_t last, struct mv_step *step);
	/* Every variant: the call is over, t->result is the leader's result and t->own this variant's. */
	void (*done)(struct mv_thread *t);
};

/* What calls that write to files have in their hooks (hooks/copied.c): followers' own copies of the file get the bytes, too. */
void mv_copied_collect(struct mv_thread *t);
bool mv_copied_follow(struct mv_thread *t, int64_t last, struct mv_step *step);

/* The hook of the call at hand; one without members where there is none. */
static inline const struct mv_hook *mv_hook_of(const struct mv_thread *t)
{
	static const struct mv_hook none;

	return t->desc->hook ? t->desc->hook : &none;
}
/* Are outputs of the call at hand converted? */
static inline bool mv_converts(const struct mv_thread *t)
{
	const struct mv_hook *h = t->desc->hook;

	return h && (t->extra || !h->seldom);
}
#define MV_UNSUPPORTED 1
/* A result that no kernel has: the program's call goes on as another call to the stream. */
#define MV_AGAIN (-((int64_t)1 << 32))

/* ---- run.c ---- */
static inline bool mv_leads(const struct mv_run *run, unsigned variant)
{
	return __atomic_load_n(&run->leader, __ATOMIC_ACQUIRE) == variant;
}
static inline bool mv_follows(const struct mv_run *run, unsigned variant)
{
	return variant && variant < run->config.variants && !mv_leads(run, variant);
}
/* A follower's place among the consumers of every stream.  The first leader, which never follows, has none. */
static inline unsigned mv_consumer(unsigned variant)
{
	return variant - 1;
}
static inline unsigned mv_consuming(unsigned consumer)
{
	return consumer + 1;
}
static inline struct mv_arena *run_arena(const struct mv_run *run)
{
	return (struct mv_arena *)((char *)run - run->self);
}
bool mv_over(const struct mv_run *run);
/* Is there an end to this thread, by a verdict on the run or on its variant?  The second may be taken back. */
bool mv_stopped(const struct mv_thread *t);
/* The place to fill for a verdict, or NULL if there is one already; mv_verdict_end() makes it visible. */
struct mv_verdict *mv_verdict_begin(struct mv_run *run);
void mv_verdict_end(struct mv_run *run);
/* The same for a divergence, which with config.spare stops the follower and not the run.  set may be NULL. */
struct mv_verdict *mv_divergence_begin(struct mv_run *run, unsigned variant, const struct mv_set *set);
void mv_divergence_end(struct mv_run *run, const struct mv_verdict *v);
/* Has mv_run_release() been called for it? */
bool mv_released(const struct mv_run *run, unsigned variant);
/* A divergence is being told, which is one of the call at hand: what that is. */
void mv_accuse_call(struct mv_thread *t);
/* Leader: is it to stop where it would run the program with a turn that it has yet to take, or has just taken? */
bool mv_stays(const struct mv_thread *t);
void mv_text(char *to, size_t size, const char *const *parts);	/* joins NULL-terminated parts */
/* Leader: make descriptor fd available to followers.  False if there are none, or it failed (verdict is set). */
bool mv_export(struct mv_thread *t, const struct mv_share *share, uint64_t *handle);
/* A thread set; procset 0 makes a new one.  domain: several processes share it, an exec leaves it.  NULL: the verdict is set. */
struct mv_set *mv_set_new(struct mv_run *run, uint64_t procset, bool domain);
struct mv_procset *mv_set_procset(const struct mv_run *run, const struct mv_set *s, unsigned variant);	/* the one it is in now */
struct mv_set *mv_set_at(const struct mv_run *run, uint64_t offset);	/* NULL if there can be none */
void mv_set_unref(struct mv_run *run, struct mv_set *set);
void mv_set_drop(struct mv_run *run, struct mv_set *set);	/* one that nobody else has seen */

/* ---- hooks/ipc.c ---- */
int mv_ipc_prepare(struct mv_thread *t);	/* of every call that makes or uses what is in an IPC namespace */

/* ---- takeover.c ---- */
bool mv_gathers(const struct mv_thread *t);	/* parked: is it to rest, for a change of the leader? */

/* ---- step.c ---- */
/* Find what the call reads and where it may write.  False without memory (verdict is set). */
bool mv_operands(struct mv_thread *t);
/* It is about to be made: is it the end of the process? */
void mv_ends(struct mv_thread *t);

/* ---- gather.c ---- */
/* Bytes that the kernel reads of a node or CPU mask whose size argument is n: it takes one bit off. */
static inline uint64_t mv_mask_bytes(uint64_t n)
{
	return n ? (n - 1) / 64 * 8 + ((n - 1) % 64 ? 8 : 0) : 0;
}
/* The argument that an operand's length refers to, as wide as the kernel takes it. */
uint64_t mv_length_arg(const struct mv_thread *t, const struct mv_operand *o);
/* Bits of an fd_set that count: the kernel looks no further than the process's descriptors go. */
uint64_t mv_fdset_bits(const struct mv_thread *t, const struct mv_operand *o);
/* Read, normalise and flatten the call's input into t->norm and t->blob. */
void mv_gather(struct mv_thread *t);
void mv_blob_put(struct mv_blob *b, const void *p, size_t len, const uint64_t key[4]);
void mv_blob_hash(struct mv_blob *b, uint64_t out[2]);
/* Put len bytes behind argument arg into the gathered input; false after a fault. */
bool mv_gather_memory(struct mv_thread *t, unsigned arg, uint64_t addr, uint64_t len);
size_t mv_peek(struct mv_thread *t, uint64_t addr, void *dst, size_t len);
bool mv_peek_all(struct mv_thread *t, uint64_t addr, void *dst, size_t len);
/* Copy a string of at most size - 1 bytes; its length, -EFAULT or -ENAMETOOLONG. */
int64_t mv_peek_str(struct mv_thread *t, uint64_t addr, char *dst, size_t size);

/* ---- compare.c ---- */
/* Compare the follower's call with the leader's record; on a difference sets the verdict and returns false. */
bool mv_compare(struct mv_thread *t, const struct mv_record *rec, const void *payload);
void mv_diverge_result(struct mv_thread *t, int64_t own);

/* ---- output.c ---- */
int mv_dests_build(struct mv_thread *t);	/* before the call: where it may write; 0 or -ENOMEM */
void mv_dests_used(struct mv_thread *t);	/* leader, after: how much it wrote where */
int mv_dest_add(struct mv_thread *t, uint64_t addr, uint64_t cap, unsigned operand, unsigned part, unsigned index);
#define MV_OPERAND_HOOK 0xffff	/* made by a hook: all of cap is written when the call succeeds */
enum { MV_PART_WHOLE, MV_PART_NAME, MV_PART_DATA, MV_PART_CONTROL, MV_PART_NAMELEN, MV_PART_CONTROLLEN, MV_PART_FLAGS,
       MV_PART_MSGLEN };

/* ---- leader.c, follower.c: the step machines ---- */
/* What a parked thread waits for, NULL if that has come already. */
struct mv_word *mv_lead_waits(const struct mv_thread *t);
struct mv_word *mv_follow_waits(const struct mv_thread *t);
void mv_lead(struct mv_thread *t, struct mv_step *step);
void mv_lead_ran(struct mv_thread *t, int64_t result, struct mv_step *step);
void mv_follow(struct mv_thread *t, struct mv_step *step);
void mv_follow_ran(struct mv_thread *t, int64_t result, struct mv_step *step);

/* ---- hooks/seccomp.c ---- */
/* Ask the thread's filters about the call at hand: true if it is not to be made, t->cls, t->own and t->refusal say what instead. */
bool mv_refuses(struct mv_thread *t);
/* At the call's end: what the front-end has to do. */
static inline void mv_end(struct mv_thread *t, struct mv_step *step)
{
	step->action = t->refusal ? MV_REFUSE : MV_DONE;
	step->fatal = t->refusal == MV_REFUSE_KILL;
}

/* ---- hooks/signal.c ---- */
/* Follower: put what this variant has given a signal to carry in the place of the leader's. */
void mv_sigvalue_adopt(struct mv_thread *t, uint8_t info[MV_SIGINFO_SIZE]);
void mv_sigvalues_free(struct mv_process *p);
/* At the end of a read: the same for what it has read from a signalfd. */
void mv_signal_records(struct mv_thread *t);

/* ---- hooks/heap.c ---- */
/* Is the call at hand, an mprotect, one of the diversifying heap's in its own memory? */
bool mv_heap_protects(const struct mv_thread *t);

/* ---- hooks/sync.c ---- */
/* Does a library of ours ask, the diversifying heap or libmvsync? */
bool mv_is_library_call(const struct mv_call *call);

/* ---- expected.c ---- */
/* Of an address as it is compared: the mapping it lies in, 0 if none. */
#define MV_NORM_SHIFT 44

static inline uint64_t mv_norm_ordinal(uint64_t norm)
{
	return norm >> MV_NORM_SHIFT;
}

enum mv_expect { MV_EXPECT_NOTHING, MV_EXPECT_MINE, MV_EXPECT_REPORT, MV_EXPECT_LEADERS, MV_EXPECT_BOTH };
/* Follower, at a call that is not the leader's record: whose is it that the rules let one make alone?  Counts the rule. */
enum mv_expect mv_expected(struct mv_thread *t, const struct mv_record *rec, const void *payload);

/* ---- setting.c ---- */
#define MV_LOOK_OPENS UINT64_MAX
/* Is the call at hand the beginning of a look at a setting of the machine's? */
bool mv_looks(const struct mv_thread *t);
/*
 * Leader, once for every call: is it the beginning or the rest of one?  Then it keeps its turn: a variant that does not look has nothing there to
 * give it up at.  A look ends with its descriptor, or where anything else is done.
 */
bool mv_look_on(struct mv_thread *t);
/* Leader: the call at hand has opened that file, if it did. */
void mv_look_begin(struct mv_thread *t);
/*
 * Such a look is made by one variant alone: is it this one's, or the leader's?  The rest of a look of the leader's that was passed over is the leader's.
 */
enum mv_expect mv_look(struct mv_thread *t, const struct mv_record *rec, const void *payload);
/* The leader's call that is passed over has this result. */
void mv_look_result(struct mv_thread *t, int64_t result);

/* ---- expected.c ---- */
/* At the beginning of a call: true if it is none for the stream; step says what to do. */
bool mv_goes_alone(struct mv_thread *t, struct mv_step *step);
/* Is this string of a program's environment one that only some variants have been given?  It is not compared at an exec. */
bool mv_is_own_setting(const struct mv_run *run, const char *entry);
/* Make the call at hand alone; what comes after each kernel call. */
void mv_alone(struct mv_thread *t, struct mv_step *step);
void mv_alone_ran(struct mv_thread *t, int64_t result, struct mv_step *step);

/* ---- apart.c ---- */
/* How readily the call at hand may be one that only one variant makes, 0 = never.  When its operands are there. */
unsigned mv_slack(const struct mv_thread *t);
/* The same of the leader's. */
unsigned mv_record_slack(const struct mv_record *rec);

/* ---- tempname.c ---- */
/* Follower: if the path behind argument arg differs from the leader's in a temporary file's random letters, take those. */
void mv_adopt_temporary_name(struct mv_thread *t, const struct mv_record *rec, const void *payload, unsigned arg);

/* Ask for a kernel call. */
static inline bool mv_ask(struct mv_step *step, uint32_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	step->action = MV_RUN;
	step->call = (struct mv_call){ .nr = nr, .args = { a0, a1, a2, 0, 0, 0 } };
	return true;
}
static inline bool mv_ask_own(struct mv_thread *t, struct mv_step *step)
{
	step->action = MV_RUN;
	step->call = t->call;
	return true;
}
/* Ask for an open file that was exported, at this number; -1: at any. */
static inline bool mv_ask_import(struct mv_step *step, uint64_t handle, int fd, bool cloexec)
{
	step->action = MV_IMPORT;
	step->handle = handle;
	step->fd = fd;
	step->cloexec = cloexec;
	return true;
}

/* ---- numbers.c: step machines of a follower that start when *at is 0; false when they are done, or the run has ended ---- */
/* Make a placeholder at descriptor want; the caller marks it in the table (MV_FD_PLACEHOLDER). */
bool mv_plant(struct mv_thread *t, uint64_t *at, int want, bool cloexec, int64_t last, struct mv_step *step);
/* Move a descriptor that was made at number from, as the lowest that was free, to want. */
bool mv_renumber(struct mv_thread *t, uint64_t *at, int from, int want, int64_t last, struct mv_step *step);

#endif
