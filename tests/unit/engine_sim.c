#include "engine_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

const struct sim_options sim_defaults = {
	.variants = 2, .records = 64, .bytes = 256 << 10, .arena = 8 << 20,
	.level = MV_LEVEL_RELAXED, .layout = MV_LAYOUT_ASLR,
};

static long allocated, fail_after = -1;

void sim_fail_alloc(long n)
{
	fail_after = n;
}

long sim_allocated(void)
{
	return allocated;
}

static void *sim_alloc(size_t size)
{
	void *p;

	if (fail_after == 0)
		return NULL;
	if (fail_after > 0)
		fail_after--;
	p = calloc(1, size);
	assert_non_null(p);
	allocated++;
	return p;
}

static void sim_release(void *p, size_t size)
{
	(void)size;
	allocated--;
	free(p);
}

/* Bases differ in every bit that may differ: not in the offset in the page, which strings are laid out by. */
uint64_t sim_addr(unsigned variant, uint64_t offset)
{
	return 0x100000000000ull * (variant + 1) + 0x5000ull * variant + offset;
}

/* How many of len bytes from addr can be accessed; *at is where they are. */
static size_t reach(const struct sim_task *task, uint64_t addr, size_t len, uint8_t **at)
{
	uint64_t offset = addr - sim_addr(task->variant, 0);
	size_t n = 0;

	*at = NULL;
	if (offset >= SIM_SIZE)
		return 0;
	*at = task->sim->mem[task->variant] + offset;
	while (n < len && offset < SIM_SIZE && !task->sim->hole[task->variant][offset / SIM_PAGE]) {
		size_t rest = SIM_PAGE - offset % SIM_PAGE;

		n += rest;
		offset += rest;
	}
	return n < len ? n : len;
}

static size_t sim_peek(void *task, uint64_t addr, void *dst, size_t len)
{
	uint8_t *at;
	size_t n = reach(task, addr, len, &at);

	if (n)
		memcpy(dst, at, n);
	return n;
}

static size_t sim_poke(void *task, uint64_t addr, const void *src, size_t len)
{
	uint8_t *at;
	size_t n = reach(task, addr, len, &at);

	if (n)
		memcpy(at, src, n);
	return n;
}

static int sim_export(void *task, const struct mv_share *share, uint64_t *handle)
{
	struct sim_task *t = task;

	assert_int_equal(t->variant, 0);
	assert_true(share->fd >= 0);
	*handle = ++t->sim->exported;
	return 0;
}

static void sim_claim(void *task, const struct mv_call *call)
{
	struct sim_task *t = task;

	assert_true(mv_call_is_sensitive(&t->sim->policy, call));
	t->sim->claims[t->variant]++;
}

const struct mv_ops sim_ops = {
	.peek = sim_peek, .poke = sim_poke, .alloc = sim_alloc, .free = sim_release, .export_fd = sim_export, .claim = sim_claim,
};

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void start_run(struct sim *s)
{
	s->run = mv_run_new(s->arena, s->arena_size, &s->config);
	assert_non_null(s->run);
	mv_run_usage(s->run, &s->arena_used, &s->arena_size);
}

static void start_threads(struct sim *s)
{
	for (unsigned i = 0; i < s->config.variants; i++) {
		s->t[i] = mv_thread_root(s->run, i, SIM_TID, &sim_ops, &s->task[i]);
		assert_non_null(s->t[i]);
		/* Sets of descriptors are looked at as far as descriptors go.  To followers it is a placeholder. */
		assert_int_equal(mv_process_fd(mv_thread_process(s->t[i]), 2000, 1), 0);
	}
}

void sim_start(struct sim *s)
{
	start_run(s);
	start_threads(s);
}

