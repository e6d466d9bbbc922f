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

/* A memfd is memory: each variant has its own, and all that is done to it is done in every variant. */
static void memfd_done(struct mv_thread *t)
{
	if (!is_error(t->result))
		mv_fd_set(t->process->files, t->result, (struct mv_fd){ .kind = MV_FDKIND_FILE, .flags = MV_FD_TWIN });
}

const struct mv_hook mv_hook_memfd = { .done = memfd_done };

/* pipe, pipe2, socketpair: the two numbers are the first output. */
static void pair_done(struct mv_thread *t)
{
	const struct mv_operand *out = &t->desc->out[0];
	int32_t fds[2];

	if (is_error(t->result) || !mv_peek_all(t, t->call.args[out->arg], fds, sizeof(fds)))
		return;
	for (unsigned i = 0; i < 2; i++)
		mv_fd_set(t->process->files, fds[i], (struct mv_fd){ .kind = t->desc->fdkind });
}

const struct mv_hook mv_hook_pair = { .done = pair_done };
