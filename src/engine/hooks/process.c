/*
 * Processes: making them, replacing their program, waiting for them.
 */
#include "engine/internal.h"
#include "engine/turns.h"
#include "namespace.h"

#define NR_CLONE 56
#define NR_FORK 57
#define NR_VFORK 58
#define NR_WAIT4 61
#define NR_WAITID 247
#define NR_EXECVEAT 322

/* ---- clone ---- */

#define SIGCHLD_ 17
#define CLONE_VFORK_ 0x4000ull
#define CLONE_VM_ 0x100ull
#define CLONE_THREAD_ 0x10000ull
#define CLONE_UNTRACED_ 0x800000ull

static int clone_prepare(struct mv_thread *t)
{
	uint64_t args[11] = { 0 };	/* struct clone_args; set_tid_size is the tenth field */
	uint64_t flags;

	switch (t->call.nr) {
	case NR_FORK:
		flags = SIGCHLD_;
		break;
	case NR_VFORK:
		flags = CLONE_VFORK_ | CLONE_VM_ | SIGCHLD_;
		break;
	case NR_CLONE:
		flags = t->call.args[0] & ~(CLONE_UNTRACED_ | 0xffffffff00000000ull);
		if (flags & MV_CLONE_NEWPID)
			return -EPERM;
		break;
	default:
		if (t->call.args[1] < 64)
			return -EINVAL;
		if (!mv_peek_all(t, t->call.args[0], args, t->call.args[1] < sizeof(args) ? t->call.args[1] : sizeof(args)))
			return -EFAULT;
		flags = args[0];
		/* Chosen pids are the engine's. */
		if (flags & MV_NAMESPACES_DENIED || args[9])
			return -EPERM;
		if (flags & CLONE_UNTRACED_)
			return -EINVAL;
	}
	if (t->ops->goes_on && !(flags & CLONE_VM_))
		flags &= ~CLONE_VFORK_;
	t->clone_flags = flags;
	/* Before there is anybody who could ask; a clone that fails has done so in all variants. */
	if (t->run->config.parallel && flags & CLONE_VM_ && !(flags & CLONE_VFORK_))
		t->process->own_memory = true;
	return 0;
}

static bool clone_ask(struct mv_thread *t, struct mv_step *step)
{
	mv_ask_own(t, step);
	if (t->call.nr == NR_CLONE)
		step->call.args[0] &= ~CLONE_UNTRACED_;
	return true;
}

/* The order that the child's is part of, or is going to be: a child of vfork has not come there itself before its exec. */
static uint64_t domain(const struct mv_thread *t)
{
	if (t->run->config.turns_all && t->set->apart & 1u << t->variant)
		return t->set->procset;
	return mv_arena_offset(run_arena(t->run), t->process->procset);
}

static bool clone_lead(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	struct mv_arena *a = run_arena(t->run);
	bool join, later;

	if (t->step) {
		t->own = last;
		if (is_error(last)) {
			mv_set_drop(t->run, t->child_set);
			t->child_set = NULL;
		}
		return false;
	}
	join = mv_turns_join(t);
	later = mv_turns_join_later(t);
	t->child_set = mv_set_new(t->run, join || later ? domain(t) : 0,
				  later || (join && (t->set->alone || !(t->clone_flags & CLONE_THREAD_))));
	if (!t->child_set) {
		t->own = ERR(ENOMEM);
		return false;
	}
	if (later)
		t->child_set->apart = ~0u;
	if (join || later)
		mv_turns_start(t);
	t->aux[0] = mv_arena_offset(a, t->child_set);	/* the child may take it before the call's end is told */
	return clone_ask(t, step);
}

static void clone_collect(struct mv_thread *t)
{
	t->extra = t->aux[0];
}

static bool clone_follow(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (t->step) {
		t->own = last == t->result ? last : ERR(ESRCH);
		return false;
	}
	t->child_set = mv_arena_at(run_arena(t->run), t->extra);
	step->child_tid = (uint32_t)t->result;
	return clone_ask(t, step);
}

const struct mv_hook mv_hook_clone = {
	.prepare = clone_prepare, .lead = clone_lead, .collect = clone_collect, .follow = clone_follow,
};

/* ---- exec ---- */

/* The program itself, or the directory its path starts from. */
static bool by_descriptor(const struct mv_thread *t)
{
	return t->call.nr == NR_EXECVEAT && (int32_t)t->call.args[0] >= 0;
}

static int exec_prepare(struct mv_thread *t)
{
	return !t->leads || !t->ops->may_exec ? 0 : t->ops->may_exec(t->task, &t->call);
}

static bool exec_lead(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	int fd = (int32_t)t->call.args[0];

	if (t->step) {
		t->own = last;
		return false;
	}
	/* The descriptor may be close-on-exec: take it while it is there. */
	if (by_descriptor(t) && !mv_fd_get(t->process->files, fd)->flags)
		mv_export(t, &(struct mv_share){ .fd = fd }, &t->aux[0]);
	return mv_ask_own(t, step);
}

static void exec_collect(struct mv_thread *t)
{
	t->extra = t->aux[0];
}

/* Take over the descriptor in the first argument if the leader has sent it, then make the call. */
static bool import_and_run(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (t->extra && !t->step) {
		return mv_ask_import(step, t->extra, (int32_t)t->call.args[0], true);
	}
	if (t->step > (t->extra ? 1u : 0u) || is_error(last)) {
		t->own = last;
		return false;
	}
	return mv_ask_own(t, step);
}

const struct mv_hook mv_hook_exec = {
	.prepare = exec_prepare, .lead = exec_lead, .collect = exec_collect, .follow = import_and_run,
};