struct sim *sim_new(const struct sim_options *o)
{
	struct sim *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	if (!o)
		o = &sim_defaults;
	fail_after = -1;
	allocated = 0;		/* what a test that failed has left does not concern the next */
	s->config = (struct mv_config){
		.variants = o->variants, .ring_records = o->records, .ring_bytes = o->bytes, .layout = o->layout,
		.turns = o->turns, .spare = o->spare, .seed = { 1, 2, 3, 4 }, .policy = &s->policy,
	};
	memset(s->policy.level, o->level, sizeof(s->policy.level));
	for (unsigned i = 0; i < MV_POLICY_CALLS; i++)
		s->policy.deny_errno[i] = 1;
	s->arena_size = o->arena;
	s->arena = map(s->arena_size);
	for (unsigned i = 0; i < o->variants; i++) {
		s->task[i] = (struct sim_task){ .sim = s, .variant = i };
		s->mem[i] = map(SIM_SIZE);
	}
	start_run(s);
	if (!o->no_threads)
		start_threads(s);
	return s;
}

void sim_free(struct sim *s)
{
	size_t used, size;

	for (unsigned i = 0; i < s->config.variants; i++) {
		if (s->t[i])
			mv_thread_gone(s->t[i], 0);
		munmap(s->mem[i], SIM_SIZE);
	}
	mv_run_usage(s->run, &used, &size);
	assert_int_equal(used, s->arena_used);
	assert_int_equal(allocated, 0);
	munmap(s->arena, s->arena_size);
	free(s);
}

void *sim_mem(struct sim *s, unsigned variant, uint64_t offset)
{
	assert_true(offset < SIM_SIZE);
	return s->mem[variant] + offset;
}

void sim_put(struct sim *s, uint64_t offset, const void *p, size_t len)
{
	assert_true(offset + len <= SIM_SIZE);
	for (unsigned i = 0; i < s->config.variants; i++)
		memcpy(s->mem[i] + offset, p, len);
}

void sim_put64(struct sim *s, uint64_t offset, uint64_t value)
{
	sim_put(s, offset, &value, sizeof(value));
}

void sim_put_pointer(struct sim *s, uint64_t offset, uint64_t to)
{
	for (unsigned i = 0; i < s->config.variants; i++) {
		uint64_t p = sim_addr(i, to);

		memcpy(s->mem[i] + offset, &p, sizeof(p));
	}
}

struct mv_step sim_enter(struct mv_thread *t, struct mv_call call)
{
	struct mv_step step = { 0 };

	for (unsigned i = 0; i < MV_NARGS; i++)
		if (call.args[i] - SIM_POINTER < SIM_SIZE)
			call.args[i] = sim_addr(mv_thread_variant(t), call.args[i] - SIM_POINTER);
	mv_enter(t, &call, &step);
	return step;
}

struct mv_step sim_exit(struct mv_thread *t, int64_t result)
{
	struct mv_step step = { 0 };

	mv_exit(t, result, &step);
	return step;
}

struct mv_step sim_retry(struct mv_thread *t)
{
	struct mv_step step = { 0 };

	mv_retry(t, &step);
	return step;
}

struct mv_step sim_signal(struct mv_thread *t, int sig, enum mv_signal_when when, int64_t result)
{
	struct mv_step step = { 0 };
	uint8_t info[MV_SIGINFO_SIZE];

	memset(info, sig, sizeof(info));
	mv_signal(t, sig, info, when, result, &step);
	return step;
}

void sim_leads(struct sim *s, struct mv_call call, int64_t result)
{
	struct mv_step step = sim_enter(s->t[0], call);

	sim_expect_run(&step, call.nr);
	step = sim_exit(s->t[0], result);
	sim_expect_done(&step, result);
}

void sim_follows(struct sim *s, struct mv_call call, int64_t result)
{
	struct mv_step step = sim_enter(s->t[1], call);

	sim_expect_done(&step, result);
}

struct mv_thread *sim_child(struct sim *s, unsigned v, uint32_t tid)
{
	struct mv_thread *t = mv_thread_child(s->t[v], tid, &s->task[v]);

	assert_non_null(t);
	assert_int_equal(mv_thread_tid(t), tid);
	assert_int_equal(mv_thread_variant(t), v);
	return t;
}

