/*
 * Runs, processes and threads: how they come into being and go.
 */
#include "internal.h"
#include "turns.h"

/* ---- runs ---- */

struct mv_run *mv_run_new(void *arena, size_t size, const struct mv_config *config)
{
	/* Whatever is compared byte by byte must fit into one record. */
	struct mv_arena *a = config->ring_bytes / 4 < MV_INLINE_MAX ? NULL : mv_arena_init(arena, size);
	uint64_t at = a ? mv_arena_alloc(a, sizeof(struct mv_run)) : 0;
	struct mv_run *run = at ? mv_arena_at(a, at) : NULL;

	if (!run)
		return NULL;
	run->self = at;
	run->config = *config;
	run->policy = *config->policy;
	run->config.policy = NULL;
	for (unsigned v = 1; v < config->variants; v++)
		if (config->rules[v])
			run->rules[v] = *config->rules[v];
	__builtin_memset(run->config.rules, 0, sizeof(run->config.rules));
	return run;
}

unsigned mv_run_variants(const struct mv_run *run)
{
	return run->config.variants;
}

void mv_run_usage(const struct mv_run *run, size_t *used, size_t *size)
{
	*used = mv_arena_used(run_arena(run));
	*size = mv_arena_size(run_arena(run));
}

static void short_of_arena(struct mv_run *run)
{
	mv_run_fail(run, MV_VERDICT_FAILURE, "the arena is full (raise --arena)");
}

static void short_of_memory(struct mv_run *run)
{
	mv_run_fail(run, MV_VERDICT_FAILURE, "out of memory for the engine");
}

bool mv_export(struct mv_thread *t, const struct mv_share *share, uint64_t *handle)
{
	int err;

	if (t->run->config.variants < 2)
		return false;
	err = t->ops->export_fd(t->task, share, handle);
	if (err == -EMFILE || err == -ENFILE)
		mv_run_fail(t->run, MV_VERDICT_FAILURE, "too many open files in the supervisor (raise RLIMIT_NOFILE)");
	else if (err && err != -EBADF)
		mv_run_fail(t->run, MV_VERDICT_FAILURE, "cannot take over an open file of the leader");
	return !err;
}

/* ---- what twins share ---- */

static uint64_t procset_new(struct mv_run *run)
{
	uint64_t at = mv_arena_alloc(run_arena(run), sizeof(struct mv_procset));

	if (at)
		((struct mv_procset *)mv_arena_at(run_arena(run), at))->refs = 1;
	return at;
}

