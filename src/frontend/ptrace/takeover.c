/*
 * A leader that the majority disagrees with, and who takes its place: a follower that gets all that only the leader has.  What
 * cannot be carried over ends the run.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "carry.h"

uint32_t pt_majority(const struct pt *pt, uint32_t accused)
{
	uint32_t best = 0;

	for (unsigned a = 0; a < pt->nvariants; a++) {
		uint32_t with = 0;

		if (!(accused >> a & 1))
			continue;
		for (unsigned b = 0; b < pt->nvariants; b++)
			if (accused >> b & 1 && mv_run_agree(pt->run, a, b))
				with |= 1u << b;
		if (__builtin_popcount(with) > __builtin_popcount(best))
			best = with;
	}
	return best;
}

/* Those who have said what they call are stopped, or soon will be. */
static bool all_stand(struct pt *pt, uint32_t with, uint32_t id)
{
	bool stand = true;

	for (unsigned v = 0; v < pt->nvariants; v++) {
		struct pt_task *t = with >> v & 1 ? pt_task_twin(pt, v, id) : NULL;

		if (!(with >> v & 1))
			continue;
		if (t && t->kept)
			pt_take_kept(t);
		stand = stand && t && pt->mode->stands(t);
	}
	return stand;
}

/* What such threads have found in memory is in no order that a new leader could go on from. */
static bool has_free_threads(const struct pt *pt)
{
	for (struct pt_task *t = pt->tasks; t && !pt->session->options->turns; t = t->hh.next)
		if (pt_leads(t) && t->process->threads > 1)
			return true;
	return false;
}

static bool other_builds(const struct pt *pt)
{
	for (unsigned v = 0; v < pt->nvariants; v++)
		if (pt->session->options->builds[v].path)
			return true;
	return false;
}

/* What is against it that is no matter of one process. */
static bool refuses(const struct pt *pt, uint32_t with, const struct pt_task *leader, char why[PT_WHY])
{
	const char *against = NULL;

	if (other_builds(pt))
		against = "variants that are other builds";
	else if (!leader)
		against = "its thread, which has ended";
	else if (!mv_run_at_end(pt->run, (unsigned)__builtin_ctz(with)))
		against = "calls that it has made already, where the policy makes nobody wait";
	else if (has_free_threads(pt))
		against = "threads that run at once (--threads)";
	else if (mv_run_uses_ipc(pt->run))
		against = "System V IPC or message queues";
	if (against)
		snprintf(why, PT_WHY, "%s", against);
	return against;
}

static void kill_variant(struct pt *pt, unsigned variant)
{
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next)
		if (t->variant == variant)
			pt_process_kill(t->process);
	pt_drop_variant(pt, variant);
}

/* Who has agreed with the former leader, or with nobody. */
static void drop_others(struct pt *pt, uint32_t with, uint32_t id)
{
	for (unsigned v = 0; v < pt->nvariants; v++) {
		struct pt_task *t = pt_task_twin(pt, v, id);

		if (with >> v & 1 || v == pt->leader || pt->dropped >> v & 1)
			continue;
		if (!(mv_run_accused(pt->run) >> v & 1) && t)
			pt->mode->absent(t, "it agreed with the leader");
		pt_drop(pt, v);
	}
}

/* Has the leader's thread come to where they disagree?  It gets nowhere while it is stopped to see that. */
static bool comes_to(struct pt_task *leader, uint64_t seq)
{
	struct pt *pt = leader->pt;

	if (pt_looked_lately(pt))
		return false;
	if (pt_halt(leader) && pt->mode->meets(leader, seq))
		return true;
	pt_now(&pt->change_looked);
	return false;
}

enum pt_takeover pt_take_over(struct pt *pt, uint32_t with, char why[PT_WHY])
{
	unsigned variant = (unsigned)__builtin_ctz(with), former = pt->leader;
	const struct mv_verdict v = *mv_run_accusation(pt->run, variant);
	struct pt_task *leader = pt_task_twin(pt, former, v.set);

	if (!all_stand(pt, with, v.set))
		return PT_TAKEOVER_WAIT;
	if (refuses(pt, with, leader, why))
		return PT_TAKEOVER_REFUSED;
	if (!leader->rests && !comes_to(leader, v.seq))
		return PT_TAKEOVER_WAIT;
	switch (pt_rest(pt, variant, with, why)) {
	case PT_REST_NOT_YET:
		return PT_TAKEOVER_WAIT;
	case PT_REST_NEVER:
		return PT_TAKEOVER_REFUSED;
	case PT_REST_ALL:
		break;
	}
	if (!pt_carryable(pt, variant, why) || !pt_carry(pt, variant, why))
		return PT_TAKEOVER_REFUSED;
	pt->dropped |= 1u << former;
	pt->accused = (pt->accused | 1u << former) & ~with;
	pt->session->outcome->divergences++;
	pt_snapshots_succeeded(pt, variant);
	pt->session->tell(pt->session);
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next)
		if (pt_leads(t))
			mv_set_changes(pt->run, pt->mode->set(t));
	mv_run_take_over(pt->run, variant, with);
	pt->leader = variant;
	pt_exports_drop(pt, variant);
	kill_variant(pt, former);
	drop_others(pt, with, v.set);
	pt_rest_over(pt);
	mv_log(MV_LOG_NOTICE, "variant %u, the leader, is dropped; variant %u leads now, %d of %u variants go on", former, variant,
	       (int)pt->nvariants - __builtin_popcount(pt->dropped), pt->nvariants);
	for (struct pt_task *o = pt->tasks; o; o = o->hh.next)
		if (!o->ended && (o->variant == variant || (with >> o->variant & 1 && o->id == v.set)))
			pt->mode->again(o);
	pt->moved = true;
	return PT_TAKEOVER_DONE;
}
