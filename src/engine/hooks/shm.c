/*
 * System V shared memory: the leader's segments are the real ones, each follower has twins of them in an IPC namespace of its own.
 * The run's table says which is which.
 */
#include "engine/internal.h"

#define NR_SHMGET 29
#define NR_SHMAT 30
#define NR_SHMCTL 31
#define IPC_PRIVATE_ 0
#define IPC_CREAT_ 01000ull
#define IPC_EXCL_ 02000ull
#define IPC_RMID_ 0
#define SHM_HUGETLB_ 04000ull
#define SHM_REMAP_ 040000u
#define PAGE 4096ull

static uint64_t page_up(uint64_t v)
{
	return (v + PAGE - 1) & ~(PAGE - 1);
}

/* ---- the table ---- */

struct mv_segments {
	struct mv_segment {
		uint64_t size;
		uint32_t taken;		/* 1 + the leader's id; 0 = free */
		uint32_t removed;	/* by IPC_RMID; who is attached may still use it */
		uint32_t own[MV_VARIANTS_MAX];	/* 1 + the follower's id; 0 = none yet */
	} v[512];
};

static struct mv_segments *table(const struct mv_thread *t)
{
	struct mv_run *run = t->run;
	struct mv_arena *a = run_arena(run);
	uint64_t at = __atomic_load_n(&run->segments, __ATOMIC_ACQUIRE), fresh;

