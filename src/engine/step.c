/*
 * The entry points of the step machine: what a front-end calls when a program's thread does something.  leader.c and
 * follower.c hold the two halves.
 */
#include "internal.h"
#include "turns.h"

static void stop(struct mv_step *step)
{
	step->action = MV_STOP;
}

static void unsupported(struct mv_thread *t, const char *why)
{
	char nr[12], *p = nr + sizeof(nr) - 1;
	unsigned n = t->call.nr;

	*p = 0;
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	if (!mv_over(t->run)) {
		struct mv_verdict *v = mv_verdict_begin(t->run);

		if (!v)
			return;
		v->kind = MV_VERDICT_UNSUPPORTED;
		v->variant = t->variant;
		v->set = t->set->tid;
		v->leader_call = v->variant_call = t->call;
		mv_text(v->text, sizeof(v->text), (const char *const[]){
			mv_call_name(&t->call), " (system call ", p, "): ", why, NULL });
		mv_verdict_end(t->run);
	}
}

static void remember(struct mv_thread *t)
{
	struct mv_history *h = &t->history[t->ncalls++ % MV_HISTORY_SLOTS];

	h->call = t->call;
	h->result = 0;
	h->done = false;
	h->seq = 0;
}

static void remember_result(struct mv_thread *t, int64_t result)
{
	struct mv_history *h = mv_latest(t);

	h->result = result;
	h->done = true;
}

/* What the policy says about this call. */
static uint8_t level(const struct mv_thread *t)
{
	const struct mv_policy *p = &t->run->policy;
	const struct mv_desc *d = t->desc;
	uint8_t kind = 0;

	if (d->flags & MV_DESC_PSEUDO)
		return t->call.nr == MV_PSEUDO_FAULT ? MV_LEVEL_LOCKSTEP : MV_LEVEL_RELAXED;
	/* Who has ended cannot be replaced. */
	if (t->run->config.spare && d->flags & MV_DESC_NORETURN)
		return MV_LEVEL_LOCKSTEP;
	if (d->fd_arg < MV_NARGS)
		kind = mv_fd_get(t->process->files, (int32_t)t->call.args[d->fd_arg])->kind;
	return (uint8_t)mv_call_level(p, d, &t->call, kind);
}

static void deny(struct mv_thread *t, unsigned err)
{
	t->cls = MV_CLASS_DENY;
	t->own = ERR(err ? err : EPERM);
}

/* A call that is refused before anybody asks what it is. */
static const struct mv_desc no_row = { .cls = MV_CLASS_DENY };

/* Does every variant have the file that the call is for, with what the call changes of it? */
static bool by_all(const struct mv_thread *t, const struct mv_fd *fd)
{
	return fd->flags & MV_FD_TWIN || (fd->flags & MV_FD_SHADOW && t->desc->flags & MV_DESC_SHADOWED);
}

/* Decide class and level of a fresh call.  False when the run is over. */
static bool classify(struct mv_thread *t)
{
	/* What libraries of ours ask never enters the kernel, nor do filters for the kernel know of it. */
	bool refused = !mv_is_library_call(&t->call) && mv_refuses(t);
	const struct mv_fd *fd;

	t->desc = mv_lookup(&t->call);
	if (refused) {
		t->level = t->desc ? level(t) : MV_LEVEL_RELAXED;
		if (!t->desc)
			t->desc = &no_row;
		return true;
	}
	if (!t->desc) {
		unsupported(t, "no such call in the table");
		return false;
	}
	t->cls = t->desc->cls;
	t->level = level(t);
	if (t->cls == MV_CLASS_DENY)
		deny(t, t->desc->err);
	else if (t->level == MV_LEVEL_DENY)
		deny(t, t->run->policy.deny_errno[t->call.nr]);
	if (t->cls == MV_CLASS_DENY)
		return true;
	if (t->cls == MV_CLASS_LEADER_LOCAL) {
		fd = mv_fd_get(t->process->files, (int32_t)t->call.args[t->desc->fd_arg]);
		t->cls = fd->flags & MV_FD_OWN ? MV_CLASS_LOCAL : by_all(t, fd) ? MV_CLASS_ALLOVW : MV_CLASS_LEADER;
	}
	if (t->desc->hook && t->desc->hook->prepare) {
		int err = t->desc->hook->prepare(t);

		if (err == MV_UNSUPPORTED) {
			unsupported(t, "not implemented for these operands");
			return false;
		}
		if (err < 0)
			deny(t, (unsigned)-err);
	}
	return true;
}