void sim_clone_both(struct sim *s, struct mv_call call, uint32_t tid, struct mv_thread *children[2])
{
	struct mv_step step = sim_enter(s->t[0], call);

	sim_expect_run(&step, call.nr);
	assert_int_equal(step.child_tid, 0);
	step = sim_exit(s->t[0], tid);
	sim_expect_done(&step, tid);
	children[0] = sim_child(s, 0, tid);
	step = sim_enter(s->t[1], call);
	sim_expect_run(&step, call.nr);
	assert_int_equal(step.child_tid, tid);
	step = sim_exit(s->t[1], tid);
	sim_expect_done(&step, tid);
	children[1] = sim_child(s, 1, tid);
}

void sim_expect(const struct mv_step *step, enum mv_action action)
{
	assert_int_equal(step->action, action);
}

void sim_expect_run(const struct mv_step *step, uint32_t nr)
{
	assert_int_equal(step->action, MV_RUN);
	assert_int_equal(step->call.nr, nr);
	assert_int_equal(step->sig, 0);
}

void sim_expect_done(const struct mv_step *step, int64_t result)
{
	assert_int_equal(step->action, MV_DONE);
	assert_int_equal(step->result, result);
	assert_int_equal(step->sig, 0);
}

void sim_expect_signal(const struct mv_step *step, enum mv_action action, int sig)
{
	assert_int_equal(step->action, action);
	assert_int_equal(step->sig, sig);
	if (action != MV_DONE || step->siginfo[0])	/* the leader has its siginfo already */
		for (unsigned i = 0; i < MV_SIGINFO_SIZE; i++)
			assert_int_equal(step->siginfo[i], sig);
}

void sim_expect_peace(struct sim *s)
{
	const struct mv_verdict *v = mv_run_verdict(s->run);

	if (v->kind != MV_VERDICT_NONE)
		fail_msg("verdict %u, difference %u in argument %u of call %u, offset %llu, values %llx and %llx: %s", v->kind,
			 v->difference, v->arg, v->variant_call.nr, (unsigned long long)v->offset,
			 (unsigned long long)v->leader_value, (unsigned long long)v->variant_value, v->text);
}

const struct mv_verdict *sim_expect_difference(struct sim *s, enum mv_difference difference, unsigned variant)
{
	const struct mv_verdict *v = mv_run_verdict(s->run);

	assert_int_equal(v->kind, MV_VERDICT_DIVERGENCE);
	assert_int_equal(v->difference, difference);
	assert_int_equal(v->variant, variant);
	assert_int_equal(v->set, SIM_TID);
	return v;
}

/* Run what the step asks for until it asks for nothing more. */
static void run(struct sim *s, unsigned v)
{
	struct mv_step *step = &s->step[v];

	while (step->action == MV_RUN || step->action == MV_IMPORT) {
		int64_t result = s->kernel ? s->kernel(s, v, step) : s->result;

		s->runs[v]++;
		*step = sim_exit(s->t[v], result);
	}
}

bool sim_each(struct sim *s, const struct mv_call *calls)
{
	unsigned n = s->config.variants;
	bool waiting = true, moved = true;

	for (unsigned v = 0; v < n; v++) {
		s->runs[v] = 0;
		s->step[v] = sim_enter(s->t[v], calls[v]);
		run(s, v);
	}
	while (waiting) {
		waiting = false;
		assert_true(moved);
		moved = false;
		for (unsigned v = 0; v < n; v++) {
			uint64_t moves = mv_thread_moves(s->t[v]);

			if (s->step[v].action != MV_PARK)
				continue;
			s->step[v] = sim_retry(s->t[v]);
			run(s, v);
			waiting = true;
			moved |= s->step[v].action != MV_PARK || mv_thread_moves(s->t[v]) != moves;
		}
	}
	return mv_run_verdict(s->run)->kind == MV_VERDICT_NONE;
}

bool sim_all(struct sim *s, struct mv_call call)
{
	struct mv_call calls[MV_VARIANTS_MAX];

	for (unsigned v = 0; v < s->config.variants; v++)
		calls[v] = call;
	return sim_each(s, calls);
}
