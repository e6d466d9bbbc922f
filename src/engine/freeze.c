/*
 * A thread that executes another program loses its memory, and with it what the engine keeps there when it runs inside of
 * the process.  Before the exec it is frozen into bytes that the front-end carries over; behind it, thawed.
 *
 * The bytes are the engine's own structures: they are for the same build of the engine, in the same variant.
 */
#include "internal.h"

struct frozen {
	struct mv_process process;
	struct mv_thread thread;
	uint64_t set;			/* offset */
	uint64_t procset;
	uint64_t files_size, filters_size;
	/* files, filters */
};

void *mv_thread_freeze(struct mv_thread *t, size_t *size)
{
	const struct mv_process *p = t->process;
	size_t files = mv_files_frozen_size(p->files), filters = mv_seccomp_frozen_size(t->filters);
	struct frozen *f = t->ops->alloc(sizeof(*f) + files + filters);

	if (!f)
		return NULL;
	f->process = *p;
	f->thread = *t;
	f->set = mv_arena_offset(run_arena(t->run), t->set);
	f->procset = mv_arena_offset(run_arena(t->run), p->procset);
	f->files_size = files;
	f->filters_size = filters;
	mv_files_freeze(p->files, f + 1);
	mv_seccomp_freeze(t->filters, (char *)(f + 1) + files);
	*size = sizeof(*f) + files + filters;
	return f;
}

struct mv_thread *mv_thread_thaw(struct mv_run *run, const void *bytes, size_t size, const struct mv_layout *layout,
				 const struct mv_ops *ops, void *task)
{
	const struct frozen *f = bytes;
	struct mv_process *p;
	struct mv_thread *t;
	struct mv_set *set;

	if (size < sizeof(*f) || f->files_size + f->filters_size != size - sizeof(*f))
		return NULL;
	set = mv_arena_at(run_arena(run), f->set);
	p = ops->alloc(sizeof(*p));
	t = ops->alloc(sizeof(*t));
	if (!set || !p || !t)
		return NULL;
	*p = f->process;
	p->run = run;
	p->ops = ops;
	p->mm = mv_mm_new(ops, layout);
	p->files = mv_files_thaw(ops, f + 1, f->files_size);
	p->procset = mv_arena_at(run_arena(run), f->procset);
	p->filters = NULL;
	p->sigvalues = NULL;
	p->threads = 1;
	*t = f->thread;
	t->run = run;
	t->ops = ops;
	t->task = task;
	t->process = p;
	t->set = set;
	t->stream = (struct mv_stream *)(set + 1);
	t->desc = mv_lookup(&t->call);
	t->dests = NULL;
	t->ndests = t->dests_max = 0;
	t->child_set = NULL;
	t->candidate = NULL;
	if (mv_seccomp_thaw(ops, (const char *)(f + 1) + f->files_size, f->filters_size, &t->filters))
		return NULL;
	t->blob = ops->alloc(sizeof(*t->blob));
	t->scratch = ops->alloc(MV_SCRATCH);
	if (!p->mm || !p->files || !p->procset || !t->desc || !t->blob || !t->scratch)
		return NULL;	/* the caller ends the run */
	return t;
}
