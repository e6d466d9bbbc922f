/*
 * libmvsync (lib/mvsync): which variant it is in, and the memory by which the leader's tells the followers' in which order
 * threads came to their locks.
 *
 * That memory is apart from the arena, since the program can write it; it holds nothing that the engine looks at.  The leader's
 * record is sealed before followers get it: they can read it and no more.  Of how far they have come a follower writes
 * in its own part of another memfd, which the leader can only read.  Nobody keeps a descriptor.
 */
#include <mvheap/mvheap.h>
#include <mvsync/mvsync.h>
#include "engine/internal.h"

#define NR_MMAP 9
#define NR_MADVISE 28
#define NR_FCNTL 72
#define NR_FTRUNCATE 77
#define NR_CLOSE 3
#define NR_PRCTL 157
#define NR_MEMFD_CREATE 319

#define PROT_READ_ 1u
#define PROT_WRITE_ 2u
#define MAP_SHARED_ 0x01u
#define MAP_FIXED_ 0x10u
#define MAP_FIXED_NOREPLACE_ 0x100000u
#define MADV_DONTFORK_ 10
#define F_ADD_SEALS_ 1033
#define F_SEAL_SEAL_ 1u
#define F_SEAL_SHRINK_ 2u
#define F_SEAL_GROW_ 4u
#define F_SEAL_FUTURE_WRITE_ 16u
#define MFD_CLOEXEC_ 1u
#define MFD_ALLOW_SEALING_ 2u

bool mv_is_library_call(const struct mv_call *call)
{
	return call->nr == NR_PRCTL && ((uint32_t)call->args[0] == MVHEAP_PRCTL || (uint32_t)call->args[0] == MVSYNC_PRCTL);
}

static uint32_t what(const struct mv_thread *t)
{
	return (uint32_t)t->call.args[1];
}

static int prepare(struct mv_thread *t)
{
	if (!t->run->config.parallel)
		return -EINVAL;
	if (what(t) == MVSYNC_LIVE || what(t) == MVSYNC_DIFFERS)
		t->cls = MV_CLASS_OWN;
	return 0;
}

/* ---- what needs no kernel ---- */

static int64_t tell_settings(struct mv_thread *t)
{
	const struct mv_config *c = &t->run->config;
	struct mvsync_settings s = { .variant = t->variant, .variants = c->variants, .flags = MVSYNC_HIDE };

	/* Once: who finds the way to this call later learns nothing from it. */
	if (t->process->sync_told)
		return ERR(EINVAL);
	t->process->sync_told = true;
	return t->ops->poke(t->task, t->call.args[2], &s, sizeof(s)) == sizeof(s) ? 0 : ERR(EFAULT);
}

static int64_t live(const struct mv_thread *t)
{
	int64_t bits = 0;

	for (unsigned v = 0; v < t->run->config.variants; v++)
		bits |= mv_released(t->run, v) ? 0 : (int64_t)1 << v;
	return bits;
}

/* A follower can say that of itself only. */
static int64_t differs(struct mv_thread *t)
{
	static const char *const names[MVSYNC_OPS] = MVSYNC_OP_NAMES;
	uint64_t own = t->call.args[2], leaders = t->call.args[3];
	struct mv_verdict *v;

	if (!t->variant || own >= MVSYNC_OPS || leaders >= MVSYNC_OPS)
		return ERR(EINVAL);
	v = mv_divergence_begin(t->run, t->variant, t->set);
	if (!v)
		return 0;
	v->difference = MV_DIFF_ORDER;
	v->variant_call = t->call;
	mv_text(v->text, sizeof(v->text), (const char *const[]){ "comes to ", names[own], " where the leader's thread came to ",
		names[leaders], NULL });
	mv_divergence_end(t->run, v);
	return 0;
}

/* ---- the memory ---- */

enum { AUX_PLACE, AUX_FD, AUX_FIRST, AUX_SECOND };
#define MAPPED 3	/* the step after the first mapping */

static void map_shared(struct mv_step *step, uint64_t at, uint64_t len, uint64_t prot, uint64_t fd, uint64_t offset)
{
	mv_ask(step, NR_MMAP, at, len, prot);
	step->call.args[3] = MAP_SHARED_ | MAP_FIXED_NOREPLACE_;
	step->call.args[4] = fd;
	step->call.args[5] = offset;
}

static bool place(struct mv_thread *t)
{
	struct mv_mm *mm = t->process->mm;

	t->aux[AUX_PLACE] = mv_mm_place(mm, MVSYNC_MEMORY, true, false);
	if (t->aux[AUX_PLACE] && !mv_mm_add(mm, t->aux[AUX_PLACE], MVSYNC_MEMORY, MV_MAP_OTHER, 0))
		return true;
	/* The kernel chooses, in layouts that leave that to it. */
	t->aux[AUX_PLACE] = 0;
	return mv_mm_layout(mm)->mode != MV_LAYOUT_DISJOINT;
}

static bool create(struct mv_thread *t, struct mv_step *step)
{
	return mv_ask(step, NR_MEMFD_CREATE, t->call.args[2], MFD_CLOEXEC_ | MFD_ALLOW_SEALING_, 0);
}

/*
 * What the kernel has said to the step before; after an error there is nothing more to do.  But where something is that the program did not
 * map, that place stays taken, and the step is done again with the next one.
 */