bool mv_operands(struct mv_thread *t)
{
	t->ndests = t->dest_at = 0;
	t->dest_off = 0;
	if (t->cls != MV_CLASS_ALL && mv_dests_build(t)) {
		mv_run_fail(t->run, MV_VERDICT_FAILURE, "out of memory for the engine");
		return false;
	}
	mv_gather(t);
	return true;
}

#define NR_EXIT_GROUP 231

void mv_ends(struct mv_thread *t)
{
	if (t->call.nr == NR_EXIT_GROUP && t->cls != MV_CLASS_DENY)
		t->process->ending = true;
}

void mv_enter(struct mv_thread *t, const struct mv_call *call, struct mv_step *step)
{
	step->sig = 0;
	step->child_tid = 0;
	t->call = *call;
	if (mv_stopped(t)) {
		t->state = MV_ST_BEGIN;
		stop(step);
		return;
	}
	mv_thread_leads(t);
	t->step = 0;
	t->flags = 0;
	t->extra = 0;
	t->ticket = 0;
	t->follows = t->keeps = t->yields = t->gives = t->again = false;
	t->own = 0;
	t->result = 0;
	t->refusal = MV_REFUSE_NOT;
	__builtin_memset(t->aux, 0, sizeof(t->aux));
	remember(t);
	if (!classify(t)) {
		stop(step);
		return;
	}
	if (mv_goes_alone(t, step)) {
		if (step->action == MV_DONE)
			remember_result(t, step->result);
		return;
	}
	if (t->cls == MV_CLASS_LOCAL) {
		t->state = MV_ST_LOCAL;
		if (!t->desc->hook || !t->desc->hook->lead || !t->desc->hook->lead(t, 0, step))
			mv_ask_own(t, step);
		return;
	}
	if (t->wary)
		t->level = MV_LEVEL_LOCKSTEP;
	t->wary = false;
	if (!mv_operands(t)) {
		stop(step);
		return;
	}
	t->state = t->leads ? mv_turn_enter(t) : MV_ST_FETCH;
	mv_retry(t, step);
}

void mv_thread_begin(struct mv_thread *t, struct mv_step *step)
{
	step->sig = 0;
	step->action = MV_DONE;
	if (t->enters || t->process->turns)
		mv_enter(t, &(struct mv_call){ .nr = t->enters ? MV_PSEUDO_ENTER : MV_PSEUDO_BEGIN }, step);
}

void mv_retry(struct mv_thread *t, struct mv_step *step)
{
	bool outside = t->state == MV_ST_SIGNAL && t->sig_when != MV_SIGNAL_IN_CALL && t->sig != MV_TURN_SIGNAL;

	step->sig = 0;
	step->child_tid = 0;
	if (mv_stopped(t)) {
		stop(step);
	} else if (t->state == MV_ST_BEGIN) {
		mv_enter(t, &t->call, step);
		return;
	} else if (mv_thread_leads(t)) {
		mv_lead(t, step);
	} else {
		mv_follow(t, step);
	}
	if (step->action == MV_PARK && mv_gathers(t))
		stop(step);
	else if (step->action == MV_PARK && !t->leads)
		mv_turn_expire(t);
	if ((step->action == MV_DONE || step->action == MV_INTERRUPT) && !outside)
		remember_result(t, step->result);
}

