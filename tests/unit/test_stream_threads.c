/*
 * One producer and two consumers in real threads; also built with -fsanitize=thread.  Every payload is a function of
 * its sequence number, and every thousandth record is acknowledged in lockstep.  Exit status 0 when all arrived
 * intact.
 */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "engine/random.h"
#include "engine/stream.h"

#define COUNT 200000
#define CONSUMERS 2
#define RING_RECORDS 64
#define RING_BYTES 8192
#define LOCKSTEP 1000

static struct mv_stream *stream;

static uint64_t fill_of(uint64_t seq, size_t *len)
{
	uint64_t x = seq * 0x9e3779b97f4a7c15u, r = mv_random_step(&x);

	*len = r % 4 ? r % 200 : r % (RING_BYTES / 4 + 1);
	return r;
}

static void fail(const char *what, uint64_t seq)
{
	fprintf(stderr, "record %llu: %s\n", (unsigned long long)seq, what);
	exit(1);
}

static void *produce(void *arg)
{
	(void)arg;
	for (uint64_t seq = 1; seq <= COUNT; seq++) {
		struct mv_record *r;
		void *payload;
		size_t len;
		uint64_t x = fill_of(seq, &len);
		unsigned char *p;

		while (!(r = mv_stream_reserve(stream, len, &payload)))
			sched_yield();
		r->ticket = x;
		p = payload;
		for (size_t i = 0; i < len; i++)
			p[i] = (unsigned char)(x >> (i % 8 * 8));
		if (mv_stream_commit(stream) != seq)
			fail("wrong sequence number", seq);
		if (seq % LOCKSTEP == 0)
			while (!mv_stream_acked(stream, seq))
				sched_yield();
	}
	return NULL;
}

static void *consume(void *arg)
{
	unsigned me = *(unsigned *)arg;

	for (uint64_t seq = 1; seq <= COUNT; seq++) {
		const struct mv_record *r;
		const void *payload;
		const unsigned char *p;
		size_t len;
		uint64_t x = fill_of(seq, &len);

		while (!(r = mv_stream_next(stream, me, &payload)))
			sched_yield();
		if (mv_stream_tail(stream, me) != seq)
			fail("wrong tail", seq);
		if (r->ticket != x || r->payload_len != len)
			fail("wrong record", seq);
		p = payload;
		for (size_t i = 0; i < len; i++)
			if (p[i] != (unsigned char)(x >> (i % 8 * 8)))
				fail("wrong payload", seq);
		mv_stream_consume(stream, me);
		if (seq % LOCKSTEP == 0)
			mv_stream_ack(stream, me, seq);
	}
	mv_stream_leave(stream, me);
	return NULL;
}

int main(void)
{
	pthread_t producer, consumer[CONSUMERS];
	unsigned number[CONSUMERS];

	stream = aligned_alloc(64, mv_stream_size(RING_RECORDS, RING_BYTES));
	if (!stream)
		return 1;
	mv_stream_init(stream, RING_RECORDS, RING_BYTES, CONSUMERS);
	for (unsigned i = 0; i < CONSUMERS; i++) {
		number[i] = i;
		if (pthread_create(&consumer[i], NULL, consume, &number[i]))
			return 1;
	}
	if (pthread_create(&producer, NULL, produce, NULL))
		return 1;
	pthread_join(producer, NULL);
	for (unsigned i = 0; i < CONSUMERS; i++)
		pthread_join(consumer[i], NULL);
	if (mv_stream_head(stream) != COUNT)
		fail("wrong head at the end", mv_stream_head(stream));
	free(stream);
	return 0;
}
