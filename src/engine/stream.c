/*
 * Streams.  Positions (sequence numbers, byte positions) only ever grow; an index is a position masked by the ring's
 * size.  A record's seq is stored with release after the rest of it and loaded with acquire, and the same holds for the
 * consumers' cursors in the other direction.  The producer does not write to a record that somebody has yet to read, so
 * until the next one is there its place bears the number of the one before it.
 *
 * Peers may be compromised: whatever another process writes while the run goes on (positions, records) can make a
 * reader see a full ring, an empty ring or MV_REC_BROKEN, but never leave the ring.  The geometry is trusted: it is
 * written before any variant runs, and front-ends that map the arena into variants keep the program from writing there.
 */
#include "engine/stream.h"

#define LINE __attribute__((aligned(64)))
#define CONSUMERS_MAX (MV_VARIANTS_MAX - 1)
#define LEFT UINT64_MAX		/* cursor and ack of a consumer that is gone: ahead of everything */
#define PAYLOAD_ALIGN 16
#define AHEAD 4			/* records, of which a call takes one to three */

struct cursor {
	uint64_t tail;		/* sequence number of the last record consumed, or LEFT */
	uint64_t bytes;		/* that record's payload_end */
	struct mv_word moves;	/* of the two, and of the consumer's ack */
	struct { uint64_t ack, tail, bytes; } wanted;	/* the producer's: less than that is not worth waking it */
} LINE;
_Static_assert(sizeof(struct cursor) == 64, "a cursor is one line");

struct mv_stream {
	/* Geometry, constant. */
	uint32_t nrecords, consumers;
	uint64_t nbytes;

	/* The producer's own, but for sleepers; consumers look at the word when they are about to sleep. */
	LINE uint64_t head;
	struct mv_word commits;
	uint64_t byte_pos;		/* where the next payload goes */
	uint64_t seen_tail, seen_bytes;	/* the slowest consumer's cursor when last looked at */
	uint64_t reserved_end;		/* of the reservation: payload_end ... */
	uint64_t refused_end;		/* of the last reservation for which there was no room: payload_end */
	uint32_t reserved_off, reserved_len;	/* ... and what record has to say */
	bool reserved;
	LINE struct mv_record draft;	/* of the reservation; a consumer that polls the ring would slow its writing down */

	/* Written by consumers, polled by the producer: one line tells it whether all have arrived. */
	LINE uint64_t acks[CONSUMERS_MAX];

	/* Written by one consumer each, polled by the producer when the ring seems full. */
	struct cursor cursors[CONSUMERS_MAX];
	/* records[nrecords], bytes[nbytes] */
};
_Static_assert(sizeof(struct mv_stream) % 64 == 0, "records begin on a cache line");

static const struct mv_record broken = { .kind = MV_REC_BROKEN };

static size_t records_size(uint32_t records)
{
	return ((size_t)records * sizeof(struct mv_record) + 63) & ~(size_t)63;
}

static struct mv_record *record_at(const struct mv_stream *s, uint64_t seq)
{
	return (struct mv_record *)((uintptr_t)s + sizeof(*s)) + ((seq - 1) & (s->nrecords - 1));
}

static char *bytes_of(const struct mv_stream *s)
{
	return (char *)((uintptr_t)s + sizeof(*s) + records_size(s->nrecords));
}

static unsigned consumers_of(const struct mv_stream *s)
{
	return s->consumers < CONSUMERS_MAX ? s->consumers : CONSUMERS_MAX;
}

static uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

size_t mv_stream_size(unsigned records, size_t bytes)
{
	return sizeof(struct mv_stream) + records_size(records) + bytes;
}

void mv_stream_init(struct mv_stream *s, unsigned records, size_t bytes, unsigned consumers)
{
	__builtin_memset(s, 0, sizeof(*s));
	s->nrecords = records;
	s->nbytes = bytes;
	s->consumers = consumers;
	record_at(s, 1)->seq = 0;
}

size_t mv_stream_payload_max(const struct mv_stream *s)
{
	return s->nbytes / 4;
}

/* ---- producer ---- */

static bool fits(const struct mv_stream *s, uint64_t end)
{
	return s->head - s->seen_tail < s->nrecords && end - s->seen_bytes <= s->nbytes;
}

/* Find the slowest consumer.  Distances instead of positions: a cursor ahead of us is nonsense and looks far behind. */
static void look(struct mv_stream *s)
{
	uint64_t record_lag = 0, byte_lag = 0;

	for (unsigned i = 0; i < consumers_of(s); i++) {
		uint64_t tail = load(&s->cursors[i].tail);
		uint64_t bytes = load(&s->cursors[i].bytes);

		if (tail == LEFT)
			continue;
		if (s->head - tail > record_lag)
			record_lag = s->head - tail;
		if (s->byte_pos - bytes > byte_lag)
			byte_lag = s->byte_pos - bytes;
	}
	s->seen_tail = s->head - record_lag;
	s->seen_bytes = s->byte_pos - byte_lag;
}

