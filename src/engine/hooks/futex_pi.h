/*
 * Futexes with priority inheritance: the parts of the futex hook that are theirs (thread.c).
 */
#ifndef MV_ENGINE_HOOKS_FUTEX_PI_H
#define MV_ENGINE_HOOKS_FUTEX_PI_H

#include "engine/internal.h"

/* Is the call at hand, a futex, one of those below?  Without requeueing, which stays unsupported. */
bool mv_pi_is(const struct mv_thread *t);
/* As in struct mv_hook; the follower's part needs no call of the kernel. */
bool mv_pi_lead(struct mv_thread *t, int64_t last, struct mv_step *step);
void mv_pi_collect(struct mv_thread *t);
void mv_pi_follow(struct mv_thread *t);

#endif