void mv_exit(struct mv_thread *t, int64_t result, struct mv_step *step)
{
	step->sig = 0;
	step->child_tid = 0;
	if (mv_over(t->run)) {
		stop(step);
		return;
	}
	if (t->state == MV_ST_LOCAL) {
		t->state = MV_ST_IDLE;
		step->action = MV_DONE;
		step->result = result;
		remember_result(t, result);
		return;
	}
	t->step++;
	if (t->state == MV_ST_ALONE) {
		mv_alone_ran(t, result, step);
		if (step->action == MV_DONE)
			remember_result(t, step->result);
		return;
	}
	if (t->leads)
		mv_lead_ran(t, result, step);
	else
		mv_follow_ran(t, result, step);
	if (step->action == MV_PARK)
		mv_retry(t, step);
}

void mv_thread_wait(const struct mv_thread *t, struct mv_wait *w)
{
	struct mv_word *word = t->leads ? mv_lead_waits(t) : mv_follow_waits(t);

	*w = (struct mv_wait){ 0 };
	if (!word)
		return;
	w->word = &word->value;
	w->sleepers = &word->sleepers;
	/* Nobody knows when siblings will wait for this thread; the leader says so. */
	w->naps = !t->leads && !t->awaits ? &word->naps : NULL;
	w->soon = !w->naps || t->level == MV_LEVEL_LOCKSTEP;
	w->value = __atomic_load_n(&word->value, __ATOMIC_SEQ_CST);
}

bool mv_thread_crowded(const struct mv_thread *t)
{
	return !t->leads && mv_stream_behind(t->stream, mv_consumer(t->variant));
}

/* Its leader waits for more than this follower has done. */
static bool too_early(const struct mv_thread *t)
{
	return !t->leads && !mv_stream_arrived(t->stream, mv_consumer(t->variant));
}

unsigned mv_thread_wakes(struct mv_thread *t, uint32_t *words[MV_WAKES_MAX])
{
	struct mv_procset *ps = t->former ? t->former : t->process->procset;
	struct mv_word *word;
	unsigned n = 0;

	if (t->changed & MV_CHANGED_STREAM && !too_early(t)) {
		word = t->leads ? mv_stream_commit_word(t->stream) : mv_stream_consume_word(t->stream, mv_consumer(t->variant));
		if (mv_word_wanted(&word->sleepers, &t->commits) || (t->hasty && mv_word_wanted(&word->naps, &t->naps)))
			words[n++] = &word->value;
	}
	if (t->changed & MV_CHANGED_LOCK && mv_word_wanted(&ps->unlocks.sleepers, &t->unlocks))
		words[n++] = &ps->unlocks.value;
	if (t->changed & MV_CHANGED_TURN) {
		word = mv_turn_told(t);
		if (mv_word_wanted(&word->sleepers, &t->next_turns[t->next_turn]))
			words[n++] = &word->value;
	}
	if (t->former) {
		t->unlocks = (struct mv_waker){ 0 };
		__builtin_memset(t->next_turns, 0, sizeof(t->next_turns));
	}
	t->former = NULL;
	t->changed = 0;
	t->hasty = false;
	return n;
}

void mv_thread_exec(struct mv_thread *t, struct mv_step *step)
{
	struct mv_process *p = t->process;
	struct mv_mm *mm = mv_mm_new(p->ops, mv_mm_layout(p->mm));
	struct mv_files *files = mv_files_copy(p->files);

	if (!mm || !files) {
		mv_mm_unref(mm);
		mv_files_unref(files);
		mv_run_fail(t->run, MV_VERDICT_FAILURE, "out of memory for the engine");
		stop(step);
		return;
	}
	mv_mm_unref(p->mm);
	mv_files_unref(p->files);
	mv_files_unpair(files);
	p->mm = mm;
	p->files = files;
	p->execs++;
	mv_sigvalues_free(p);
	__builtin_memset(p->local_fds, 0, sizeof(p->local_fds));	/* they were close-on-exec */
	p->nlocal = 0;
	p->heap_told = p->sync_told = p->own_memory = false;
	mv_turns_end(t, p->pid);
	t->tid = p->pid;
	t->set->tid = p->pid;
	mv_exit(t, 0, step);
}
