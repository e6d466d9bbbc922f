/*
 * seccomp and its older prctl: the program's filters are the engine's business (engine/seccomp.h), and judge its later calls.
 */
#include <linux/seccomp.h>
#include "engine/internal.h"

#define NR_EXIT 60
#define NR_GETTIMEOFDAY 96
#define NR_PRCTL 157
#define NR_SETDOMAINNAME 171
#define NR_TIME 201
#define NR_CLOCK_GETTIME 228
#define NR_CLOCK_GETRES 229
#define NR_GETCPU 309
#define VDSO_CLOCKS 0x8f3u	/* real, monotonic, raw, both coarse, boot, TAI; not those of CPU time, nor alarms */
#define PR_GET_NO_NEW_PRIVS_ 39
#define FLAGS_KNOWN (SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | \
		     SECCOMP_FILTER_FLAG_TSYNC_ESRCH)

struct fprog { uint16_t len; uint16_t pad[3]; uint64_t insns; };

static uint64_t flags_of(const struct mv_thread *t)
{
	return t->call.nr == NR_PRCTL ? 0 : (uint32_t)t->call.args[1];
}

static void forget_candidate(struct mv_thread *t)
{
	mv_seccomp_unref(t->ops, t->candidate);
	t->candidate = NULL;
}

/* A filter that another thread has put on all of them counts as soon as this one makes a call. */
static void synchronise(struct mv_thread *t)
{
	struct mv_seccomp *all = t->process->filters;

	if (!all || all == t->filters || !mv_seccomp_descends(all, t->filters))
		return;
	mv_seccomp_ref(all);
	mv_seccomp_unref(t->ops, t->filters);
	t->filters = all;
}

/* The filter is read once; what is compared, checked and kept is that copy. */
static int read_filter(struct mv_thread *t)
{
	struct mv_insn *insns;
	struct fprog prog;
	size_t size;
	int r;

	if (!mv_peek_all(t, t->call.args[2], &prog, sizeof(prog)))
		return -EFAULT;
	if (!prog.insns || !prog.len || prog.len > MV_SECCOMP_INSNS_MAX)
		return -EINVAL;
	size = prog.len * sizeof(*insns);
	insns = t->ops->alloc(size);
	if (!insns)
		return -ENOMEM;
	r = mv_peek_all(t, prog.insns, insns, size) ? mv_seccomp_add(t->ops, t->filters, insns, prog.len, &t->candidate) : -EFAULT;
	t->ops->free(insns, size);
	return r;
}

static int prepare(struct mv_thread *t)
{
	forget_candidate(t);
	/* Strict mode, listeners (whoever gets the calls cannot tell the variants apart): not supported. */
	if (t->call.nr == NR_PRCTL && t->call.args[1] != SECCOMP_MODE_FILTER)
		return -EINVAL;
	if (flags_of(t) & ~(uint64_t)FLAGS_KNOWN)
		return -EINVAL;
	return read_filter(t);
}

static void normalise(struct mv_thread *t)
{
	const struct mv_insn *insns;
	unsigned n;

	if (!t->candidate)
		return;		/* denied */
	n = mv_seccomp_insns(t->candidate, &insns);
	mv_blob_put(t->blob, insns, n * sizeof(*insns), t->run->config.seed);
}

/*
 * Only who can gain no privileges, or has them, may.  A call that the kernel checks for the latter and that does nothing:
 * no name is that long.
 */
static bool ask_permission(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (!t->step) {
		mv_ask(step, NR_PRCTL, PR_GET_NO_NEW_PRIVS_, 0, 0);
		return true;
	}
	if (t->step == 1 && last != 1)
		return mv_ask(step, NR_SETDOMAINNAME, 0, UINT64_MAX, 0);
	t->own = t->step == 2 && last == ERR(EPERM) ? ERR(EACCES) : 0;
	return false;
}

static void install(struct mv_thread *t)
{
	if (is_error(t->result)) {
		forget_candidate(t);
		return;
	}
	mv_seccomp_unref(t->ops, t->filters);
	t->filters = t->candidate;
	t->candidate = NULL;
	if (flags_of(t) & SECCOMP_FILTER_FLAG_TSYNC) {
		mv_seccomp_unref(t->ops, t->process->filters);
		t->process->filters = mv_seccomp_ref(t->filters);
	}
}

const struct mv_hook mv_hook_seccomp = { .prepare = prepare, .normalise = normalise, .lead = ask_permission, .done = install };

static bool tell_mode(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	(void)last;
	(void)step;
	t->own = t->filters ? SECCOMP_MODE_FILTER : SECCOMP_MODE_DISABLED;
	return false;
}

const struct mv_hook mv_hook_seccomp_mode = { .lead = tell_mode };

/* ---- what filters make of a call ---- */

/* What the kernel's vDSO answers without a call, and ours was asked. */
static bool is_no_call(const struct mv_thread *t)
{
	uint32_t clock = (uint32_t)t->call.args[0];
	const struct mv_mapping *from;

	switch (t->call.nr) {
	case NR_CLOCK_GETTIME:
	case NR_CLOCK_GETRES:
		if (clock >= 32 || !(VDSO_CLOCKS >> clock & 1))
			return false;
		break;
	case NR_GETTIMEOFDAY:
	case NR_TIME:
	case NR_GETCPU:
		break;
	default:
		return false;
	}
	from = t->ops->return_ip ? mv_mm_find(t->process->mm, t->ops->return_ip(t->task)) : NULL;
	return from && from->ordinal == MV_MAP_VDSO;
}

bool mv_refuses(struct mv_thread *t)
{
	uint32_t said, data;

	synchronise(t);
	if (!t->filters || t->call.nr >= MV_PSEUDO_BASE || is_no_call(t))
		return false;
	said = mv_seccomp_run(t->filters, &t->call);
	data = said & SECCOMP_RET_DATA;
	switch (said & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		return false;
	case SECCOMP_RET_ERRNO:
		t->own = ERR(data < 4095 ? data : 4095);
		break;
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_USER_NOTIF:
		t->own = ERR(ENOSYS);	/* as where there is no tracer, no listener */
		break;
	case SECCOMP_RET_TRAP:
		t->refusal = MV_REFUSE_TRAP;
		t->own = (int64_t)data;
		break;
	case SECCOMP_RET_KILL_THREAD:
		if (t->process->threads > 1) {
			t->call = (struct mv_call){ .nr = NR_EXIT };
			return false;
		}
		/* fall through */
	default:
		t->refusal = MV_REFUSE_KILL;
		t->own = 0;
	}
	t->cls = MV_CLASS_DENY;
	return true;
}
