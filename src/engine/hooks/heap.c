/*
 * The diversifying heap (lib/mvheap): what it is told, and which memory is its own.
 *
 * It commits slabs and guards them at other places in every variant, and threads may make it do so more or less often.  That is
 * no affair of the program's, nor of use to an attacker: protections without execution, of private memory that the heap has
 * reserved and named as its own.  Everything else about that memory is compared as for any other.
 */
#include <mvheap/mvheap.h>
#include "engine/internal.h"
#include "engine/random.h"

#define NR_PRCTL 157
#define PROT_READ_WRITE 3u
#define PAGE 4096ull
#define PURPOSE_HEAP 0x6865617020202020u

/* ---- prctl(MVHEAP_PRCTL): args number, what, address, length ---- */

static void make_settings(const struct mv_thread *t, struct mvheap_settings *s)
{
	const struct mv_config *c = &t->run->config;
	bool plain = c->heap == MV_HEAP_FOLLOWERS && !t->variant;
	struct mv_random r;

	mv_random_init(&r, c->seed, PURPOSE_HEAP + t->process->execs);
	*s = (struct mvheap_settings){
		.seed = mv_random_next(&r),
		.variant = t->variant,
		.variants = c->variants,
		.slab_max = c->slab_max,
		.slab_pad = plain ? 0 : c->slab_pad,
		.flags = MVHEAP_HIDE | (c->heap_fill && !plain ? MVHEAP_FILL : 0),
	};
}

bool mv_is_heap_call(const struct mv_call *call)
{
	return call->nr == NR_PRCTL && (uint32_t)call->args[0] == MVHEAP_PRCTL;
}

static int64_t serve(struct mv_thread *t)
{
	const uint64_t *args = t->call.args;
	struct mvheap_settings s;

	switch ((uint32_t)args[1]) {
	case MVHEAP_SETTINGS:
		/* Once: who finds the way to this call later learns nothing from it. */
		if (t->run->config.heap == MV_HEAP_OFF || t->process->heap_told)
			return ERR(EINVAL);
		make_settings(t, &s);
		t->process->heap_told = true;
		return t->ops->poke(t->task, args[2], &s, sizeof(s)) == sizeof(s) ? 0 : ERR(EFAULT);
	case MVHEAP_REGION:
		return mv_mm_own_by_heap(t->process->mm, args[2], args[3]) ? 0 : ERR(EINVAL);
	default:
		return ERR(EINVAL);
	}
}

static bool lead(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	(void)last;
	(void)step;
	t->own = serve(t);
	return false;
}

/* The operands are equal, so is what was asked before: followers fare as the leader does. */
static void done(struct mv_thread *t)
{
	if (!t->leads)
		serve(t);
}

const struct mv_hook mv_hook_mvheap = { .lead = lead, .done = done };

/* ---- mprotect: args addr, len, prot ---- */

static int prepare(struct mv_thread *t)
{
	uint64_t start = t->call.args[0], len = t->call.args[1];
	const struct mv_mapping *m = mv_mm_find(t->process->mm, start);
	uint32_t prot = (uint32_t)t->call.args[2];

	if (m && m->flags & MV_MM_HEAP && start % PAGE == 0 && len && len <= m->end - start && (!prot || prot == PROT_READ_WRITE))
		t->cls = MV_CLASS_LOCAL;
	return 0;
}

static void protect_done(struct mv_thread *t)
{
	if (!is_error(t->result) && t->call.args[2])
		mv_mm_open(t->process->mm, t->call.args[0], t->call.args[1]);
}

const struct mv_hook mv_hook_mprotect = { .prepare = prepare, .done = protect_done };
const struct mv_hook mv_hook_pkey_mprotect = { .done = protect_done };