static bool over_half(const struct mv_stream *s, uint64_t records, uint64_t bytes)
{
	return records > s->nrecords / 2 || bytes > s->nbytes / 2;
}

static bool half_full(const struct mv_stream *s)
{
	return over_half(s, s->head - s->seen_tail, s->byte_pos - s->seen_bytes);
}

bool mv_stream_crowded(struct mv_stream *s)
{
	if (!half_full(s))
		return false;
	look(s);
	return half_full(s);
}

struct mv_record *mv_stream_reserve(struct mv_stream *s, size_t payload_len, void **payload)
{
	uint64_t start = s->byte_pos, end, room;
	struct mv_record *r;

	s->reserved = false;
	if (payload_len > mv_stream_payload_max(s))
		return NULL;
	room = s->nbytes - (start & (s->nbytes - 1));
	if (payload_len > room)
		start += room;
	end = start + ((payload_len + PAYLOAD_ALIGN - 1) & ~(uint64_t)(PAYLOAD_ALIGN - 1));
	if (!fits(s, end)) {
		look(s);
		if (!fits(s, end)) {
			s->refused_end = end;
			return NULL;
		}
	}
	s->reserved = true;
	s->reserved_off = (uint32_t)(start & (s->nbytes - 1));
	s->reserved_len = (uint32_t)payload_len;
	s->reserved_end = end;
	r = &s->draft;
	__builtin_memset(r, 0, offsetof(struct mv_record, args));
	r->payload_len = s->reserved_len;
	if (payload)
		*payload = bytes_of(s) + s->reserved_off;
	return r;
}

/*
 * The line will be written soon.  A consumer has read what stands there: to get it from that CPU takes as long as a short
 * call.  __builtin_prefetch() would get it for reading where the compiler may not use this instruction; the processor always may.
 */
static void want(const void *line)
{
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
}

uint64_t mv_stream_commit(struct mv_stream *s)
{
	struct mv_record *draft = &s->draft, *r = record_at(s, s->head + 1);

	if (!s->reserved)
		return s->head;
	s->reserved = false;
	if (draft->payload_len > s->reserved_len)
		draft->payload_len = s->reserved_len;
	draft->payload_off = s->reserved_off;
	draft->payload_end = s->reserved_end;
	if (draft->flags & MV_REC_ARGS)
		__builtin_memcpy(r->args, draft->args, sizeof(*r) - offsetof(struct mv_record, args));
	__builtin_memcpy(r, draft, offsetof(struct mv_record, seq));
	/* The memory may have been another stream's; to clear all of it at once would take as long as a fork. */
	if (s->head + 2 <= s->nrecords)
		store(&record_at(s, s->head + 2)->seq, 0);
	s->byte_pos = s->reserved_end;
	store(&s->head, s->head + 1);
	store(&r->seq, s->head);
	want(record_at(s, s->head + AHEAD));
	mv_word_bump(&s->commits);
	return s->head;
}

int mv_stream_late(const struct mv_stream *s, uint64_t seq)
{
	for (unsigned i = 0; i < consumers_of(s); i++)
		if (load(&s->acks[i]) < seq)
			return (int)i;
	return -1;
}

bool mv_stream_acked(const struct mv_stream *s, uint64_t seq)
{
	return mv_stream_late(s, seq) < 0;
}

uint64_t mv_stream_head(const struct mv_stream *s)
{
	return load(&s->head);
}

/* ---- consumer ---- */

static const uint64_t no_args[MV_NARGS];

const uint64_t *mv_record_args(const struct mv_record *rec)
{
	return rec->flags & MV_REC_ARGS ? rec->args : no_args;
}

/* What the place of record seq bears until that is there. */
static uint64_t before(const struct mv_stream *s, uint64_t seq)
{
	return seq > s->nrecords ? seq - s->nrecords : 0;
}

const void *mv_stream_payload(const struct mv_stream *s, const struct mv_record *copy)
{
	/* One load each: copy may after all be the record in the ring, as it is in mv_stream_next(). */
	uint32_t off = __atomic_load_n(&copy->payload_off, __ATOMIC_RELAXED);
	uint32_t len = __atomic_load_n(&copy->payload_len, __ATOMIC_RELAXED);

	if (len > mv_stream_payload_max(s) || off > s->nbytes - len)
		return NULL;
	return bytes_of(s) + off;
}

#define NR_EXECVE 59
#define NR_EXECVEAT 322

void mv_stream_tickets(const struct mv_stream *s, bool of_turns, void (*fn)(void *ctx, uint64_t ticket), void *ctx)
{
	uint64_t head = load(&s->head), seq = head > s->nrecords ? head - s->nrecords : 0;

	while (seq++ < head) {
		const struct mv_record *r = record_at(s, seq);

		if (load(&r->seq) != seq || (r->kind != MV_REC_ENTER && r->kind != MV_REC_RESULT))
			continue;
		if (r->ticket && (!of_turns || r->flags & MV_REC_TURN))
			fn(ctx, r->ticket);
		if (!of_turns && r->kind == MV_REC_RESULT && !r->result && (r->nr == NR_EXECVE || r->nr == NR_EXECVEAT))
			return;
	}
}

