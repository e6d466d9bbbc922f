/* What follower.c and apart.c share: a follower that reads its stream. */
#ifndef MV_ENGINE_FOLLOWER_H
#define MV_ENGINE_FOLLOWER_H

#include "internal.h"

static inline unsigned consumer(const struct mv_thread *t)
{
	return mv_consumer(t->variant);
}

static inline void consume(struct mv_thread *t)
{
	mv_stream_consume(t->stream, consumer(t));
	t->changed |= MV_CHANGED_STREAM;
}

/* The leader may wait for all to have come to this call. */
static inline void consume_enter(struct mv_thread *t, const struct mv_record *rec)
{
	if (rec->flags & MV_REC_LOCKSTEP)
		mv_stream_agree(t->stream, consumer(t));
	else
		mv_stream_consume(t->stream, consumer(t));
	t->changed |= MV_CHANGED_STREAM;
}

/* follower.c: has the turn come that the record at hand was made in?  Then it is ours until the end of the call, or longer. */
bool mv_follow_turn(struct mv_thread *t);
void mv_follow_turn_end(struct mv_thread *t);

/* apart.c: is the leader's the call at hand?  Of those that may be one variant's alone the arguments say. */
bool mv_same_call(const struct mv_thread *t, const struct mv_record *rec);
/*
 * They are not: may the leader's be the one that this variant does not make?  Of two that are alike the leader's goes first: this
 * variant's may yet come there.  But what changes nothing but this variant does not wait: the leader's may be a look at the clock that it
 * will share.
 */
bool mv_leaders_first(const struct mv_thread *t, const struct mv_record *rec);
/* Both grow the break, by other lengths: each does so alone, and the two are one. */
bool mv_both_grow(const struct mv_thread *t, const struct mv_record *rec);
/* Is it a wait of the leader's in a loop that was no wait here? */
bool mv_was_work(const struct mv_thread *t, const struct mv_record *rec);
/*
 * With turns: the call at hand is a wait of one of the process's threads for another that the leader does not come to, since they had counted, or looked
 * at a clock, until they came to a lock.  It is over at once, for nothing, as any wait may be, and the thread looks again.  False if
 * that has been so too often while the leader made no step.
 */
bool mv_waits_in_vain(struct mv_thread *t, const struct mv_record *rec);
/* The same the other way round: the leader's is a wait that this variant does not come to.  Not if that would keep a sensitive call from being accused. */
bool mv_leader_waits(const struct mv_thread *t, const struct mv_record *rec);
/* Answer the call at hand, which the leader does not make. */
void mv_surplus(struct mv_thread *t, struct mv_step *step);
/* Pass over a call that only the leader makes; false until all of it has been read. */
bool mv_pass_over(struct mv_thread *t);
/* Has this variant made the leader's call early?  Then that one is forgotten. */
bool mv_was_early(struct mv_thread *t, const struct mv_record *rec);

#endif