/* ---- fchdir: every variant moves, so that it resolves paths and executes programs from the same place ---- */

static void fchdir_collect(struct mv_thread *t)
{
	int fd = (int32_t)t->call.args[0];

	if (!mv_fd_get(t->process->files, fd)->flags)
		mv_export(t, &(struct mv_share){ .fd = fd }, &t->extra);
}

const struct mv_hook mv_hook_fchdir = { .collect = fchdir_collect, .follow = import_and_run };

/* ---- wait4, waitid: the leader waits; what it reaped, the followers reap by its number ---- */

#define WNOHANG_ 1u
#define WUNTRACED_ 2u
#define WEXITED_ 4u
#define WCONTINUED_ 8u
#define WNOWAIT_ 0x01000000u
#define WALL_ 0x40000000u

enum { P_ALL_, P_PID_, P_PGID_, P_PIDFD_ };

static bool reap(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	t->own = t->result;
	if (!t->extra)
		return false;
	if (!t->step)
		return mv_ask(step, NR_WAIT4, t->extra, 0, WALL_);
	if (last != (int64_t)t->extra)
		t->own = is_error(last) ? last : ERR(ECHILD);
	return false;
}

/*
 * Whom the leader has reaped is known from what the call has written.  Without a place for that, the number is what wait4 returns, and a
 * child that is still there has only stopped or gone on: another look finds it.
 */
static bool look_again(struct mv_thread *t, struct mv_step *step)
{
	mv_ask(step, NR_WAITID, P_PID_, t->aux[0], 0);
	step->call.args[3] = WNOHANG_ | WNOWAIT_ | WEXITED_ | WUNTRACED_ | WCONTINUED_ | WALL_;
	return true;
}

/* The second step of both calls: last is the child's number. */
static bool waited_blindly(struct mv_thread *t, int64_t last, uint64_t options, struct mv_step *step)
{
	t->aux[0] = last > 0 ? (uint64_t)last : 0;
	return last > 0 && options & (WUNTRACED_ | WCONTINUED_) && look_again(t, step);
}

static void look_told(struct mv_thread *t, int64_t last)
{
	if (last != ERR(ECHILD))
		t->aux[0] = 0;
}

static bool wait_lead(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (!t->step)
		return mv_ask_own(t, step);
	if (t->step == 1) {
		t->own = last;
		return !t->call.args[1] && waited_blindly(t, last, t->call.args[2], step);
	}
	look_told(t, last);
	return false;
}

static void wait_collect(struct mv_thread *t)
{
	uint32_t status = 0;

	if (t->result <= 0)
		return;
	if (!t->call.args[1]) {
		t->extra = t->aux[0];
		return;
	}
	if (mv_peek_all(t, t->call.args[1], &status, 4) && ((status & 0xff) == 0x7f || status == 0xffff))
		return;		/* stopped or continued: still there */
	t->extra = (uint64_t)t->result;
}

const struct mv_hook mv_hook_wait = { .lead = wait_lead, .collect = wait_collect, .follow = reap };

/* Does it reap without telling whom?  Then wait4 does the same, but for a child that a pidfd means: who that is, is known before. */
static bool is_blind(const struct mv_thread *t)
{
	uint32_t which = (uint32_t)t->call.args[0], options = (uint32_t)t->call.args[3];

	return !t->call.args[2] && options & WEXITED_ && !(options & WNOWAIT_) && which <= P_PIDFD_ &&
	       (which == P_ALL_ || which == P_PIDFD_ || (int32_t)t->call.args[1] > 0);
}

static bool waitid_by_pidfd(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	switch (t->step) {
	case 0:
		t->aux[0] = t->ops->pidfd_process ? t->ops->pidfd_process(t->task, (int)t->call.args[1]) : 0;
		return mv_ask_own(t, step);
	case 1:
		t->own = last;
		return !last && t->aux[0] && look_again(t, step);
	default:
		look_told(t, last);
		return false;
	}
}

static bool waitid_lead(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	static const int sign[] = { [P_PID_] = 1, [P_PGID_] = -1 };
	uint32_t which = (uint32_t)t->call.args[0];

	if (is_blind(t) && which == P_PIDFD_)
		return waitid_by_pidfd(t, last, step);
	if (!t->step && !is_blind(t))
		return mv_ask_own(t, step);
	if (!t->step) {
		int64_t whom = which == P_ALL_ ? -1 : sign[which] * (int64_t)(int32_t)t->call.args[1];

		mv_ask(step, NR_WAIT4, (uint64_t)whom, 0, t->call.args[3] & ~(uint64_t)WEXITED_);
		step->call.args[3] = t->call.args[4];
		return true;
	}
	if (t->step == 1) {
		t->own = is_blind(t) && last > 0 ? 0 : last;
		return is_blind(t) && waited_blindly(t, last, t->call.args[3], step);
	}
	look_told(t, last);
	return false;
}

static void waitid_collect(struct mv_thread *t)
{
	struct { int32_t signo, err, code, pad, pid; } info;

	if (is_blind(t))
		t->extra = t->aux[0];
	if (t->call.args[3] & WNOWAIT_ || !t->call.args[2] || !mv_peek_all(t, t->call.args[2], &info, sizeof(info)))
		return;
	if (info.signo == SIGCHLD_ && info.code >= 1 && info.code <= 3)	/* exited, killed, dumped */
		t->extra = (uint32_t)info.pid;
}

const struct mv_hook mv_hook_waitid = { .lead = waitid_lead, .collect = waitid_collect, .follow = reap };
