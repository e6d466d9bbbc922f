/*
 * Streams: one ring per thread set, written by the leader's thread, read by its twins (design.md section 7).
 *
 * A stream lives in the arena and holds no pointers: it may be mapped at a different address by every process.  One
 * producer, up to MV_VARIANTS_MAX - 1 consumers.  Nothing here waits; every function says "not now" instead.
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
	MV_REC_RESULT,		/* it is over: result, ticket */
	MV_REC_DATA,		/* a piece of its outputs; the last one has MV_REC_LAST */
	MV_REC_SIGNAL,		/* a signal: payload is the siginfo */
	MV_REC_END,		/* the leader's thread is gone; result = signal that killed it, or 0 */
	MV_REC_BROKEN,		/* never written: mv_stream_next() returns it for a damaged record or cursor */
};

enum {
	MV_REC_LAST = 1 << 0,		/* DATA: nothing follows; RESULT: no DATA follows */
	MV_REC_INTERRUPTED = 1 << 1,	/* RESULT: interrupted, result is an ERESTART code; SIGNAL follows */
	MV_REC_SIGNAL_FOLLOWS = 1 << 2,	/* RESULT: a SIGNAL to be delivered at this call's return follows */
	MV_REC_LOCKSTEP = 1 << 3,	/* ENTER: the leader waits for all acks */
	MV_REC_HOLD = 1 << 5,		/* RESULT: the leader goes on when all have acted on it */
};

struct mv_record {
	uint8_t kind;			/* enum mv_record_kind */
	uint8_t flags;			/* MV_REC_* */
	uint16_t sub;			/* DATA: element of a vector operand, or 0xffff */
	uint32_t nr;
	uint64_t args[MV_NARGS];	/* ENTER: normalised; DATA: args[0] = argument index, args[1] = offset */
	int64_t result;
	uint64_t ticket;		/* position in the process's order, 0 = none */
	uint64_t extra;			/* RESULT: exported descriptor, or the child's stream */
	uint64_t input_len;		/* ENTER: bytes gathered in all */
	uint64_t hash[2];
	uint32_t payload_len;		/* set by mv_stream_reserve(); may be made smaller before the commit */
	uint32_t payload_off;		/* set by the stream: offset into bytes[] */
	uint64_t payload_end;		/* set by the stream: producer's byte position after this record */
	uint64_t pad;
};
_Static_assert(sizeof(struct mv_record) == 128, "record size is part of the layout");

struct mv_stream;

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
 * reservation may be dropped by reserving again.  payload (which may be NULL) is set to 16-byte aligned memory.
 */
struct mv_record *mv_stream_reserve(struct mv_stream *s, size_t payload_len, void **payload);
/* Publish the reserved record; returns its sequence number (the first is 1). */
uint64_t mv_stream_commit(struct mv_stream *s);
/* Have all consumers acknowledged sequence number seq? */
bool mv_stream_acked(const struct mv_stream *s, uint64_t seq);
/* The first consumer that has not acknowledged seq, or -1. */
int mv_stream_late(const struct mv_stream *s, uint64_t seq);
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
/* Done with that record. */
void mv_stream_consume(struct mv_stream *s, unsigned consumer);
/* Sequence number of the record that mv_stream_next() returns or would return; 0 after mv_stream_leave(). */
uint64_t mv_stream_tail(const struct mv_stream *s, unsigned consumer);
/* Tell the producer: this consumer has arrived at seq and agrees. */
void mv_stream_ack(struct mv_stream *s, unsigned consumer, uint64_t seq);
/* This consumer will not read any more: the producer no longer waits for it. */
void mv_stream_leave(struct mv_stream *s, unsigned consumer);

/* ---- waiting (for front-ends that wait in the process) ---- */

/* A word that changes with every commit (for consumers) resp. every consume, ack and leave (for the producer). */
uint32_t *mv_stream_commit_word(struct mv_stream *s);
uint32_t *mv_stream_consume_word(struct mv_stream *s);

#endif
