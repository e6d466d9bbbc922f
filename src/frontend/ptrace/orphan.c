/*
 * Children of a process of the leader's that was killed while it made them, and has told nobody of them.  They have no twins and never
 * will have: they go, as if their parent had been killed a moment before.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pt.h"

#define CLONE_PARENT_ 0x8000u
#define LIMIT_MS 500	/* in which the event of a creation does not come, and there is no parent that it could come from */

static bool makes_child(const struct mv_call *c)
{
	return c->nr == SYS_clone || c->nr == SYS_clone3 || c->nr == SYS_fork || c->nr == SYS_vfork;
}

/* twin waits for the result of a clone. */
static void end_youngest(const struct pt_task *twin)
{
	struct pt_task *child = NULL;

	for (struct pt_task *t = twin->pt->tasks; t; t = t->hh.next)
		if (pt_leads(t) && t->maker == twin->id && (!child || t->birth > child->birth))
			child = t;
	if (child && !pt_task_twin(twin->pt, twin->variant, child->id))
		pt_process_kill(child->process);
}

void pt_orphans(struct pt *pt, const struct pt_process *p)
{
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next) {
		struct mv_standing s;

		if (t->process == p && pt->mode->standing(t, &s) && s.read && s.fetches && makes_child(&s.call))
			end_youngest(t);
	}
}

/* Whose parent is its maker's, and not its maker. */
static bool makes_sibling(struct pt *pt)
{
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next) {
		struct mv_standing s;

		if (pt->mode->standing(t, &s) &&
		    (s.call.nr == SYS_clone3 || (s.call.nr == SYS_clone && s.call.args[0] & CLONE_PARENT_)))
			return true;
	}
	return false;
}

/* May the event of its creation yet come?  A thread's comes from a thread of its process. */
static bool may_be_claimed(struct pt *pt, pid_t tid)
{
	struct pt_ids ids = pt_ids(tid);

	return pt_task_find(pt, ids.group) || pt_task_find(pt, ids.parent) || makes_sibling(pt);
}

/* Those that we have not been told of have not begun. */
bool pt_orphans_tick(struct pt *pt)
{
	bool any = false;

	for (struct pt_stray *s = pt->strays; s; s = s->hh.next) {
		if (may_be_claimed(pt, s->tid)) {
			s->orphan = false;
			continue;
		}
		any = true;
		if (!s->orphan)
			pt_now(&s->since);
		else if (pt_ms_since(&s->since) >= LIMIT_MS)
			kill(s->tid, SIGKILL);
		s->orphan = true;
	}
	return any;
}
