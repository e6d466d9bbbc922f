/*
 * Followers that have diverged, where the run may go on without them (--on-divergence): who is dropped, and when the run ends
 * after all.
 *
 * An accused follower's threads stop where they are, and the leader goes on waiting for them until it is decided.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "base/log.h"
#include "engine/table.h"
#include "pt.h"

static unsigned count(uint32_t variants)
{
	return (unsigned)__builtin_popcount(variants);
}

/* The others that have come past where these were accused, the leader among them, and those that may yet come there. */
static void poll_others(const struct pt *pt, uint32_t accused, unsigned *with_leader, unsigned *undecided)
{
	*with_leader = 1;
	*undecided = 0;
	for (unsigned v = 1; v < pt->nvariants; v++) {
		bool passed = true;

		if (pt_is_out(pt, v))
			continue;
		for (unsigned a = 1; a < pt->nvariants; a++)
			if (accused >> a & 1 && !mv_run_passed(pt->run, a, v))
				passed = false;
		*(passed ? with_leader : undecided) += 1;
	}
}

/* The leader is about to take a signal for a fault that one of the accused has not had. */
static bool leader_crashes(const struct pt *pt, uint32_t accused)
{
	for (unsigned v = 1; v < pt->nvariants; v++) {
		const struct mv_verdict *a = mv_run_accusation(pt->run, v);

		if (accused >> v & 1 && a->leader_call.nr == MV_PSEUDO_FAULT && a->variant_call.nr != MV_PSEUDO_FAULT)
			return true;
	}
	return false;
}

enum decision { WAIT, DROP, END };

static enum decision decide(const struct pt *pt, uint32_t accused)
{
	unsigned left = pt->nvariants - count(pt->dropped), with_leader, undecided;
	bool vote = pt->session->options->recovery == MV_RECOVER_VOTE;
	unsigned enough = vote ? left / 2 + 1 : leader_crashes(pt, accused) ? 2 : 1;

	poll_others(pt, accused, &with_leader, &undecided);
	if (with_leader >= enough)
		return DROP;
	return with_leader + undecided >= enough ? WAIT : END;
}

/* All that is the variant's goes with its namespace's first process; the loop hears of the ends. */
static void drop(struct pt *pt, unsigned variant)
{
	struct pt_variant *v = &pt->variants[variant];

	pt->dropped |= 1u << variant;
	pt->session->outcome->divergences++;
	pt_snapshots_dropped(pt, variant);
	pt->session->tell(pt->session);
	kill(v->init, SIGKILL);
	close(v->control);
	close(v->listener);
	*v = (struct pt_variant){ .listener = -1, .control = -1 };
	pt_exports_drop(pt, variant);
	mv_run_release(pt->run, variant);
	pt->moved = true;
	mv_log(MV_LOG_NOTICE, "variant %u is dropped; %u of %u variants go on", variant, pt->nvariants - count(pt->dropped),
	       pt->nvariants);
}

static void end(struct pt *pt, uint32_t accused)
{
	unsigned first = (unsigned)__builtin_ctz(accused), left = pt->nvariants - count(pt->dropped);

	pt->session->outcome->divergences++;
	if (leader_crashes(pt, accused))
		mv_log(MV_LOG_NOTICE, "the leader has crashed alone: the run ends, since no follower can take its place");
	else if (count(accused) + 1 == left && left > 2)
		mv_log(MV_LOG_NOTICE, "no follower agrees with the leader: the run ends, since none can take its place");
	else
		mv_log(MV_LOG_NOTICE, "of %u variants %u disagree with the leader: the run ends, since it has no majority", left,
		       count(accused));
	mv_run_convict(pt->run, first);
}

void pt_recover(struct pt *pt)
{
	uint32_t accused = mv_run_accused(pt->run) & ~pt->dropped;

	if (!accused || pt->failed || mv_run_verdict(pt->run)->kind != MV_VERDICT_NONE)
		return;
	pt->accused |= accused;
	switch (decide(pt, accused)) {
	case DROP:
		for (unsigned v = 1; v < pt->nvariants && v < MV_VARIANTS_MAX; v++)
			if (accused >> v & 1)
				drop(pt, v);
		break;
	case END:
		end(pt, accused);
		break;
	case WAIT:
		break;		/* there is a tick at the latest */
	}
}