static bool failed(struct mv_thread *t, int64_t last)
{
	t->own = last;
	if (t->step == MAPPED && last == ERR(EEXIST) && t->aux[AUX_PLACE] && place(t)) {
		t->step--;
		return false;
	}
	return t->step && is_error(last);
}

static bool lead_memory(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	uint64_t at = t->aux[AUX_PLACE], fd = t->aux[AUX_FD];

	if (failed(t, last))
		return false;
	switch (t->step) {
	case 0:
		t->own = ERR(ENOMEM);
		return place(t) && create(t, step);
	case 1:
	case 6:
		t->aux[AUX_FD] = (uint64_t)last;
		return mv_ask(step, NR_FTRUNCATE, (uint64_t)last, t->step == 1 ? MVSYNC_MEMORY : MVSYNC_ACKS, 0);
	case 2:
		/* All of the place, and the second file over the end of it. */
		map_shared(step, at, MVSYNC_MEMORY, PROT_READ_ | PROT_WRITE_, fd, 0);
		if (!at)
			step->call.args[3] &= ~(uint64_t)MAP_FIXED_NOREPLACE_;
		return true;
	case 3:
		t->aux[AUX_PLACE] = (uint64_t)last;
		return mv_ask(step, NR_FCNTL, fd, F_ADD_SEALS_,
			      F_SEAL_SEAL_ | F_SEAL_SHRINK_ | F_SEAL_GROW_ | F_SEAL_FUTURE_WRITE_);
	case 4:
		mv_export(t, &(struct mv_share){ .fd = (int)fd }, &t->aux[AUX_FIRST]);
		return mv_ask(step, NR_CLOSE, fd, 0, 0);
	case 5:
		return create(t, step);
	case 7:
		map_shared(step, at + MVSYNC_LOG, MVSYNC_ACKS, PROT_READ_, fd, 0);
		step->call.args[3] ^= MAP_FIXED_NOREPLACE_ | MAP_FIXED_;
		return true;
	case 8:
		return mv_ask(step, NR_FCNTL, fd, F_ADD_SEALS_, F_SEAL_SEAL_ | F_SEAL_SHRINK_ | F_SEAL_GROW_);
	case 9:
		mv_export(t, &(struct mv_share){ .fd = (int)fd }, &t->aux[AUX_SECOND]);
		return mv_ask(step, NR_CLOSE, fd, 0, 0);
	case 10:
		return mv_ask(step, NR_MADVISE, at, MVSYNC_MEMORY, MADV_DONTFORK_);
	default:
		t->extra = t->aux[AUX_FIRST] | t->aux[AUX_SECOND] << 32;
		t->own = (int64_t)at;
		return false;
	}
}

/* A file of its own shows which number is free. */
static bool follow_memory(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	uint64_t at = t->aux[AUX_PLACE], fd = t->aux[AUX_FD];

	if (failed(t, last))
		return false;
	switch (t->step) {
	case 0:
		t->own = ERR(ENOMEM);
		return place(t) && create(t, step);
	case 1:
		t->aux[AUX_FD] = (uint64_t)last;
		mv_ask_import(step, t->extra & UINT32_MAX, (int)last, true);
		return true;
	case 2:
		map_shared(step, at, MVSYNC_MEMORY, PROT_READ_, fd, 0);
		if (!at)
			step->call.args[3] &= ~(uint64_t)MAP_FIXED_NOREPLACE_;
		return true;
	case 3:
		t->aux[AUX_PLACE] = (uint64_t)last;
		mv_ask_import(step, t->extra >> 32, (int)fd, true);
		return true;
	case 4:
		map_shared(step, at + MVSYNC_LOG + (t->variant - 1) * MVSYNC_ACKS_PART, MVSYNC_ACKS_PART, PROT_READ_ | PROT_WRITE_, fd,
			   (t->variant - 1) * MVSYNC_ACKS_PART);
		step->call.args[3] ^= MAP_FIXED_NOREPLACE_ | MAP_FIXED_;
		return true;
	case 5:
		return mv_ask(step, NR_CLOSE, fd, 0, 0);
	case 6:
		return mv_ask(step, NR_MADVISE, at, MVSYNC_MEMORY, MADV_DONTFORK_);
	default:
		t->own = (int64_t)at;
		return false;
	}
}

static void memory_done(struct mv_thread *t)
{
	if (!is_error(t->own))
		mv_mm_add(t->process->mm, (uint64_t)t->own, MVSYNC_MEMORY, mv_mm_ordinal(t->process->mm), MV_MM_SHARED);
}

/* ---- prctl(MVSYNC_PRCTL): args number, what, ... ---- */

static bool lead(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	switch (what(t)) {
	case MVSYNC_SETTINGS:
		t->own = tell_settings(t);
		return false;
	case MVSYNC_MAP:
		return t->leads ? lead_memory(t, last, step) : follow_memory(t, last, step);
	case MVSYNC_LIVE:
		t->own = live(t);
		return false;
	case MVSYNC_DIFFERS:
		t->own = differs(t);
		return false;
	default:
		t->own = ERR(EINVAL);
		return false;
	}
}

static void done(struct mv_thread *t)
{
	if (what(t) == MVSYNC_MAP && !is_error(t->result))
		memory_done(t);
}

const struct mv_hook mv_hook_mvsync = { .prepare = prepare, .lead = lead, .follow = lead, .done = done };