	if (!at) {
		fresh = mv_arena_alloc(a, sizeof(struct mv_segments));
		if (__atomic_compare_exchange_n(&run->segments, &at, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			at = fresh;
		else
			mv_arena_free(a, fresh, sizeof(struct mv_segments));
	}
	return mv_arena_at(a, at);
}

static struct mv_segment *find(const struct mv_thread *t, uint64_t id)
{
	struct mv_segments *s = table(t);

	for (unsigned i = 0; s && i < sizeof(s->v) / sizeof(*s->v); i++)
		if (__atomic_load_n(&s->v[i].taken, __ATOMIC_ACQUIRE) == (uint32_t)id + 1)
			return &s->v[i];
	return NULL;
}

/* Leader: a place for a segment that was made just now. */
static bool enter(const struct mv_thread *t, uint64_t id, uint64_t size)
{
	struct mv_segments *s = table(t);

	for (unsigned again = 0; s && again < 2; again++)
		for (unsigned i = 0; i < sizeof(s->v) / sizeof(*s->v); i++) {
			struct mv_segment *g = &s->v[i];
			uint32_t was = again && g->removed ? g->taken : 0;

			if (!__atomic_compare_exchange_n(&g->taken, &was, UINT32_MAX, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
				continue;
			g->size = size;
			g->removed = 0;
			__builtin_memset(g->own, 0, sizeof(g->own));
			__atomic_store_n(&g->taken, (uint32_t)id + 1, __ATOMIC_RELEASE);
			return true;
		}
	return false;
}

static int64_t own_id(const struct mv_thread *t, const struct mv_segment *g)
{
	return (int64_t)__atomic_load_n(&g->own[t->variant], __ATOMIC_ACQUIRE) - 1;
}

/* ---- shmget: args key, size, flags ---- */

enum { AUX_FOUND };

/* Is there one already, which is none of the run's?  Its twins would lack what it contains. */
static bool get_lead(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	bool named = (uint32_t)t->call.args[0] != IPC_PRIVATE_;

	if (!t->step && named)
		return mv_ask(step, NR_SHMGET, t->call.args[0], 0, 0);
	if (t->step == (named ? 1u : 0u)) {
		t->aux[AUX_FOUND] = named && !is_error(last);
		return mv_ask_own(t, step);
	}
	t->own = last;
	return false;
}

static void get_collect(struct mv_thread *t)
{
	uint64_t id = (uint64_t)t->own;

	if (find(t, id))
		return;
	if (t->aux[AUX_FOUND])
		mv_run_fail(t->run, MV_VERDICT_UNSUPPORTED, "shmget: a segment of shared memory that the run has not made");
	else if (!enter(t, id, t->call.args[1]))
		mv_run_fail(t->run, MV_VERDICT_UNSUPPORTED, "shmget: more segments of shared memory than the engine has room for");
}

static bool get_follow(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	struct mv_segment *g = find(t, (uint64_t)t->result);
	uint32_t none = 0;

	t->own = t->result;
	if (!g) {
		t->own = ERR(ENOENT);
	} else if (!t->step && own_id(t, g) < 0) {
		return mv_ask(step, NR_SHMGET, IPC_PRIVATE_, g->size, IPC_CREAT_ | 0600 | (t->call.args[2] & SHM_HUGETLB_));
	} else if (t->step == 1) {
		if (is_error(last))
			t->own = last;
		else if (!__atomic_compare_exchange_n(&g->own[t->variant], &none, (uint32_t)last + 1, false, __ATOMIC_ACQ_REL,
						      __ATOMIC_RELAXED))
			/* Another process of the variant was faster. */
			return mv_ask(step, NR_SHMCTL, (uint64_t)last, IPC_RMID_, 0);
	}
	return false;
}

const struct mv_hook mv_hook_shmget = { .prepare = mv_ipc_prepare, .lead = get_lead, .collect = get_collect, .follow = get_follow };

/* ---- shmat: args id, address, flags ---- */

enum { AUX_PLACED, AUX_TRIES };

static int at_prepare(struct mv_thread *t)
{
	return t->call.args[2] & SHM_REMAP_ ? -EINVAL : mv_ipc_prepare(t);
}

static bool ask_at(struct mv_thread *t, const struct mv_segment *g, struct mv_step *step)
{
	uint64_t id = t->variant && g ? (uint64_t)own_id(t, g) : t->call.args[0];
	uint64_t place = t->call.args[1];

	t->aux[AUX_PLACED] = 0;
	if (!place && g)
		t->aux[AUX_PLACED] = place = mv_mm_place(t->process->mm, page_up(g->size), false, false);
	return mv_ask(step, NR_SHMAT, id, place, t->call.args[2]);
}

static bool hidden(const struct mv_thread *t, uint64_t addr)
{
	const struct mv_mapping *m = mv_mm_find(t->process->mm, addr);

	return m && m->flags & MV_MM_HIDDEN;
}

static bool at_act(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	const struct mv_segment *g = find(t, t->call.args[0]);
	uint64_t wanted = t->call.args[1];

	if (!t->step && wanted && (hidden(t, wanted) || (g && hidden(t, wanted + page_up(g->size) - 1)))) {
		t->own = ERR(EINVAL);	/* what the engine has there is in the way */
		return false;
	}
	if (!t->step)
		return ask_at(t, g, step);
	/* Something is there that the program did not map: remember it and look further. */
	if (last == ERR(EINVAL) && t->aux[AUX_PLACED] && t->aux[AUX_TRIES]++ < 64 &&
	    !mv_mm_add(t->process->mm, t->aux[AUX_PLACED], page_up(g->size), MV_MAP_OTHER, 0))
		return ask_at(t, g, step);
	t->own = last;
	return false;
}

static void at_collect(struct mv_thread *t)
{
	if (!find(t, t->call.args[0]))
		mv_run_fail(t->run, MV_VERDICT_UNSUPPORTED, "shmat: a segment of shared memory that the run has not made");
}

static void at_done(struct mv_thread *t)
{
	const struct mv_segment *g = find(t, t->call.args[0]);

	if (g && !is_error(t->result) && !is_error(t->own))
		mv_mm_add(t->process->mm, (uint64_t)t->own, page_up(g->size), mv_mm_ordinal(t->process->mm),
			  MV_MM_SHARED | MV_MM_COMMON);
}

const struct mv_hook mv_hook_shmat = {
	.prepare = at_prepare, .lead = at_act, .collect = at_collect, .follow = at_act, .done = at_done,
};

/* ---- shmdt: args address ---- */

static void dt_done(struct mv_thread *t)
{
	const struct mv_mapping *m = mv_mm_find(t->process->mm, t->call.args[0]);

	if (m && !is_error(t->result))
		mv_mm_remove(t->process->mm, m->start, m->end - m->start);
}

const struct mv_hook mv_hook_shmdt = { .done = dt_done };

/* ---- shmctl(IPC_RMID) ---- */

static bool remove_follow(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	const struct mv_segment *g = find(t, t->call.args[0]);

	(void)last;
	t->own = t->result;
	if (t->step || !g || own_id(t, g) < 0)
		return false;
	return mv_ask(step, NR_SHMCTL, (uint64_t)own_id(t, g), IPC_RMID_, 0);
}

static void remove_done(struct mv_thread *t)
{
	struct mv_segment *g = find(t, t->call.args[0]);

	if (g && t->leads && !is_error(t->result))
		__atomic_store_n(&g->removed, 1, __ATOMIC_RELEASE);
}

const struct mv_hook mv_hook_shmrmid = { .follow = remove_follow, .done = remove_done };
