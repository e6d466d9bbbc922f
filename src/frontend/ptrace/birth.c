/*
 * Threads and processes that begin, execute a program, end: what the engine is told of it.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include "launch.h"
#include "pt.h"

void pt_begin(struct pt_task *t)
{
	struct mv_step step = { 0 };

	t->at = PT_AT_EVENT;
	mv_thread_begin(t->thread, &step);
	pt_apply(t, &step);
}

uint32_t pt_child_id(const struct pt_task *t, pid_t child, const struct pt_ids *ids)
{
	if (!pt_leads(t))
		return t->child_tid;
	return (uint32_t)(t->variant ? ids->own : child);
}

/* A new thread that was killed before the event of its creation has been reaped already. */
static bool reaped(pid_t child)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)child, &info, WEXITED | WSTOPPED | WNOWAIT | WNOHANG | __WALL) && errno == ECHILD;
}

void pt_on_clone(struct pt_task *t, pid_t child)
{
	struct pt *pt = t->pt;
	struct mv_step step = { 0 };
	struct pt_ids ids = pt_ids(child);
	uint32_t tid = pt_child_id(t, child, &ids);
	bool gone = reaped(child);
	struct pt_task *c;

	if (pt->variants[t->variant].cloning == t)
		pt->variants[t->variant].cloning = NULL;
	t->child_tid = 0;
	if (!pt_leads(t) && !gone && (uint32_t)ids.own != tid) {
		pt_fail(pt, 0, "variant %u: a new process did not get the leader's number %u", t->variant, tid);
		return;
	}
	t->at = PT_AT_EVENT;
	mv_exit(t->thread, tid, &step);
	c = pt_task_new(pt, child, mv_clone_is_thread(t->thread) ? t->process->tgid : child, t->variant);
	if (!c) {
		pt_fail(pt, ENOMEM, "cannot follow a new process");
		return;
	}
	c->thread = mv_thread_child(t->thread, tid, c);
	if (!c->thread)
		return;
	c->id = tid;
	c->maker = t->id;
	c->birth = ++pt->births;
	c->started = pt_stray_take(pt, child);
	if (pt_doomed(pt, t->variant, tid))
		pt_outlive(c);
	if (gone)
		pt_on_end(c, SIGKILL);
	else if (c->started)
		pt_begin(c);
	pt_apply(t, &step);
}

void pt_on_exec(struct pt_task *t)
{
	struct mv_step step = { 0 };

	t->at = PT_AT_EXEC;
	t->interrupted = 0;
	t->interrupting = false;	/* the boot takes the stop for one of its own */
	t->return_ip = 0;
	mv_thread_exec(t->thread, &step);
	if (step.action == MV_STOP)
		return;
	if (pt_boot(t))
		pt_apply(t, &step);
}

void pt_on_gone(struct pt_task *t, int sig)
{
	if (t->thread)
		mv_thread_gone(t->thread, sig);
}

void pt_on_ended(struct pt_task *t)
{
	if (t->thread)
		mv_set_ended(t->pt->run, mv_thread_set(t->thread), t->variant);
	t->pt->moved = true;
}
