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

	if (t->at != PT_RUNNING)
		return true;
	if (ptrace(PTRACE_INTERRUPT, t->tid, 0, 0))
		return false;
	for (int i = 0; i < 500; i++) {
		siginfo_t info = { 0 };

		/* The loop is to hear of it if the run goes on. */
		if (waitid(P_PID, (id_t)t->tid, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL))
			return false;
		if (info.si_pid)
			return info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED;
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
	s->nhistory = pt_history(t, s->history, MV_HISTORY_MAX);
}

unsigned pt_history(struct pt_task *t, struct mv_history *out, unsigned max)
{
	return t->thread ? mv_thread_history(t->thread, out, max) : 0;
}

/* A running thread has to be stopped first; only its calls are known without. */
static void look(struct pt *pt, const struct mv_verdict *verdict, uint32_t stop)
{
	struct mv_report *r = &pt->session->report;

	r->verdict = *verdict;
	r->leader = pt->leader;
	r->leader_call_gone = r->verdict.kind == MV_VERDICT_DIVERGENCE;
	r->snapshots = calloc(pt->nvariants, sizeof(*r->snapshots));
	for (unsigned i = 0; r->snapshots && i < pt->nvariants; i++) {
		unsigned v = (pt->leader + i) % pt->nvariants;
		struct pt_task *t = pt_task_twin(pt, v, r->verdict.set);
		struct mv_snapshot *s = &r->snapshots[r->nsnapshots];

		if (!t || (pt->dropped & ~stop) >> v & 1)
			continue;
		if (!(stop >> v & 1))
			s->nhistory = pt->mode->history(t, s->history, MV_HISTORY_MAX);
		else if (pt_halt(t))
			pt->mode->look(t, s);
		else
			continue;
		s->variant = v;
		s->tid = t->id;
		for (unsigned c = 0; c < s->nhistory; c++)
			strncpy(s->history_name[c], mv_call_name(&s->history[c].call), sizeof(s->history_name[c]) - 1);
		if (v == pt->leader && complete_verdict(&r->verdict, s))
			r->leader_call_gone = false;
		r->nsnapshots++;
	}
}

void pt_snapshots(struct pt *pt)
{
	look(pt, mv_run_verdict(pt->run), ~pt->dropped);
}

/* To stop a thread that goes on might end a call of it. */
void pt_snapshots_dropped(struct pt *pt, unsigned variant)
{
	look(pt, mv_run_accusation(pt->run, variant), 1u << variant);
}

void pt_snapshots_succeeded(struct pt *pt, unsigned variant)
{
	pt->session->report.succeeded = true;
	look(pt, mv_run_accusation(pt->run, variant), 1u << pt->leader);
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
