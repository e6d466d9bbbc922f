/*
 * Turns: of the threads of a process one at a time runs program code (design.md section 11).
 *
 * A turn is a ticket in the order of the process that lasts beyond a call.  The leader's thread that has the turn is the
 * procset's owner.  It gives the turn up before it runs a call that may block, and takes the next one, with a new ticket,
 * before the call ends; the twins take theirs when those with smaller tickets have given up theirs.  All that is between two
 * calls is then done in the same order in all variants, without anything being known of locks.
 *
 * What is in the stream: MV_REC_GIVES at an ENTER, MV_REC_TURN and the ticket at a RESULT, or at the ENTER of a thread that had
 * no turn.  A thread that has made many calls while others wait gives its turn up before the next: MV_TURN_SIGNAL, and that call's
 * ENTER has the ticket.  One that waits in a loop without calls is sent into the pseudo call <spin> by the front-end.  In a loop
 * that changes nothing one place is as good as another: followers may be anywhere in it.  The last resort is a thread that is
 * free: MV_TURN_SIGNAL as of an asynchronous signal, and it runs beside the others until its next call, whose ENTER has a ticket.
 *
 * Turns begin with the clone that makes the second thread and end with an exec.  Until then nothing is done.
 * A thread has the turn until it is gone, not until it calls exit: so the order in which the kernel clears its thread id and
 * marks its robust mutexes is that of turns as well.
 */
#ifndef MV_ENGINE_TURNS_H
#define MV_ENGINE_TURNS_H

#include "internal.h"

#define MV_TURN_SIGNAL 128	/* a SIGNAL record's number: none, the turn is given up */

/* The process is about to have a second thread; t, in its clone, has the turn.  Leader. */
void mv_turns_start(struct mv_thread *t);
/* The process has executed a program, and t has the number tid now: it needs no turns any more, if not all processes do. */
void mv_turns_end(struct mv_thread *t, uint32_t tid);
/*
 * Its exec is over: it shares no memory any more with the processes whose order it was in.  With turns of all processes it is the
 * other way round: a child of vfork joins them.
 */
void mv_turns_leave(struct mv_thread *t);
/*
 * Does the clone that t makes add to t's turn domain (design.md section 12)?  A thread, a process in the same memory, one that
 * inherits memory which both can write to.
 */
bool mv_turns_join(const struct mv_thread *t);
/* Or does the child it makes do so by its exec? */
bool mv_turns_join_later(const struct mv_thread *t);

/* Note for reports what processes do to each other (enum mv_racing), if they have no turns for it. */
void mv_turns_race(const struct mv_thread *t, uint32_t how);

/* Is t's call a wait for a word in memory that processes share, who do not share turns (hooks/thread.c)? */
bool mv_waits_for_process(const struct mv_thread *t);
/* hooks/thread.c: does a thread wait by this call, as it is compared, for others of its process, by a futex that is theirs alone? */
bool mv_is_private_wait(uint32_t nr, const uint64_t *norm);

/* Leader: take the turn, or, in a process with one thread, the right to an exclusive call.  False: it is another's. */
bool mv_turn_take(struct mv_thread *t);
/* Give it up, if t has it; a follower's too. */
void mv_turn_give(struct mv_thread *t);
/* Leader: the state in which a call begins. */
enum mv_state mv_turn_enter(struct mv_thread *t);
/*
 * The call at hand has ended with MV_AGAIN: let it be a call to the stream once more, which gives the turn up if this one kept it.
 * False if it is over.
 */
bool mv_turn_again(struct mv_thread *t);
/* Leader: put into the record of a call what it does to turns. */
void mv_turn_tell(struct mv_thread *t, struct mv_record *rec);
/* Leader, parked: does it wait for the turn? */
bool mv_turn_wanted(const struct mv_thread *t);
/* The word that changes when the turn that the parked thread waits for may have come.  Follower: NULL if it waits for none. */
struct mv_word *mv_turn_awaited(const struct mv_thread *t);
/* The one that t has changed last, of whoever is next after it. */
struct mv_word *mv_turn_told(const struct mv_thread *t);

/* Follower: has ticket's time come?  If not, t->awaits is set. */
bool mv_turn_come(struct mv_thread *t, uint64_t ticket);
/* It has, and the ticket is a turn. */
void mv_turn_begin(struct mv_thread *t, uint64_t ticket);
/* Parked where it has read all: one that it has of a former leader's is over. */
void mv_turn_expire(struct mv_thread *t);
/* Let the next ticket's time come. */
void mv_ticket_done(struct mv_thread *t, uint64_t ticket);

/* The set's thread is gone, and what it has left in memory is there.  The word that has changed, or NULL. */
struct mv_word *mv_turn_gone(const struct mv_run *run, struct mv_set *s, unsigned variant, uint32_t tid);

/*
 * The set's thread stands for a change of the leader: it has no turn, and does not wait for one.  The word that has changed, or NULL.
 */
struct mv_word *mv_turn_yield(const struct mv_run *run, struct mv_set *s, unsigned variant);

/*
 * Then, of every set that ends: tickets that the dead leader has taken and its dead twins cannot work off any more are passed
 * over, once both are gone.  The word that has changed, or NULL.
 */
struct mv_word *mv_turn_lost(struct mv_run *run, struct mv_set *s, unsigned variant);

#endif
