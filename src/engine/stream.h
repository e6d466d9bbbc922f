/*
 * Streams: one ring per thread set, written by the leader's thread, read by its twins (design.md section 7).
 *
 * A stream lives in the arena and holds no pointers: it may be mapped at a different address by every process.  One
 * producer, up to MV_VARIANTS_MAX - 1 consumers.  Nothing here waits; every function says "not now" instead.  A record
 * is there when it bears its sequence number: a consumer that polls touches no line but the one it is waiting for.
 *
 * Layout: header, one cache line per cursor, records[ring_records], bytes[ring_bytes].  A record's payload is in one
 * piece.
 */
#ifndef MV_ENGINE_STREAM_H
#define MV_ENGINE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <multivar/multivar.h>

enum mv_record_kind {
	MV_REC_ENTER,		/* the leader makes a call: operands, gathered input */
	MV_REC_RESULT,		/* it is over: result, ticket; and its output if that is one piece */
	MV_REC_DATA,		/* a piece of its outputs; the last one has MV_REC_LAST */
	MV_REC_SIGNAL,		/* a signal: payload is the siginfo; or MV_TURN_SIGNAL, which is none */
	MV_REC_END,		/* the leader's thread is gone; result = signal that killed it, or 0 */
	MV_REC_BROKEN,		/* never written: mv_stream_next() returns it for a damaged record or cursor */
};

enum {
	MV_REC_LAST = 1 << 0,		/* DATA: nothing follows; RESULT: no DATA follows */
	MV_REC_INTERRUPTED = 1 << 1,	/* RESULT: interrupted, result is an ERESTART code; SIGNAL follows */
	MV_REC_SIGNAL_FOLLOWS = 1 << 2,	/* RESULT: a SIGNAL to be delivered at this call's return follows */
	MV_REC_LOCKSTEP = 1 << 3,	/* ENTER: the leader waits for all acks */
	MV_REC_ARGS = 1 << 4,		/* args and hash are there */
	MV_REC_HOLD = 1 << 5,		/* RESULT: the leader goes on when all have acted on it */
	MV_REC_GIVES = 1 << 6,		/* ENTER: the thread gives its turn up (turns.h) */
	MV_REC_TURN = 1 << 7,		/* ENTER, RESULT: it has taken the turn, which ticket numbers */
	MV_REC_WHOLE = 1 << 8,		/* ENTER: the call is over, the record is the RESULT as well */
};

/* Two cache lines; most records need only the first, and then nobody touches the second. */
struct mv_record {
	uint8_t kind;			/* enum mv_record_kind */
	uint8_t faults;			/* ENTER: arguments (bits) that could not be read */
	uint16_t flags;			/* MV_REC_* */
	uint32_t nr;
	int64_t result;
	uint64_t ticket;		/* position in the process's order, 0 = none; DATA: which output */
	uint64_t extra;			/* RESULT: exported descriptor, or the child's stream; DATA: offset in the output */
	uint64_t input_len;		/* ENTER: bytes gathered in all; MV_INLINE_MAX at most begin the payload */
	uint32_t payload_len;		/* set by mv_stream_reserve(); may be made smaller before the commit */
	uint32_t payload_off;		/* set by the stream: offset into bytes[] */
	uint64_t payload_end;		/* set by the stream: producer's byte position after this record */
	uint64_t seq;			/* set by the stream when all else is there: the record's sequence number */

	uint64_t args[MV_NARGS];	/* ENTER, MV_TURN_SIGNAL: normalised; read by mv_record_args() */
	uint64_t hash[2];		/* ENTER: of the input, if it is too long to be the payload */
};
_Static_assert(sizeof(struct mv_record) == 128 && offsetof(struct mv_record, args) == 64, "the layout is two lines");

struct mv_stream;

/*
 * A word to wait for (FUTEX_WAIT, shared) and how often that was done; naps are sleeps that are disturbed in a hurry only.
 * Whoever makes something true that others may wait for changes the word by mv_word_bump() and looks at sleepers afterwards;
 * whoever waits increments sleepers, looks at the word once more and sleeps while it has not changed.
 *
 * All four are sequentially consistent, so they have one order in which everybody sees them.  Either the waiter's last
 * look comes after the bump, and it does not sleep; or it comes before, then so does the increment, and the look at
 * sleepers after the bump finds it.
 *
 * Who is woken takes long to come, and the writer is not to wake him with every bump until then: a writer that has found the
 * same count after two bumps, and woken after both, needs to wake nobody until the count changes.  After one it would not
 * do: who was counted then may have been about to sleep on the word as it was after that bump.  On x86 the bump is one locked
 * instruction, a full barrier that has to be paid to the word alone, and both looks are plain loads.
 *
 * Words are in memory that other processes write: what stands there costs a wake-up or a delay, never more.
 */
struct mv_word {
	uint32_t value;
	uint32_t sleepers;
	uint32_t naps;
};

static inline void mv_word_bump(struct mv_word *w)
{
	__atomic_fetch_add(&w->value, 1, __ATOMIC_SEQ_CST);
}

/* What a writer of a word remembers of a count of sleepers; zero at the word's beginning. */
struct mv_waker {
	uint32_t seen;		/* the count at the last look */
	uint32_t woken;		/* all up to this one have been woken */
};

