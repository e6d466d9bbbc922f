/*
 * Descriptors of followers at the leader's numbers.
 *
 * The lowest free number is the leader's where the descriptor tables are equal.  The leader's may be one higher for a
 * moment: the kernel gives a number to a call that has not returned yet in another thread.
 */
#include "internal.h"

#define NR_CLOSE 3
#define NR_FCNTL 72
#define NR_EVENTFD2 290
#define NR_DUP3 292
#define F_DUPFD_ 0
#define F_GETFD_ 1
#define F_DUPFD_CLOEXEC_ 1030
#define FD_CLOEXEC_ 1
#define O_CLOEXEC_ 02000000

enum { STEP_NEW, STEP_COPIED, STEP_MADE, STEP_LOOKED, STEP_MOVED, STEP_CLOSED };

/* Steps in the low byte, the number to be moved above it. */
static bool next(uint64_t *at, unsigned what, int64_t from)
{
	*at = what | (uint64_t)from << 8;
	return true;
}

static bool move_to(struct mv_thread *t, uint64_t *at, int want, bool cloexec, int64_t last, struct mv_step *step)
{
	int64_t from = (int64_t)(*at >> 8);

	switch (*at & 0xff) {
	case STEP_LOOKED:
		return next(at, STEP_MOVED, from) &&
		       mv_ask(step, NR_DUP3, (uint64_t)from, (uint64_t)want, cloexec ? O_CLOEXEC_ : 0);
	case STEP_MOVED:
		if (last == want)
			return next(at, STEP_CLOSED, 0) && mv_ask(step, NR_CLOSE, (uint64_t)from, 0, 0);
		mv_diverge_result(t, last);
		return false;
	default:
		return false;
	}
}

/* A placeholder is an eventfd: one call without memory operands. */
static bool make(uint64_t *at, bool cloexec, struct mv_step *step)
{
	return next(at, STEP_MADE, 0) && mv_ask(step, NR_EVENTFD2, 0, cloexec ? O_CLOEXEC_ : 0, 0);
}

bool mv_plant(struct mv_thread *t, uint64_t *at, int want, bool cloexec, int64_t last, struct mv_step *step)
{
	struct mv_files *files = t->process->files;
	int copied;

	switch (*at & 0xff) {
	case STEP_NEW:
		/* To make and close a copy takes a quarter of the time. */
		copied = mv_files_placeholder(files);
		if (copied < 0)
			return make(at, cloexec, step);
		return next(at, STEP_COPIED, copied) &&
		       mv_ask(step, NR_FCNTL, (uint64_t)copied, cloexec ? F_DUPFD_CLOEXEC_ : F_DUPFD_, (uint64_t)want);
	case STEP_COPIED:
		if (last == ERR(EBADF))
			mv_fd_set(files, (int64_t)(*at >> 8), (struct mv_fd){ 0 });
		if (is_error(last))
			return make(at, cloexec, step);
		/* fall through */
	case STEP_MADE:
		if (is_error(last)) {
			mv_diverge_result(t, last);
			return false;
		}
		if (last == want)
			return false;
		next(at, STEP_LOOKED, last);
		return move_to(t, at, want, cloexec, 0, step);
	default:
		return move_to(t, at, want, cloexec, last, step);
	}
}

bool mv_renumber(struct mv_thread *t, uint64_t *at, int from, int want, int64_t last, struct mv_step *step)
{
	switch (*at & 0xff) {
	case STEP_NEW:
		if (from == want)
			return false;
		if (from > want) {	/* the table has something at that number that the leader's has not */
			mv_diverge_result(t, from);
			return false;
		}
		return next(at, STEP_LOOKED, from) && mv_ask(step, NR_FCNTL, (uint64_t)from, F_GETFD_, 0);
	default:
		return move_to(t, at, want, last & FD_CLOEXEC_, last, step);
	}
}
