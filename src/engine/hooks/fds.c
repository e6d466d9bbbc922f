/*
 * Descriptors that every variant makes or copies itself.
 */
#include "engine/internal.h"

static void dup_done(struct mv_thread *t)
{
	if (!is_error(t->result))
		mv_fd_set(t->process->files, t->result, *mv_fd_get(t->process->files, (int32_t)t->call.args[0]));
}

const struct mv_hook mv_hook_dup = { .done = dup_done };

/*
 * A child that the leader has forked while another thread's open, accept or recvmsg was about to return may have got the new
 * descriptor; followers' children never do.  Who closes all that may be open closes that, too.
 */
static bool close_follow(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (!t->step)
		return mv_ask_own(t, step);
	t->own = last == ERR(EBADF) ? t->result : last;
	return false;
}

const struct mv_hook mv_hook_close = { .follow = close_follow };

/* A memfd is memory: each variant has its own, and all that is done to it is done in every variant. */
static void memfd_done(struct mv_thread *t)
{
	if (!is_error(t->result))
		mv_fd_set(t->process->files, t->result, (struct mv_fd){ .kind = MV_FDKIND_FILE, .flags = MV_FD_TWIN });
}

const struct mv_hook mv_hook_memfd = { .done = memfd_done };

enum { AUX_OWN, AUX_SECOND, AUX_FIRST };

/* pipe, pipe2, socketpair: the two numbers are the first output. */
static void pair_done(struct mv_thread *t)
{
	const struct mv_operand *out = &t->desc->out[0];
	int32_t fds[2];
	uint32_t pair;

	if (is_error(t->result) || !mv_peek_all(t, t->call.args[out->arg], fds, sizeof(fds)))
		return;
	pair = __atomic_add_fetch(&t->run->pairs, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 2; i++)
		mv_fd_set(t->process->files, fds[i], (struct mv_fd){ .kind = t->desc->fdkind, .pair = pair });
}

/* This variant's two are at the first output's place until the leader's come there. */
static bool pair_follow(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (!t->step)
		return mv_ask_own(t, step);
	t->own = last;
	if (!is_error(last) && !mv_peek_all(t, t->call.args[t->desc->out[0].arg], &t->aux[AUX_OWN], 8))
		mv_diverge_result(t, ERR(EFAULT));
	return false;
}

/* The higher one first: its place may be where the other has to go.  Nobody uses a dummy: which end is where does not matter. */
static bool pair_after(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	int32_t own[2], want[2];
	unsigned high;

	__builtin_memcpy(own, &t->aux[AUX_OWN], sizeof(own));
	if (!mv_peek_all(t, t->call.args[t->desc->out[0].arg], want, sizeof(want)))
		return false;
	high = want[1] > want[0];
	return mv_renumber(t, &t->aux[AUX_SECOND], own[1], want[high], last, step) ||
	       mv_renumber(t, &t->aux[AUX_FIRST], own[0], want[!high], last, step);
}

const struct mv_hook mv_hook_pair = { .follow = pair_follow, .after = pair_after, .done = pair_done };