/* Once after a bump: is the caller to wake those who are counted there? */
static inline bool mv_word_wanted(const uint32_t *count, struct mv_waker *waker)
{
	uint32_t sleepers = __atomic_load_n(count, __ATOMIC_SEQ_CST);

	if (sleepers == waker->woken)
		return false;
	if (sleepers == waker->seen)
		waker->woken = sleepers;
	waker->seen = sleepers;
	return true;
}

/* Bytes of arena a stream takes.  records and bytes (64 .. 2^31) are powers of two; consumers < MV_VARIANTS_MAX. */
size_t mv_stream_size(unsigned records, size_t bytes);
/* Make an empty stream in mem (64-byte aligned, mv_stream_size() bytes). */
void mv_stream_init(struct mv_stream *s, unsigned records, size_t bytes, unsigned consumers);
/* Longest payload one record may have: a quarter of the byte ring. */
size_t mv_stream_payload_max(const struct mv_stream *s);

/* ---- producer ---- */

/*
 * Room for a record with payload_len bytes of payload.  Returns the zeroed record and its payload area, or NULL when
 * the ring is full, or payload_len exceeds mv_stream_payload_max().  Nothing is visible before mv_stream_commit(); a
 * reservation may be dropped by reserving again.  payload (which may be NULL) is set to 16-byte aligned memory.  args
 * and hash are not zeroed: write them and set MV_REC_ARGS, or leave them alone.
 */
struct mv_record *mv_stream_reserve(struct mv_stream *s, size_t payload_len, void **payload);
/* Publish the reserved record; returns its sequence number (the first is 1). */
uint64_t mv_stream_commit(struct mv_stream *s);
/* Have all consumers acknowledged sequence number seq? */
bool mv_stream_acked(const struct mv_stream *s, uint64_t seq);
/* The first consumer that has not acknowledged seq, or -1. */
int mv_stream_late(const struct mv_stream *s, uint64_t seq);
/* Is more than half of the ring taken?  Nearly always answered from what the producer has seen of the cursors lately. */
bool mv_stream_crowded(struct mv_stream *s);
/*
 * Call fn with each ticket of a turn domain that is in the ring's records, read or not: up to that of a successful exec, or
 * only those that are turns.
 */
void mv_stream_tickets(const struct mv_stream *s, bool of_turns, void (*fn)(void *ctx, uint64_t ticket), void *ctx);
/* The last sequence number committed. */
uint64_t mv_stream_head(const struct mv_stream *s);

/* ---- consumer (0 .. consumers - 1) ---- */

/*
 * The next record, or NULL.  *payload points to its payload_len bytes; both stay valid until mv_stream_consume().  The
 * payload was checked to lie in the ring, but the record is in shared memory: whoever does not trust the producer's
 * process copies it first and asks mv_stream_payload() about the copy.
 */
const struct mv_record *mv_stream_next(const struct mv_stream *s, unsigned consumer, const void **payload);
/* The payload that a private copy of a record speaks of, NULL if it is not inside the ring. */
const void *mv_stream_payload(const struct mv_stream *s, const struct mv_record *copy);
/* The args of a record, zeros if it has none. */
const uint64_t *mv_record_args(const struct mv_record *rec);
/* The one n records behind that, or NULL, if it is there already: its payload was not checked. */
const struct mv_record *mv_stream_ahead(const struct mv_stream *s, unsigned consumer, unsigned n);
/* Done with that record. */
void mv_stream_consume(struct mv_stream *s, unsigned consumer);
/* The same, and tell the producer first that this consumer has arrived at that record and agrees. */
void mv_stream_agree(struct mv_stream *s, unsigned consumer);
/* Is more than half of the ring yet to be consumed? */
bool mv_stream_behind(const struct mv_stream *s, unsigned consumer);
/* Sequence number of the record that mv_stream_next() returns or would return; 0 after mv_stream_leave(). */
uint64_t mv_stream_tail(const struct mv_stream *s, unsigned consumer);
/* Tell the producer: this consumer has arrived at seq and agrees. */
void mv_stream_ack(struct mv_stream *s, unsigned consumer, uint64_t seq);
/* This consumer will not read any more: the producer no longer waits for it. */
void mv_stream_leave(struct mv_stream *s, unsigned consumer);

/* ---- waiting (for front-ends that wait in the process) ---- */

/* Changes with every commit. */
struct mv_word *mv_stream_commit_word(struct mv_stream *s);
/* Changes with every consume, ack and leave of that consumer. */
struct mv_word *mv_stream_consume_word(struct mv_stream *s, unsigned consumer);
/*
 * Where the producer wants a consumer to be, which it says before it takes the value of that consumer's word to wait for a
 * change: at least at an ack of seq, or so far that the reservation that was refused last fits.  mv_stream_arrived() tells the
 * consumer, after a change of its word, whether it is there; before that the producer is not to be woken, who would only look
 * and sleep again.  Who reads what was wanted before looks at the word before it was changed, so does not sleep.
 */
void mv_stream_want_ack(struct mv_stream *s, unsigned consumer, uint64_t seq);
void mv_stream_want_room(struct mv_stream *s, unsigned consumer);
bool mv_stream_arrived(const struct mv_stream *s, unsigned consumer);
/*
 * A consumer that still keeps the producer from making the reservation that was refused last, or -1.  It must be one that
 * does: another's word may not change again.
 */
int mv_stream_blocker(const struct mv_stream *s);

#endif