const struct mv_record *mv_stream_next(const struct mv_stream *s, unsigned consumer, const void **payload)
{
	uint64_t tail = load(&s->cursors[consumer].tail), seq;
	const struct mv_record *r = record_at(s, tail + 1);
	const void *bytes;

	if (payload)
		*payload = NULL;
	if (tail == LEFT)
		return NULL;
	seq = load(&r->seq);
	if (seq != tail + 1)
		return seq == before(s, tail + 1) ? NULL : &broken;
	bytes = mv_stream_payload(s, r);
	if (!bytes)
		return &broken;
	if (payload)
		*payload = bytes;
	return r;
}

const struct mv_record *mv_stream_ahead(const struct mv_stream *s, unsigned consumer, unsigned n)
{
	uint64_t tail = load(&s->cursors[consumer].tail), seq = tail + 1 + n;
	const struct mv_record *r = record_at(s, seq);

	return tail == LEFT || n >= s->nrecords || load(&r->seq) != seq ? NULL : r;
}

static void pass(struct mv_stream *s, unsigned consumer, bool agree)
{
	struct cursor *c = &s->cursors[consumer];
	uint64_t tail = load(&c->tail);
	const struct mv_record *r = record_at(s, tail + 1);

	if (tail == LEFT || load(&r->seq) != tail + 1)
		return;		/* nothing to consume */
	if (agree)
		store(&s->acks[consumer], tail + 1);
	store(&c->bytes, r->payload_end);
	store(&c->tail, tail + 1);
	mv_word_bump(&c->moves);
}

void mv_stream_consume(struct mv_stream *s, unsigned consumer)
{
	pass(s, consumer, false);
}

void mv_stream_agree(struct mv_stream *s, unsigned consumer)
{
	pass(s, consumer, true);
}

bool mv_stream_behind(const struct mv_stream *s, unsigned consumer)
{
	const struct cursor *c = &s->cursors[consumer];

	return over_half(s, load(&s->head) - load(&c->tail), load(&s->byte_pos) - load(&c->bytes));
}

uint64_t mv_stream_tail(const struct mv_stream *s, unsigned consumer)
{
	return load(&s->cursors[consumer].tail) + 1;
}

void mv_stream_ack(struct mv_stream *s, unsigned consumer, uint64_t seq)
{
	store(&s->acks[consumer], seq);
	mv_word_bump(&s->cursors[consumer].moves);
}

void mv_stream_leave(struct mv_stream *s, unsigned consumer)
{
	store(&s->cursors[consumer].tail, LEFT);
	mv_stream_ack(s, consumer, LEFT);
}

/* ---- waiting ---- */

struct mv_word *mv_stream_commit_word(struct mv_stream *s)
{
	return &s->commits;
}

struct mv_word *mv_stream_consume_word(struct mv_stream *s, unsigned consumer)
{
	return &s->cursors[consumer].moves;
}

/* The consumer writes to that line with every record: a producer that says the same again leaves it alone. */
static void say(uint64_t *wanted, uint64_t value)
{
	if (__atomic_load_n(wanted, __ATOMIC_RELAXED) != value)
		__atomic_store_n(wanted, value, __ATOMIC_RELAXED);
}

static void set_wanted(struct mv_stream *s, unsigned consumer, uint64_t ack, uint64_t tail, uint64_t bytes)
{
	struct cursor *c = &s->cursors[consumer];

	say(&c->wanted.ack, ack);
	say(&c->wanted.tail, tail);
	say(&c->wanted.bytes, bytes);
}

void mv_stream_want_ack(struct mv_stream *s, unsigned consumer, uint64_t seq)
{
	set_wanted(s, consumer, seq, 0, 0);
}

void mv_stream_want_room(struct mv_stream *s, unsigned consumer)
{
	set_wanted(s, consumer, 0, s->head < s->nrecords ? 0 : s->head + 1 - s->nrecords,
		   s->refused_end < s->nbytes ? 0 : s->refused_end - s->nbytes);
}

bool mv_stream_arrived(const struct mv_stream *s, unsigned consumer)
{
	const struct cursor *c = &s->cursors[consumer];
	uint64_t tail = load(&c->tail);

	return tail == LEFT || (load(&s->acks[consumer]) >= load(&c->wanted.ack) && tail >= load(&c->wanted.tail) &&
				load(&c->bytes) >= load(&c->wanted.bytes));
}

int mv_stream_blocker(const struct mv_stream *s)
{
	for (unsigned i = 0; i < consumers_of(s); i++) {
		uint64_t tail = load(&s->cursors[i].tail), bytes = load(&s->cursors[i].bytes);

		if (tail != LEFT && (s->head - tail >= s->nrecords || s->refused_end - bytes > s->nbytes))
			return (int)i;
	}
	return -1;
}
