/*
 * Processes of followers whose leader's was killed.  What that one has done until then others may have seen, in memory that they share: a
 * lock that it has taken or given back, a word that it has woken somebody for.  So its twins first do what it has told of, to where
 * they wait for a record that never comes; or, in a computation, for as long as a signal would wait for its end.
 */
#include "pt.h"

#define ASLEEP_MS 100	/* in a call of its own, which nothing may end any more */
#define LIMIT_MS 5000

/* Twice at the same place: a record that it has just read may be one that it has not acted on. */
static bool is_there(struct pt_task *t)
{
	struct mv_standing s;

	if (t->ended)
		return true;
	if (!t->pt->mode->standing(t, &s))
		return false;
	if (s.state != t->last.state || s.moves != t->last.moves || s.consumed != t->last.consumed) {
		t->last.state = s.state;
		t->last.moves = s.moves;
		t->last.consumed = s.consumed;
		t->last.cpu = pt_cpu_time(t->tid);
		pt_now(&t->last.since);
		return false;
	}
	if (!s.read || s.fetches)
		return s.read;
	return pt_cpu_time(t->tid) - t->last.cpu >= PT_HOLD_MS || (pt_ms_since(&t->last.since) >= ASLEEP_MS && pt_state(t->tid) != 'R');
}

static bool all_are_there(const struct pt_process *p, struct pt_task *tasks)
{
	bool all = true;

	for (struct pt_task *t = tasks; t; t = t->hh.next)
		if (t->process == p)
			all &= is_there(t);
	return all;
}

static void end(struct pt *pt, struct pt_process *p)
{
	p->outlives = false;
	pt->outliving--;
	pt_orphans(pt, p);
	pt_process_kill(p);
}

void pt_outlive(struct pt_task *t)
{
	struct pt_process *p = t->process;

	p->expected_death = true;
	if (p->outlives)
		return;
	p->outlives = true;
	pt_now(&p->bereft);
	t->pt->outliving++;
	pt_tick_fast(t->pt);
}

void pt_outlive_tick(struct pt *pt)
{
	for (struct pt_task *t = pt->tasks; pt->outliving && t; t = t->hh.next)
		if (t->process->outlives && (pt_is_out(pt, t->variant) || all_are_there(t->process, pt->tasks) ||
					     pt_ms_since(&t->process->bereft) >= LIMIT_MS))
			end(pt, t->process);
}
