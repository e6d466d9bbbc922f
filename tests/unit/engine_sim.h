/*
 * A front-end without processes: the variants' memories are buffers of the test, each at a base address of its own, the
 * kernel is a function of the test.  What the engine allocates is counted, and can be made to run out.
 */
#ifndef MV_TESTS_ENGINE_SIM_H
#define MV_TESTS_ENGINE_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <asm/unistd.h>
#include <multivar/multivar.h>
#include <multivar/policy.h>
#include "engine/table.h"

#define SIM_PAGE 4096u
#define SIM_SIZE (16u << 20)		/* bytes of memory each variant has */
#define SIM_PAGES (SIM_SIZE / SIM_PAGE)
#define SIM_TID 1000

/* An operand that is a pointer: every variant gets its own address of this offset in its memory. */
#define AT(offset) (SIM_POINTER + (offset))
#define SIM_POINTER 0x4000000000000000ull
#define CALL(nr, ...) ((struct mv_call){ (nr), { __VA_ARGS__ } })
#define PAUSE CALL(__NR_pause)	/* may block: takes two records, others one */
#define OUT 0x10000			/* where tests let calls write to */

/* Results that the kernel keeps to itself. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513

struct sim;

struct sim_task {
	struct sim *sim;
	unsigned variant;
};

struct sim {
	struct mv_config config;
	struct mv_policy policy;
	void *arena;
	size_t arena_size, arena_used;		/* used by the run alone */
	struct mv_run *run;
	struct sim_task task[MV_VARIANTS_MAX];
	struct mv_thread *t[MV_VARIANTS_MAX];	/* the root threads, NULL when they are gone */
	struct mv_step step[MV_VARIANTS_MAX];	/* sim_all(): what each variant's call ended with */
	uint8_t *mem[MV_VARIANTS_MAX];
	bool hole[MV_VARIANTS_MAX][SIM_PAGES];	/* pages that cannot be read or written */
	uint64_t exported;			/* descriptors exported so far; handles count from 1 */
	unsigned claims[MV_VARIANTS_MAX];	/* sensitive calls that each variant's program has asked for so far */
	/* sim_all(): what the kernel answers, to MV_RUN and to MV_IMPORT.  Without one, result. */
	int64_t (*kernel)(struct sim *s, unsigned variant, const struct mv_step *step);
	int64_t result;
	unsigned runs[MV_VARIANTS_MAX];		/* kernel calls that sim_all() made */
};

/* What sim_new() makes of NULL: 2 variants, 64 records, 256 KiB, every call relaxed, ASLR layout. */
struct sim_options {
	unsigned variants, records;
	size_t bytes, arena;
	int level;			/* enum mv_level of every call */
	enum mv_layout_mode layout;
	bool spare;
	bool no_threads;		/* do not make the root threads */
	bool turns;			/* several threads of a process run one at a time */
};
extern const struct sim_options sim_defaults;

struct sim *sim_new(const struct sim_options *options);
/* Make the run and the root threads: for tests that have set no_threads to change s->policy first. */
void sim_start(struct sim *s);
/* Ends all root threads and checks that nothing is left, neither of memory nor of the arena. */
void sim_free(struct sim *s);

/* The n-th allocation from now fails, and all that follow; negative: none. */
void sim_fail_alloc(long n);
/* Allocations that were not freed. */
long sim_allocated(void);

extern const struct mv_ops sim_ops;

uint64_t sim_addr(unsigned variant, uint64_t offset);
void *sim_mem(struct sim *s, unsigned variant, uint64_t offset);
/* Write the same into every variant. */
void sim_put(struct sim *s, uint64_t offset, const void *p, size_t len);
void sim_put64(struct sim *s, uint64_t offset, uint64_t value);
/* Write a pointer to offset to, which is another number in each. */
void sim_put_pointer(struct sim *s, uint64_t offset, uint64_t to);

/* mv_enter() and its kin, with AT() translated; the thread's variant comes from its task. */
struct mv_step sim_enter(struct mv_thread *t, struct mv_call call);
struct mv_step sim_exit(struct mv_thread *t, int64_t result);
struct mv_step sim_retry(struct mv_thread *t);
/* A signal of the leader; its siginfo is full of the signal's number. */
struct mv_step sim_signal(struct mv_thread *t, int sig, enum mv_signal_when when, int64_t result);

/* The leader makes the call: is told to run it, and gets its own result.  The first follower gets the leader's. */
void sim_leads(struct sim *s, struct mv_call call, int64_t result);
void sim_follows(struct sim *s, struct mv_call call, int64_t result);

/* The child that variant's root thread has just made. */
struct mv_thread *sim_child(struct sim *s, unsigned variant, uint32_t tid);
/* Both variants make a child with that call. */
void sim_clone_both(struct sim *s, struct mv_call call, uint32_t tid, struct mv_thread *children[2]);

void sim_expect_run(const struct mv_step *step, uint32_t nr);
void sim_expect_done(const struct mv_step *step, int64_t result);
void sim_expect(const struct mv_step *step, enum mv_action action);
void sim_expect_signal(const struct mv_step *step, enum mv_action action, int sig);
/* The run goes on; says what happened otherwise. */
void sim_expect_peace(struct sim *s);
const struct mv_verdict *sim_expect_difference(struct sim *s, enum mv_difference difference, unsigned variant);

/*
 * All root threads make the call; runs it until it is over everywhere.  True if it is, false if the run has ended.  Fails
 * when everybody waits.
 */
bool sim_all(struct sim *s, struct mv_call call);
/* The same with a call of each variant's own. */
bool sim_each(struct sim *s, const struct mv_call *calls);

#endif
