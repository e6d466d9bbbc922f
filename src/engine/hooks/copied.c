/*
 * What the leader writes to a file that every variant has for itself (a memfd; the shadow of a file that is mapped shared), and followers
 * cannot write by making the same call: what comes from another descriptor, or goes where the open file's offset is, which their descriptor
 * has not.  Each gets the bytes from the leader's file when it comes to the call, for which the leader waits.
 */
#include "engine/internal.h"

#define NR_CLOSE 3
#define NR_PWRITE64 18
#define NR_PWRITEV 296
#define NR_FTRUNCATE 77
#define NR_SPLICE 275
#define NR_COPY_FILE_RANGE 326

/* The descriptor that is written to. */
static int32_t target(const struct mv_thread *t)
{
	bool third = t->call.nr == NR_SPLICE || t->call.nr == NR_COPY_FILE_RANGE;

	return (int32_t)t->call.args[third ? 2 : 0];
}

/* Where in the file the bytes are; UINT64_MAX: before its offset. */
static uint64_t place(struct mv_thread *t)
{
	bool told = t->call.nr == NR_SPLICE || t->call.nr == NR_COPY_FILE_RANGE;
	uint64_t end;

	if (t->call.nr == NR_PWRITE64 || t->call.nr == NR_PWRITEV)
		return t->call.args[3];
	if (!told || !t->call.args[3] || !mv_peek_all(t, t->call.args[3], &end, sizeof(end)))
		return UINT64_MAX;
	return end - (uint64_t)t->result;
}

/* A file that others have opened, too, may be mapped by those: then it has shadows, which the supervisor knows. */
static bool may_be_shadowed(const struct mv_thread *t, const struct mv_fd *fd)
{
	uint32_t shadows = __atomic_load_n(&t->run->shadows, __ATOMIC_RELAXED);

	return shadows && fd->kind == MV_FDKIND_FILE && !(fd->flags & MV_FD_OWN) && fd->plain != (uint16_t)shadows;
}

void mv_copied_collect(struct mv_thread *t)
{
	struct mv_fd fd = *mv_fd_get(t->process->files, target(t));
	uint16_t shadows = (uint16_t)__atomic_load_n(&t->run->shadows, __ATOMIC_RELAXED);
	bool known = fd.flags & (MV_FD_TWIN | MV_FD_SHADOW), sizes = t->call.nr == NR_FTRUNCATE;
	struct mv_share share = {
		.fd = target(t), .how = MV_SHARE_COPIED | (known ? 0 : MV_SHARE_IF_SHADOWED), .len = (uint64_t)t->result,
	};

	if (t->cls != MV_CLASS_LEADER || t->result < 0 || (!t->result && !sizes) || !(known || may_be_shadowed(t, &fd)))
		return;
	if (sizes)
		share.how |= MV_SHARE_SIZED;
	else
		share.offset = place(t);
	if (mv_export(t, &share, &t->extra)) {
		t->flags |= MV_REC_HOLD;
		return;
	}
	t->extra = 0;
	if (!known) {
		fd.plain = shadows;
		mv_fd_set(t->process->files, target(t), fd);
	}
}

/* To import it is to have it copied; what comes is nothing. */
bool mv_copied_follow(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (t->cls != MV_CLASS_LEADER) {
		if (!t->step)
			return mv_ask_own(t, step);
		t->own = last;
		return false;
	}
	t->own = t->result;
	if (!t->extra)
		return false;
	switch (t->step) {
	case 0:
		return mv_ask_import(step, t->extra, -1, true);
	case 1:
		return !is_error(last) && mv_ask(step, NR_CLOSE, (uint64_t)last, 0, 0);
	default:
		return false;
	}
}

const struct mv_hook mv_hook_copied = { .collect = mv_copied_collect, .follow = mv_copied_follow };
