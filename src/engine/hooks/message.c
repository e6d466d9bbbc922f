/*
 * recvmsg, recvmmsg: control messages may bring new descriptors, for which followers plant placeholders.
 */
#include "engine/internal.h"

#define NR_RECVMMSG 299
#define SOL_SOCKET_ 1
#define SCM_RIGHTS_ 1
#define MSG_CMSG_CLOEXEC_ 0x40000000u
#define MMSG_SIZE 64

enum { AUX_PLANT, AUX_NEXT };

/* Descriptor number n of one message's control data, or -1; *n is lowered by those passed over. */
static int nth_in(struct mv_thread *t, uint64_t header, uint64_t *n)
{
	uint64_t control[2];	/* pointer and length, at their place in struct msghdr */

	if (!mv_peek_all(t, header + 32, control, sizeof(control)))
		return -1;
	for (uint64_t at = 0; at + 16 <= control[1];) {
		struct { uint64_t len; int32_t level, type; } c;
		uint64_t count;
		int fd;

		if (!mv_peek_all(t, control[0] + at, &c, sizeof(c)) || c.len < sizeof(c))
			return -1;
		count = c.level == SOL_SOCKET_ && c.type == SCM_RIGHTS_ ? (c.len - sizeof(c)) / 4 : 0;
		if (*n < count)
			return mv_peek_all(t, control[0] + at + sizeof(c) + 4 * *n, &fd, 4) ? fd : -1;
		*n -= count;
		at += (c.len + 7) & ~7ull;
	}
	return -1;
}

/* Descriptor number n that this call has brought, or -1. */
static int nth(struct mv_thread *t, uint64_t n)
{
	if (t->call.nr != NR_RECVMMSG)
		return nth_in(t, t->call.args[1], &n);
	for (int64_t i = 0; i < t->result; i++) {
		int fd = nth_in(t, t->call.args[1] + (uint64_t)i * MMSG_SIZE, &n);

		if (fd >= 0)
			return fd;
	}
	return -1;
}

static bool plant_all(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	bool cloexec = t->call.args[t->call.nr == NR_RECVMMSG ? 3 : 2] & MSG_CMSG_CLOEXEC_;
	int fd;

	while ((fd = nth(t, t->aux[AUX_NEXT])) >= 0) {
		if (mv_plant(t, &t->aux[AUX_PLANT], fd, cloexec, last, step))
			return true;
		t->aux[AUX_PLANT] = 0;
		t->aux[AUX_NEXT]++;
	}
	return false;
}

static void done(struct mv_thread *t)
{
	int fd;

	if (is_error(t->result))
		return;
	for (uint64_t n = 0; (fd = nth(t, n)) >= 0; n++)
		mv_fd_set(t->process->files, fd, (struct mv_fd){
			.kind = MV_FDKIND_OTHER, .flags = t->leads ? 0 : MV_FD_PLACEHOLDER });
}

const struct mv_hook mv_hook_recvmsg = { .after = plant_all, .done = done };
const struct mv_hook mv_hook_recvmmsg = { .after = plant_all, .done = done };
