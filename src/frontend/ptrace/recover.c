/*
 * Variants that have diverged, where the run may go on without them (--on-divergence): who is dropped, and when the run ends
 * after all.  A leader that is in the minority is the business of takeover.c.
 *
 * An accused follower's threads stop where they are, and the leader goes on waiting for them until it is decided.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "base/log.h"
#include "engine/table.h"
#include "carry.h"

static unsigned count(uint32_t variants)
{
	return (unsigned)__builtin_popcount(variants);
}

/* The others that have come past where these were accused, the leader among them, and those that may yet come there. */
static void poll_others(const struct pt *pt, uint32_t accused, unsigned *with_leader, unsigned *undecided)
{
	*with_leader = 1;
	*undecided = 0;
	for (unsigned v = 0; v < pt->nvariants; v++) {
		bool passed = true;

		if (v == pt->leader || pt_is_out(pt, v))
			continue;
		for (unsigned a = 0; a < pt->nvariants; a++)
			if (accused >> a & 1 && !mv_run_passed(pt->run, a, v))
				passed = false;
		*(passed ? with_leader : undecided) += 1;
	}
}

/* The leader is about to take a signal for a fault that one of the accused has not had. */
static bool leader_crashes(const struct pt *pt, uint32_t accused)
{
	for (unsigned v = 0; v < pt->nvariants; v++) {
		const struct mv_verdict *a = mv_run_accusation(pt->run, v);

		if (accused >> v & 1 && a->leader_call.nr == MV_PSEUDO_FAULT && a->variant_call.nr != MV_PSEUDO_FAULT)
			return true;
	}
	return false;
}

enum decision { WAIT, DROP, TAKE_OVER, END };

static unsigned enough(const struct pt *pt, uint32_t accused)
{
	if (pt->session->options->recovery == MV_RECOVER_VOTE)
		return (pt->nvariants - count(pt->dropped)) / 2 + 1;
	return leader_crashes(pt, accused) ? 2 : 1;
}

static enum decision decide(const struct pt *pt, uint32_t accused)
{
	bool vote = pt->session->options->recovery == MV_RECOVER_VOTE;
	unsigned with_leader, undecided;

	poll_others(pt, accused, &with_leader, &undecided);
	if (with_leader >= enough(pt, accused))
		return DROP;
	if (vote ? undecided : with_leader + undecided >= enough(pt, accused))
		return WAIT;
	return vote && count(pt_majority(pt, accused)) >= enough(pt, accused) ? TAKE_OVER : END;
}

void pt_drop_variant(struct pt *pt, unsigned variant)
{
	struct pt_variant *v = &pt->variants[variant];

	pt->accused |= 1u << variant;
	pt->dropped |= 1u << variant;
	if (v->init > 0)
		kill(v->init, SIGKILL);
	if (v->control >= 0)
		close(v->control);
	if (v->listener >= 0)
		close(v->listener);
	*v = (struct pt_variant){ .listener = -1, .control = -1 };
	pt_exports_drop(pt, variant);
	mv_run_release(pt->run, variant);
	pt->moved = true;
}

void pt_drop(struct pt *pt, unsigned variant)
{
	pt->dropped |= 1u << variant;
	pt->session->outcome->divergences++;
	pt_snapshots_dropped(pt, variant);
	pt->session->tell(pt->session);
	pt_drop_variant(pt, variant);
	mv_log(MV_LOG_NOTICE, "variant %u is dropped; %u of %u variants go on", variant, pt->nvariants - count(pt->dropped),
	       pt->nvariants);
}

/* against: what keeps a follower from the leader's place, if some agree on another call than the leader's; else NULL. */
static void end(struct pt *pt, uint32_t accused, const char *against)
{
	unsigned first = (unsigned)__builtin_ctz(accused), left = pt->nvariants - count(pt->dropped);

	pt->session->outcome->divergences++;
	if (against)
		mv_log(MV_LOG_NOTICE, "no follower can take the leader's place, the run ends: what cannot be carried over is %s", against);
	else if (leader_crashes(pt, accused))
		mv_log(MV_LOG_NOTICE, "the leader has crashed alone: the run ends, since it has no majority without it");
	else
		mv_log(MV_LOG_NOTICE, "of %u variants %u disagree with the leader: the run ends, since there is no majority", left,
		       count(accused));
	mv_run_convict(pt->run, first);
}

static void take_over(struct pt *pt, uint32_t accused)
{
	char why[PT_WHY] = "";

	if (pt_take_over(pt, pt_majority(pt, accused), why) == PT_TAKEOVER_REFUSED)
		end(pt, accused, why);
}

void pt_recover(struct pt *pt)
{
	uint32_t accused = mv_run_accused(pt->run) & ~pt->dropped;

	if (!accused || pt->failed || mv_run_verdict(pt->run)->kind != MV_VERDICT_NONE)
		return;
	pt->accused |= accused;
	switch (decide(pt, accused)) {
	case DROP:
		for (unsigned v = 0; v < pt->nvariants && v < MV_VARIANTS_MAX; v++)
			if (accused >> v & 1)
				pt_drop(pt, v);
		break;
	case TAKE_OVER:
		take_over(pt, accused);
		break;
	case END:
		end(pt, accused, NULL);
		break;
	case WAIT:
		break;		/* there is a tick at the latest */
	}
}