static void procset_unref(struct mv_run *run, uint64_t at)
{
	struct mv_procset *p = mv_arena_at(run_arena(run), at);

	if (p && !__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
		mv_arena_free(run_arena(run), at, sizeof(*p));
}

/* One reference for every variant but those that are gone for good.  All but the leader read. */
static void take_part(struct mv_run *run, struct mv_set *s)
{
	s->refs = run->config.variants;
	for (unsigned v = 0; v < run->config.variants; v++) {
		if (v && (mv_leads(run, v) || mv_released(run, v)))
			mv_stream_leave((struct mv_stream *)(s + 1), mv_consumer(v));
		s->refs -= mv_released(run, v);
	}
}

/* procset's reference is taken by the caller. */
struct mv_set *mv_set_new(struct mv_run *run, uint64_t procset, bool domain)
{
	struct mv_config *c = &run->config;
	size_t size = sizeof(struct mv_set) + mv_stream_size(c->ring_records, c->ring_bytes);
	uint64_t at = 0, alone = domain ? procset_new(run) : 0;
	struct mv_set *s;

	if (!procset)
		procset = procset_new(run);
	else
		__atomic_add_fetch(&((struct mv_procset *)mv_arena_at(run_arena(run), procset))->refs, 1, __ATOMIC_RELAXED);
	/* The stream writes what it reads: nothing has to be cleared for each new process. */
	if (procset && (alone || !domain))
		at = mv_arena_take(run_arena(run), size);
	if (!at) {
		if (procset)
			procset_unref(run, procset);
		if (alone)
			procset_unref(run, alone);
		short_of_arena(run);
		return NULL;
	}
	s = mv_arena_at(run_arena(run), at);
	*s = (struct mv_set){ .procset = procset, .alone = alone, .size = size };
	mv_stream_init((struct mv_stream *)(s + 1), c->ring_records, c->ring_bytes, c->variants - 1);
	take_part(run, s);
	return s;
}

void mv_set_unref(struct mv_run *run, struct mv_set *s)
{
	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
		return;
	procset_unref(run, s->procset);
	if (s->alone)
		procset_unref(run, s->alone);
	mv_arena_free(run_arena(run), mv_arena_offset(run_arena(run), s), s->size);
}

struct mv_procset *mv_set_procset(const struct mv_run *run, const struct mv_set *s, unsigned variant)
{
	bool apart = __atomic_load_n(&s->apart, __ATOMIC_ACQUIRE) & 1u << variant;

	return mv_arena_at(run_arena(run), apart ? s->alone : s->procset);
}

/* With the references of all variants. */
void mv_set_drop(struct mv_run *run, struct mv_set *s)
{
	for (uint32_t refs = s->refs; refs; refs--)
		mv_set_unref(run, s);
}

/* ---- processes and threads ---- */

static void process_unref(struct mv_process *p)
{
	if (--p->threads)
		return;
	mv_mm_unref(p->mm);
	mv_files_unref(p->files);
	mv_seccomp_unref(p->ops, p->filters);
	mv_sigvalues_free(p);
	p->ops->free(p, sizeof(*p));
}

static void thread_free(struct mv_thread *t)
{
	if (t->blob)
		t->ops->free(t->blob, sizeof(*t->blob));
	if (t->scratch)
		t->ops->free(t->scratch, MV_SCRATCH);
	if (t->dests)
		t->ops->free(t->dests, t->dests_max * sizeof(*t->dests));
	mv_seccomp_unref(t->ops, t->filters);
	mv_seccomp_unref(t->ops, t->candidate);
	t->ops->free(t, sizeof(*t));
}

static struct mv_thread *thread_new(struct mv_run *run, const struct mv_ops *ops, struct mv_process *p, struct mv_set *set,
				    uint32_t tid, void *task)
{
	struct mv_thread *t = ops->alloc(sizeof(*t));

	if (!t)
		return NULL;
	t->run = run;
	t->ops = ops;
	t->blob = ops->alloc(sizeof(*t->blob));
	t->scratch = ops->alloc(MV_SCRATCH);
	if (!t->blob || !t->scratch) {
		thread_free(t);
		return NULL;
	}
	t->process = p;
	t->variant = p->variant;
	t->leads = mv_leads(run, p->variant);
	t->set = set;
	t->stream = (struct mv_stream *)(set + 1);
	t->tid = tid;
	t->task = task;
	p->threads++;
	return t;
}

static struct mv_process *process_new(struct mv_run *run, const struct mv_ops *ops, unsigned variant, uint32_t pid)
{
	struct mv_process *p = ops->alloc(sizeof(*p));

	if (!p)
		return NULL;
	p->run = run;
	p->ops = ops;
	p->variant = variant;
	p->pid = pid;
	return p;
}

static void process_drop(struct mv_process *p)
{
	p->threads = 1;
	process_unref(p);
}

/* The first thread set of a run is found by its followers at a fixed place. */
static struct mv_set *root_set(struct mv_run *run, unsigned variant, uint32_t tid)
{
	struct mv_set *s;

	if (variant || run->root)
		return mv_arena_at(run_arena(run), run->root);
	s = mv_set_new(run, 0, false);
	if (!s)
		return NULL;
	s->tid = tid;
	run->root = mv_arena_offset(run_arena(run), s);
	return s;
}

void mv_run_layout(const struct mv_run *run, unsigned variant, struct mv_layout *layout)
{
	mv_layout_init(layout, run->config.layout, variant, run->config.variants, run->config.seed);
}

uint64_t mv_run_root(struct mv_run *run, uint32_t tid)
{
	return root_set(run, 0, tid) ? run->root : 0;
}

struct mv_thread *mv_thread_root(struct mv_run *run, unsigned variant, uint32_t tid, const struct mv_ops *ops, void *task)
{
	struct mv_set *set = root_set(run, variant, tid);
	struct mv_process *p;
	struct mv_thread *t;
	struct mv_layout layout;

	if (!set)
		return NULL;
	p = process_new(run, ops, variant, tid);
	if (!p)
		goto no_memory;
	mv_layout_init(&layout, run->config.layout, variant, run->config.variants, run->config.seed);
	p->mm = mv_mm_new(ops, &layout);
	p->files = mv_files_new(ops);
	p->procset = mv_arena_at(run_arena(run), set->procset);
	t = p->mm && p->files ? thread_new(run, ops, p, set, tid, task) : NULL;
	if (!t) {
		process_drop(p);
		goto no_memory;
	}
	return t;
no_memory:
	short_of_memory(run);
	return NULL;
}

#define CLONE_VM_ 0x100
#define CLONE_FILES_ 0x400
#define CLONE_THREAD_ 0x10000
#define CLONE_NEWNS_ 0x20000

static struct mv_process *child_process(struct mv_thread *parent, uint32_t tid)
{
	struct mv_process *pp = parent->process, *p;

	if (parent->clone_flags & CLONE_THREAD_)
		return pp;
	p = process_new(parent->run, parent->ops, parent->variant, tid);
	if (!p)
		return NULL;
	p->mm = parent->clone_flags & CLONE_VM_ ? mv_mm_ref(pp->mm) : mv_mm_copy(pp->mm);
	p->files = parent->clone_flags & CLONE_FILES_ ? mv_files_ref(pp->files) : mv_files_copy(pp->files);
	p->procset = mv_set_procset(parent->run, parent->child_set, parent->variant);
	p->turns = p->procset == pp->procset;
	p->execs = pp->execs;
	p->heap_told = pp->heap_told;
	p->sync_told = pp->sync_told;
	p->own_memory = pp->own_memory;
	__builtin_memcpy(p->local_fds, pp->local_fds, sizeof(p->local_fds));
	p->nlocal = pp->nlocal;
	if (!p->mm || !p->files) {
		process_drop(p);
		return NULL;
	}
	return p;
}

struct mv_thread *mv_thread_child(struct mv_thread *parent, uint32_t tid, void *task)
{
	struct mv_set *set = parent->child_set;
	struct mv_process *p;
	struct mv_thread *t;

	if (!set) {
		mv_run_fail(parent->run, MV_VERDICT_FAILURE, "a child appeared that no call has made");
		return NULL;
	}
	p = child_process(parent, tid);
	t = p ? thread_new(parent->run, parent->ops, p, set, tid, task) : NULL;
	if (!t) {
		if (p && p != parent->process)
			process_drop(p);
		short_of_memory(parent->run);
		return NULL;
	}
	t->filters = mv_seccomp_ref(parent->filters);
	t->leads = parent->leads;
	t->enters = parent->clone_flags & CLONE_NEWNS_;
	if (t->leads)
		set->tid = tid;
	parent->child_set = NULL;
	return t;
}

static void end_stream(const struct mv_run *run, struct mv_stream *s, unsigned variant, int sig)
{
	struct mv_record *rec;
	void *payload;

	if (!mv_leads(run, variant)) {
		if (mv_follows(run, variant))
			mv_stream_leave(s, mv_consumer(variant));
		return;
	}
	rec = mv_stream_reserve(s, 0, &payload);
	/* With the ring full the twins have enough to read; nobody waits for this record but the report. */
	if (!rec)
		return;
	rec->kind = MV_REC_END;
	rec->result = sig;
	mv_stream_commit(s);
}

void mv_thread_child_apart(struct mv_thread *parent)
{
	parent->child_set = NULL;
}

void mv_thread_forget(struct mv_thread *t)
{
	process_unref(t->process);
	thread_free(t);
}

uint64_t mv_thread_set(const struct mv_thread *t)
{
	return mv_arena_offset(run_arena(t->run), t->set);
}

uint64_t mv_thread_child_set(const struct mv_thread *t)
{
	return mv_arena_offset(run_arena(t->run), t->child_set);
}

/* ---- thread sets, for a supervisor that has no threads of the engine ---- */

/* Offsets come from the variants: only what can be a set is one. */
struct mv_set *mv_set_at(const struct mv_run *run, uint64_t offset)
{
	struct mv_arena *a = run_arena(run);
	struct mv_set *s = offset % 64 ? NULL : mv_arena_at(a, offset);
	size_t size = sizeof(*s) + mv_stream_size(run->config.ring_records, run->config.ring_bytes);

	return s && mv_arena_at(a, offset + size - 1) && s->size == size ? s : NULL;
}

uint32_t *mv_set_gone(struct mv_run *run, uint64_t offset, unsigned variant, int sig)
{
	struct mv_set *s = mv_set_at(run, offset);
	struct mv_procset *ps = s && variant < MV_VARIANTS_MAX ? mv_set_procset(run, s, variant) : NULL;
	struct mv_word *word, *lost;
	bool last;

	if (!ps)
		return NULL;
	word = mv_turn_gone(run, s, variant, s->tid);
	end_stream(run, (struct mv_stream *)(s + 1), variant, sig);
	lost = mv_turn_lost(run, s, variant);
	last = __atomic_load_n(&ps->refs, __ATOMIC_RELAXED) == 1;
	mv_set_unref(run, s);
	if (!word)
		word = lost;
	return word && !last ? &word->value : NULL;
}

uint32_t *mv_set_ended(struct mv_run *run, uint64_t offset, unsigned variant)
{
	struct mv_set *s = mv_set_at(run, offset);
	struct mv_word *word = s && variant < MV_VARIANTS_MAX ? mv_turn_gone(run, s, variant, s->tid) : NULL;

	return word ? &word->value : NULL;
}

bool mv_set_progress(const struct mv_run *run, uint64_t offset, unsigned variant, uint64_t *head, uint64_t *tail)
{
	struct mv_set *s = mv_set_at(run, offset);

	if (!s || !mv_follows(run, variant))
		return false;
	*head = __atomic_load_n(&s->waits[variant], __ATOMIC_RELAXED) ? 0 : mv_stream_head((struct mv_stream *)(s + 1));
	*tail = mv_stream_tail((struct mv_stream *)(s + 1), mv_consumer(variant));
	return true;
}

void mv_thread_gone(struct mv_thread *t, int sig)
{
	mv_turn_gone(t->run, t->set, t->variant, t->tid);
	if (t->child_set)
		mv_set_unref(t->run, t->child_set);
	end_stream(t->run, t->stream, t->variant, sig);
	mv_turn_lost(t->run, t->set, t->variant);
	mv_set_unref(t->run, t->set);
	process_unref(t->process);
	thread_free(t);
}

unsigned mv_run_leader(const struct mv_run *run)
{
	return __atomic_load_n(&run->leader, __ATOMIC_ACQUIRE);
}

uint64_t mv_run_meetings(const struct mv_run *run)
{
	return __atomic_load_n(&run->meetings, __ATOMIC_RELAXED);
}

unsigned mv_thread_variant(const struct mv_thread *t)
{
	return t->variant;
}

uint32_t mv_thread_tid(const struct mv_thread *t)
{
	return t->tid;
}

void *mv_thread_task(const struct mv_thread *t)
{
	return t->task;
}

struct mv_process *mv_thread_process(const struct mv_thread *t)
{
	return t->process;
}

uint64_t mv_thread_moves(const struct mv_thread *t)
{
	return t->moves;
}

bool mv_thread_in_call(const struct mv_thread *t)
{
	return t->state != MV_ST_IDLE;
}

bool mv_thread_waits(const struct mv_thread *t)
{
	return t->state == MV_ST_MEET || t->state == MV_ST_HOLD;
}

bool mv_thread_behind(const struct mv_thread *t)
{
	const void *payload;

	return !t->leads && !t->awaits && mv_stream_next(t->stream, mv_consumer(t->variant), &payload);
}

static void absent(struct mv_run *run, const struct mv_set *set, unsigned variant, const struct mv_call *call, uint64_t seq,
		   const char *text)
{
	struct mv_verdict *v = mv_divergence_begin(run, variant, set);
	const struct mv_record *rec;
	const void *payload;

	if (!v)
		return;
	v->difference = MV_DIFF_ABSENT;
	v->leader_call = v->variant_call = *call;
	v->seq = seq;
	rec = mv_stream_next((const struct mv_stream *)(set + 1), mv_consumer(variant), &payload);
	if (rec && rec->kind == MV_REC_ENTER) {
		v->seq = mv_stream_tail((const struct mv_stream *)(set + 1), mv_consumer(variant));
		v->leader_call.nr = rec->nr;
		__builtin_memcpy(v->leader_call.args, mv_record_args(rec), sizeof(rec->args));
	}
	mv_text(v->text, sizeof(v->text), (const char *const[]){ text, NULL });
	mv_divergence_end(run, v);
}

void mv_thread_absent(struct mv_thread *t, const char *text)
{
	absent(t->run, t->set, t->variant, &t->call, mv_latest(t)->seq, text);
}

void mv_set_absent(struct mv_run *run, uint64_t offset, unsigned variant, const struct mv_call *call, const char *text)
{
	const struct mv_set *s = mv_set_at(run, offset);

	if (s && mv_follows(run, variant))
		absent(run, s, variant, call, 0, text);
}

struct mv_mm *mv_process_mm(struct mv_process *p)
{
	return p->mm;
}

struct mv_files *mv_process_files(struct mv_process *p)
{
	return mv_files_ref(p->files);
}

bool mv_clone_is_thread(const struct mv_thread *t)
{
	return t->clone_flags & CLONE_THREAD_;
}

int mv_process_fd(struct mv_process *p, int fd, unsigned kind)
{
	return mv_fd_set(p->files, fd, (struct mv_fd){ .kind = (uint8_t)kind, .flags = mv_leads(p->run, p->variant) ? 0 : MV_FD_PLACEHOLDER });
}

unsigned mv_thread_history(const struct mv_thread *t, struct mv_history *out, unsigned max)
{
	uint64_t n = t->ncalls < MV_HISTORY ? t->ncalls : MV_HISTORY;

	if (n > max)
		n = max;
	for (uint64_t i = 0; i < n; i++)
		out[i] = t->history[(t->ncalls - n + i) % MV_HISTORY_SLOTS];
	return (unsigned)n;
}
