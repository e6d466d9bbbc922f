/*
 * unshare, and what clone makes: each variant makes the namespaces for itself.  Mounts are made by the leader alone, so a follower's paths start in the
 * leader's mount namespace: it takes over the directories that the leader's paths start from, as they are after the call.
 */
#include "namespace.h"
#include "engine/internal.h"

#define NR_CLOSE 3
#define NR_FCHDIR 81
#define NR_CHROOT 161

static int prepare(struct mv_thread *t)
{
	return t->call.args[0] & MV_NAMESPACES_DENIED ? -EPERM : 0;
}

static void share_places(struct mv_thread *t)
{
	uint64_t root, cwd;

	if (mv_export(t, &(struct mv_share){ .fd = MV_EXPORT_ROOT }, &root) && mv_export(t, &(struct mv_share){ .fd = MV_EXPORT_CWD }, &cwd))
		t->extra = root | cwd << 32;	/* they count from 1 */
}

static void collect(struct mv_thread *t)
{
	if (t->call.args[0] & MV_CLONE_NEWNS)
		share_places(t);
}

enum { BEGINS, GOT_ROOT, IN_ROOT, HAS_ROOT, CLOSED_ROOT, GOT_CWD, IN_CWD, CLOSED_CWD };
enum { AUX_FD };

/* done: steps of taking over. */
static bool take_over(struct mv_thread *t, unsigned done, int64_t last, struct mv_step *step)
{
	if (done > BEGINS && is_error(last)) {
		mv_run_fail(t->run, MV_VERDICT_FAILURE, "a follower cannot enter the leader's mount namespace");
		return false;
	}
	switch (done) {
	case BEGINS:
		return t->extra && mv_ask_import(step, (uint32_t)t->extra, -1, true);
	case GOT_ROOT:
	case GOT_CWD:
		t->aux[AUX_FD] = (uint64_t)last;
		return mv_ask(step, NR_FCHDIR, t->aux[AUX_FD], 0, 0);
	case IN_ROOT:
		return mv_ask(step, NR_CHROOT, MV_HERE, 0, 0);
	case HAS_ROOT:
	case IN_CWD:
		return mv_ask(step, NR_CLOSE, t->aux[AUX_FD], 0, 0);
	case CLOSED_ROOT:
		return mv_ask_import(step, t->extra >> 32, -1, true);
	default:
		return false;
	}
}

static bool follow(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (!t->step)
		return mv_ask_own(t, step);
	if (t->step == 1)
		t->own = last;
	return !is_error(t->own) && take_over(t, t->step - 1, last, step);
}

const struct mv_hook mv_hook_unshare = { .prepare = prepare, .collect = collect, .follow = follow };

/* ---- a process that a clone has begun in a mount namespace of its own ---- */

static bool enter_lead(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	(void)last;
	(void)step;
	t->own = 0;
	return false;
}

static bool enter_follow(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	t->own = 0;
	return take_over(t, t->step, last, step);
}

const struct mv_hook mv_hook_enter = { .lead = enter_lead, .collect = share_places, .follow = enter_follow };
