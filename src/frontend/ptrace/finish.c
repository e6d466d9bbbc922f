/*
 * The end of a run: look at who took part in a divergence while they are still there, then kill everything.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "pt.h"

bool pt_halt(struct pt_task *t)
{
	struct timespec nap = { 0, 1000000 };
	int status;

	if (t->at != PT_RUNNING)
		return true;
	if (ptrace(PTRACE_INTERRUPT, t->tid, 0, 0))
		return false;
	for (int i = 0; i < 500; i++) {
		pid_t got = waitpid(t->tid, &status, __WALL | WNOHANG);

		if (got == t->tid)
			return WIFSTOPPED(status);
		if (got < 0)
			return false;
		nanosleep(&nap, NULL);
	}
	return false;
}

/* The leader may have run ahead: find the call that the follower disagreed with among its last ones. */
static bool complete_verdict(struct mv_verdict *v, const struct mv_snapshot *leader)
{
	for (unsigned i = 0; v->seq && i < leader->nhistory; i++)
		if (leader->history[i].seq == v->seq) {
			v->leader_call = leader->history[i].call;
			return true;
		}
	return false;
}

void pt_look(struct pt_task *t, struct mv_snapshot *s)
{
	mv_snapshot_take(t->tid, NULL, NULL, s);
	s->nhistory = mv_thread_history(t->thread, s->history, MV_HISTORY_MAX);
}

/* A running thread has to be stopped first. */
void pt_snapshots(struct pt *pt)
{
	struct mv_report *r = &pt->session->report;

	r->verdict = *mv_run_verdict(pt->run);
	r->leader_call_gone = r->verdict.kind == MV_VERDICT_DIVERGENCE;
	r->snapshots = calloc(pt->nvariants, sizeof(*r->snapshots));
	for (unsigned v = 0; r->snapshots && v < pt->nvariants; v++) {
		struct pt_task *t = pt_task_twin(pt, v, r->verdict.set);
		struct mv_snapshot *s = &r->snapshots[r->nsnapshots];

		if (!t || !pt_halt(t))
			continue;
		pt->mode->look(t, s);
		s->variant = v;
		s->tid = t->id;
		for (unsigned i = 0; i < s->nhistory; i++)
			strncpy(s->history_name[i], mv_call_name(&s->history[i].call), sizeof(s->history_name[i]) - 1);
		if (!v && complete_verdict(&r->verdict, s))
			r->leader_call_gone = false;
		r->nsnapshots++;
	}
}

static void kill_tasks(struct pt *pt)
{
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next)
		kill(t->process->tgid, SIGKILL);
	for (struct pt_stray *s = pt->strays; s; s = s->hh.next)
		kill(s->tid, SIGKILL);
}

void pt_kill_all(struct pt *pt)
{
	struct pt_stray *stray, *next_stray;
	struct pt_task *t, *next;

	kill_tasks(pt);
	/* A namespace's first process takes everything in it along. */
	for (unsigned v = 0; v < pt->nvariants; v++) {
		struct pt_variant *variant = &pt->variants[v];

		if (variant->init > 0)
			kill(variant->init, SIGKILL);
		if (!v && variant->root > 0 && !pt->root_gone)
			kill(variant->root, SIGKILL);
		if (variant->control >= 0)
			close(variant->control);
		if (variant->listener >= 0)
			close(variant->listener);
	}
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0 && errno != EINTR)
			break;
		/* A child of a dying process that nobody has heard of. */
		if (tid > 0 && WIFSTOPPED(status))
			kill(tid, SIGKILL);
	}
	HASH_ITER(hh, pt->tasks, t, next) {
		if (t->thread)
			mv_thread_gone(t->thread, SIGKILL);
		pt_task_free(t);
	}
	HASH_ITER(hh, pt->strays, stray, next_stray) {
		HASH_DEL(pt->strays, stray);
		free(stray);
	}
	while (pt->doomed) {
		struct pt_doomed *d = pt->doomed;

		pt->doomed = d->next;
		free(d);
	}
	pt_libraries_free(pt);
	pt_exports_free(pt);
}
