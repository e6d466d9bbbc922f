/*
 * Before the leader changes all its threads and those of its successor stop, where nothing of what they do is known to some only.
 * The leader's do so anywhere between two calls, and in calls that have had no effect yet; they never go on.  Its successor's
 * have then read all, and stand at calls that are theirs to make.
 */
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "carry.h"

static void wake(uint32_t *word)
{
	if (word)
		syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static bool is_changing(const struct pt *pt, unsigned variant)
{
	return pt->changing >> variant & 1;
}

bool pt_task_is_out(const struct pt_task *t)
{
	const struct pt *pt = t->pt;

	return pt_is_out(pt, t->variant) && !(is_changing(pt, t->variant) && mv_run_reads_on(pt->run, t->variant, pt->mode->set(t)));
}

bool pt_may_go_on(struct pt_task *t)
{
	const struct pt *pt = t->pt;

	return mv_run_verdict(pt->run)->kind == MV_VERDICT_NONE && !pt->failed && !pt_task_is_out(t) &&
	       !(pt->gathering == t->variant && t->variant && pt->mode->rests(t));
}

/* Threads of accused variants have stopped, or their stops were kept: they are to read on. */
static struct pt_task *kept_one(struct pt *pt)
{
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next)
		if (t->kept && is_changing(pt, t->variant) && !pt_task_is_out(t))
			return t;
	return NULL;
}

static void begin(struct pt *pt, uint32_t with)
{
	struct pt_task *t;

	pt->changing = with;
	pt_now(&pt->change_began);
	mv_run_change(pt->run, with);
	/* Those that disagree with the leader go nowhere before the change, and others have their turns until then. */
	for (t = pt->tasks; t; t = t->hh.next)
		if (is_changing(pt, t->variant) && pt_task_is_out(t))
			wake(mv_set_yields(pt->run, pt->mode->set(t), t->variant));
	while ((t = kept_one(pt)))
		pt_take_kept(t);
	for (t = pt->tasks; t; t = t->hh.next)
		if (is_changing(pt, t->variant) && !pt_task_is_out(t) && pt->mode->engine_inside && pt->mode->stands(t) && pt_may_go_on(t))
			pt->mode->again(t);
	pt->moved = true;
}

/* It is dealt with by nobody any more, and has no turn. */
static void stay(struct pt_task *t)
{
	t->rests = true;
	wake(mv_set_yields(t->pt->run, t->pt->mode->set(t), t->variant));
	t->pt->moved = true;
}

/* The stop that the loop has yet to hear of: not one that brings a signal, which would be lost with it. */
static bool brings_nothing(const struct pt_task *t)
{
	siginfo_t info = { 0 };

	if (t->at != PT_RUNNING)
		return true;
	if (waitid(P_PID, (id_t)t->tid, &info, WSTOPPED | WNOHANG | WNOWAIT | __WALL) || !info.si_pid)
		return false;
	return info.si_status == (SIGTRAP | 0x80) || info.si_status >> 8 == PTRACE_EVENT_STOP ||
	       info.si_status >> 8 == PTRACE_EVENT_SECCOMP;
}

static bool leader_stays(struct pt *pt, struct pt_task **missing)
{
	bool all = true;

	for (struct pt_task *t = pt->tasks; t; t = t->hh.next) {
		if (!pt_leads(t) || t->rests || t->ended)
			continue;
		if (pt_halt(t) && brings_nothing(t) && pt->mode->is_quiet(t)) {
			stay(t);
			t->at = PT_AT_EVENT;
			continue;
		}
		*missing = t;
		all = false;
	}
	return all && !pt->strays;
}

static void gather(struct pt *pt, unsigned variant)
{
	if (pt->gathering)
		return;
	pt->gathering = variant;
	mv_run_gather(pt->run, variant);
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next)
		if (t->variant == variant)
			wake(mv_set_rouses(pt->run, pt->mode->set(t)));
}

static bool stays(struct pt_task *t)
{
	if (!t->rests && (t->ended || (pt_task_is_out(t) ? t->pt->mode->stands(t) : t->pt->mode->rests(t))))
		stay(t);
	return t->rests;
}

static bool successor_stays(struct pt *pt, unsigned variant, struct pt_task **missing)
{
	bool all = pt->live[variant] == pt->live[pt->leader];

	gather(pt, variant);
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next) {
		if (t->variant != variant)
			continue;
		if (!stays(t) || !pt_task_twin(pt, pt->leader, t->id)) {
			*missing = t;
			all = false;
		}
	}
	return all;
}

/* The longer it takes the longer are the pauses: on a busy machine the threads that are waited for must have run in them. */
bool pt_looked_lately(const struct pt *pt)
{
	long pause = PT_REST_PAUSE_MS;

	if (pt->changing)
		pause += pt_ms_since(&pt->change_began) / 8;
	return pt_ms_since(&pt->change_looked) < pause;
}

enum pt_rest pt_rest(struct pt *pt, unsigned variant, uint32_t with, char why[PT_WHY])
{
	struct pt_task *missing = NULL;

	if (!pt->changing)
		begin(pt, with);
	else if (pt_looked_lately(pt))
		return PT_REST_NOT_YET;		/* who is not there gets nowhere while it is stopped */
	if (leader_stays(pt, &missing) && successor_stays(pt, variant, &missing))
		return PT_REST_ALL;
	pt_now(&pt->change_looked);
	if (pt_ms_since(&pt->change_began) < PT_REST_MS)
		return PT_REST_NOT_YET;
	pt_stall_tell(pt);
	if (!missing)
		pt_cannot(why, "processes that only one of the two has");
	else if (missing->variant == variant)
		pt_cannot(why, "thread %d, which has not come to its twin's place within %d s", missing->id, PT_REST_MS / 1000);
	else
		pt_cannot(why, "what thread %d does, which is not between two calls within %d s", missing->id, PT_REST_MS / 1000);
	return PT_REST_NEVER;
}

void pt_rest_over(struct pt *pt)
{
	pt->changing = 0;
	pt->gathering = 0;
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next)
		if (t->variant == pt->leader)
			t->rests = false;
}
