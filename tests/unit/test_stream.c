#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "engine/random.h"
#include "engine/stream.h"

#define RECORDS 8
#define BYTES 256
#define CANARY 0xa5

/* A stream with a canary of 4 KiB behind it. */
static struct mv_stream *make(unsigned consumers)
{
	size_t size = mv_stream_size(RECORDS, BYTES);
	struct mv_stream *s = aligned_alloc(64, size + 4096);

	assert_non_null(s);
	assert_int_equal(size % 64, 0);
	memset(s, 0xff, size);		/* init must not depend on zeroed memory */
	memset((char *)s + size, CANARY, 4096);
	mv_stream_init(s, RECORDS, BYTES, consumers);
	return s;
}

static void drop(struct mv_stream *s)
{
	const unsigned char *p = (unsigned char *)s + mv_stream_size(RECORDS, BYTES);

	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(p[i], CANARY);
	free(s);
}

static bool put(struct mv_stream *s, uint32_t nr, size_t len)
{
	void *payload;
	struct mv_record *r = mv_stream_reserve(s, len, &payload);

	if (!r)
		return false;
	assert_int_equal((uintptr_t)payload % 16, 0);
	assert_int_equal(r->payload_len, len);
	assert_int_equal(r->result, 0);
	r->nr = nr;
	memset(payload, (int)nr & 0xff, len);
	mv_stream_commit(s);
	return true;
}

static void get(struct mv_stream *s, unsigned consumer, uint32_t nr, size_t len)
{
	const void *payload;
	const struct mv_record *r = mv_stream_next(s, consumer, &payload);

	assert_non_null(r);
	assert_int_equal(r->nr, nr);
	assert_int_equal(r->payload_len, len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(((const unsigned char *)payload)[i], nr & 0xff);
	mv_stream_consume(s, consumer);
}

static void empty(void **state)
{
	struct mv_stream *s = make(2);
	const void *payload;

	(void)state;
	assert_int_equal(mv_stream_head(s), 0);
	assert_int_equal(mv_stream_tail(s, 0), 1);
	assert_null(mv_stream_next(s, 0, &payload));
	mv_stream_consume(s, 0);
	assert_int_equal(mv_stream_tail(s, 0), 1);
	assert_int_equal(mv_stream_commit(s), 0);	/* nothing reserved */
	assert_null(mv_stream_next(s, 1, NULL));
	drop(s);
}

static void invisible_before_commit(void **state)
{
	struct mv_stream *s = make(1);
	void *payload;
	uint32_t before = mv_stream_commit_word(s)->value;

	(void)state;
	assert_non_null(mv_stream_reserve(s, 64, &payload));
	assert_non_null(mv_stream_reserve(s, 10, &payload));	/* drops the first */
	memset(payload, 7, 10);
	assert_null(mv_stream_next(s, 0, NULL));
	assert_int_equal(mv_stream_commit_word(s)->value, before);
	assert_int_equal(mv_stream_commit(s), 1);
	assert_int_not_equal(mv_stream_commit_word(s)->value, before);
	assert_int_equal(mv_stream_commit(s), 1);
	assert_int_equal(mv_stream_head(s), 1);
	drop(s);
}

static void full_of_records(void **state)
{
	struct mv_stream *s = make(2);

	(void)state;
	for (uint32_t i = 0; i < RECORDS; i++)
		assert_true(put(s, i, 0));
	assert_false(put(s, 99, 0));
	get(s, 0, 0, 0);
	assert_false(put(s, 99, 0));	/* the other has not read it */
	get(s, 1, 0, 0);
	assert_true(put(s, RECORDS, 0));
	assert_false(put(s, 99, 0));
	for (uint32_t i = 1; i <= RECORDS; i++)
		get(s, 0, i, 0);
	assert_null(mv_stream_next(s, 0, NULL));
	drop(s);
}

static void full_of_bytes(void **state)
{
	struct mv_stream *s = make(1);

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		assert_true(put(s, i, 64));
	assert_false(put(s, 99, 1));
	assert_true(put(s, 4, 0));	/* needs no bytes */
	get(s, 0, 0, 64);
	assert_true(put(s, 5, 64));
	for (uint32_t i = 1; i < 6; i++)
		get(s, 0, i, i == 4 ? 0 : 64);
	drop(s);
}

static void payload_max(void **state)
{
	struct mv_stream *s = make(1);

	(void)state;
	assert_int_equal(mv_stream_payload_max(s), BYTES / 4);
	assert_null(mv_stream_reserve(s, BYTES / 4 + 1, NULL));
	assert_null(mv_stream_reserve(s, SIZE_MAX, NULL));
	assert_int_equal(mv_stream_commit(s), 0);	/* a refused reservation cannot be committed */
	for (uint32_t i = 0; i < 100; i++) {		/* an empty ring always has room, wherever it stands */
		assert_true(put(s, i, i % 2 ? 33 : BYTES / 4));
		get(s, 0, i, i % 2 ? 33 : BYTES / 4);
	}
	drop(s);
}

static void shrink(void **state)
{
	struct mv_stream *s = make(1);
	struct mv_record *r = mv_stream_reserve(s, 40, NULL);
	const struct mv_record *got;

	(void)state;
	r->payload_len = 5;
	mv_stream_commit(s);
	assert_int_equal(mv_stream_next(s, 0, NULL)->payload_len, 5);
	mv_stream_consume(s, 0);
	r = mv_stream_reserve(s, 40, NULL);
	r->payload_len = 60;
	r->payload_off = 12345;
	mv_stream_commit(s);
	got = mv_stream_next(s, 0, NULL);
	assert_int_equal(got->payload_len, 40);
	assert_in_range(got->payload_off, 0, BYTES - 40);
	drop(s);
}

/* A random walk against a model: what comes out is what went in, in order, for each of three consumers. */
static void wrap_around(void **state)
{
	struct mv_stream *s = make(3);
	static size_t lens[20000];
	uint64_t rng = 42, in = 0, out[3] = { 0 }, refused = 0;

	(void)state;
	while (in < 20000) {
		uint64_t x = mv_random_step(&rng);
		unsigned who = (unsigned)(x % 5);

		if (who >= 3) {
			size_t len = x >> 32 & 1 ? (x >> 8) % (BYTES / 4 + 1) : 0;

			if (put(s, (uint32_t)in, len))
				lens[in++] = len;
			else
				refused++;
		} else if (out[who] < in) {
			assert_int_equal(mv_stream_tail(s, who), out[who] + 1);
			get(s, who, (uint32_t)out[who], lens[out[who]]);
			out[who]++;
		} else {
			assert_null(mv_stream_next(s, who, NULL));
		}
	}
	assert_true(refused > 100);
	drop(s);
}

static void leave(void **state)
{
	struct mv_stream *s = make(2);
	uint32_t before;

	(void)state;
	for (uint32_t i = 0; i < RECORDS; i++) {
		assert_true(put(s, i, 16));
		get(s, 0, i, 16);
	}
	assert_false(put(s, 99, 0));
	assert_false(mv_stream_acked(s, 1));
	before = mv_stream_consume_word(s, 1)->value;
	mv_stream_leave(s, 1);
	assert_int_not_equal(mv_stream_consume_word(s, 1)->value, before);
	assert_null(mv_stream_next(s, 1, NULL));
	mv_stream_consume(s, 1);
	assert_int_equal(mv_stream_tail(s, 1), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_true(put(s, i, 50));
		get(s, 0, i, 50);
	}
	mv_stream_leave(s, 0);
	for (uint32_t i = 0; i < 1000; i++)	/* nobody left to wait for */
		assert_true(put(s, i, 64));
	assert_true(mv_stream_acked(s, 2000));
	drop(s);
}

static void nobody(void **state)
{
	struct mv_stream *s = make(0);

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		assert_true(put(s, i, 64));
	assert_true(mv_stream_acked(s, 1000));
	assert_int_equal(mv_stream_late(s, 1000), -1);
	drop(s);
}

static void acks(void **state)
{
	struct mv_stream *s = make(3);
	uint32_t before = mv_stream_consume_word(s, 0)->value;

	(void)state;
	assert_int_equal(mv_stream_late(s, 1), 0);
	mv_stream_ack(s, 0, 1);
	assert_int_not_equal(mv_stream_consume_word(s, 0)->value, before);
	assert_int_equal(mv_stream_late(s, 1), 1);
	mv_stream_ack(s, 2, 5);
	assert_false(mv_stream_acked(s, 1));
	mv_stream_leave(s, 1);
	assert_true(mv_stream_acked(s, 1));
	assert_int_equal(mv_stream_late(s, 2), 0);
	mv_stream_ack(s, 0, 6);
	assert_true(mv_stream_acked(s, 5));
	assert_int_equal(mv_stream_late(s, 6), 2);
	before = mv_stream_consume_word(s, 0)->value;
	put(s, 0, 0);
	mv_stream_consume(s, 0);
	assert_int_not_equal(mv_stream_consume_word(s, 0)->value, before);
	assert_int_equal(mv_stream_consume_word(s, 1)->value, mv_stream_consume_word(s, 2)->value);
	drop(s);
}

static void agree(void **state)
{
	struct mv_stream *s = make(2);
	uint32_t before = mv_stream_consume_word(s, 1)->value;

	(void)state;
	mv_stream_agree(s, 1);			/* to nothing */
	assert_int_equal(mv_stream_late(s, 1), 0);
	assert_int_equal(mv_stream_consume_word(s, 1)->value, before);
	put(s, 1, 0);
	mv_stream_agree(s, 0);
	assert_int_equal(mv_stream_tail(s, 0), 2);
	assert_int_equal(mv_stream_late(s, 1), 1);
	mv_stream_agree(s, 1);
	assert_int_not_equal(mv_stream_consume_word(s, 1)->value, before);
	assert_true(mv_stream_acked(s, 1));
	assert_false(mv_stream_acked(s, 2));
	drop(s);
}

/* Only who keeps a refused reservation from being made is worth waiting for. */
static void blocker(void **state)
{
	struct mv_stream *s = make(3);

	(void)state;
	assert_int_equal(mv_stream_blocker(s), -1);
	for (uint32_t i = 0; i < RECORDS; i++)
		assert_true(put(s, i, 0));
	assert_false(put(s, 99, 0));
	assert_int_equal(mv_stream_blocker(s), 0);
	get(s, 0, 0, 0);
	assert_int_equal(mv_stream_blocker(s), 1);
	mv_stream_leave(s, 1);
	assert_int_equal(mv_stream_blocker(s), 2);
	get(s, 2, 0, 0);
	assert_int_equal(mv_stream_blocker(s), -1);	/* room for one, though both are behind */
	for (uint32_t i = 1; i < RECORDS; i++) {
		get(s, 0, i, 0);
		get(s, 2, i, 0);
	}
	for (uint32_t i = 0; i < 4; i++)
		assert_true(put(s, i, 64));
	get(s, 0, 0, 64);
	assert_false(put(s, 99, 64));			/* room for records, but not for bytes */
	assert_int_equal(mv_stream_blocker(s), 2);
	get(s, 2, 0, 64);
	assert_int_equal(mv_stream_blocker(s), -1);
	assert_true(put(s, 4, 64));
	drop(s);
}

/* Args of an earlier lap are not those of a record that has none. */
static void args(void **state)
{
	struct mv_stream *s = make(1);
	struct mv_record *r;

	(void)state;
	for (unsigned i = 0; i < 2 * RECORDS; i++) {
		bool with = i < RECORDS;

		r = mv_stream_reserve(s, 0, NULL);
		if (with) {
			r->flags = MV_REC_ARGS;
			for (unsigned a = 0; a < MV_NARGS; a++)
				r->args[a] = i + a + 1;
		}
		mv_stream_commit(s);
		for (unsigned a = 0; a < MV_NARGS; a++)
			assert_int_equal(mv_record_args(mv_stream_next(s, 0, NULL))[a], with ? i + a + 1 : 0);
		mv_stream_consume(s, 0);
	}
	drop(s);
}

static void wanted(void **state)
{
	struct mv_word w = { UINT32_MAX, 0, 0 };
	struct mv_waker waker = { 0 };

	(void)state;
	assert_false(mv_word_wanted(&w.sleepers, &waker));
	w.sleepers = 3;
	mv_word_bump(&w);
	assert_int_equal(w.value, 0);
	assert_int_equal(w.sleepers, 3);
	assert_true(mv_word_wanted(&w.sleepers, &waker));
	assert_true(mv_word_wanted(&w.sleepers, &waker));
	assert_false(mv_word_wanted(&w.sleepers, &waker));
	w.sleepers++;
	assert_true(mv_word_wanted(&w.sleepers, &waker));
}

/* A record that another process scribbled over is reported, and its neighbours are not lost. */
static void damaged_record(void **state)
{
	struct mv_stream *s = make(1);
	const void *payload;
	struct mv_record *r, copy;

	(void)state;
	put(s, 1, 32);
	put(s, 2, 32);
	r = (struct mv_record *)mv_stream_next(s, 0, &payload);
	copy = *r;
	assert_ptr_equal(mv_stream_payload(s, &copy), payload);
	copy.payload_len = BYTES / 4;
	copy.payload_off = BYTES - BYTES / 4;
	assert_non_null(mv_stream_payload(s, &copy));
	copy.payload_off++;
	assert_null(mv_stream_payload(s, &copy));
	r->payload_len = BYTES / 4 + 1;
	assert_int_equal(mv_stream_next(s, 0, &payload)->kind, MV_REC_BROKEN);
	assert_null(payload);
	r->payload_len = 32;
	r->payload_off = UINT32_MAX;
	assert_int_equal(mv_stream_next(s, 0, &payload)->kind, MV_REC_BROKEN);
	mv_stream_consume(s, 0);
	get(s, 0, 2, 32);
	drop(s);
}

/* A producer that overtakes a reader or writes numbers that are none is found out. */
static void damaged_number(void **state)
{
	struct mv_stream *s = make(1);
	struct mv_record *r;

	(void)state;
	put(s, 1, 0);
	put(s, 2, 0);
	get(s, 0, 1, 0);
	r = (struct mv_record *)mv_stream_next(s, 0, NULL);
	assert_int_equal(r->seq, 2);
	r->seq = 2 + RECORDS;
	assert_int_equal(mv_stream_next(s, 0, NULL)->kind, MV_REC_BROKEN);
	mv_stream_consume(s, 0);
	assert_int_equal(mv_stream_tail(s, 0), 2);
	r->seq = 1;
	assert_int_equal(mv_stream_next(s, 0, NULL)->kind, MV_REC_BROKEN);
	r->seq = 0;		/* not there yet */
	assert_null(mv_stream_next(s, 0, NULL));
	mv_stream_consume(s, 0);
	assert_int_equal(mv_stream_tail(s, 0), 2);
	r->seq = 2;
	get(s, 0, 2, 0);
	drop(s);
}

/* Whatever is written over cursors, positions and records, nobody leaves the ring. */
static void scribbled(void **state)
{
	uint64_t rng = 7, found = 0;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct mv_stream *s = make(2);
		size_t size = mv_stream_size(RECORDS, BYTES);
		const char *low = (const char *)s, *high = low + size;

		for (uint32_t i = 0; i < 5; i++)
			put(s, i, 40);
		for (unsigned i = 0; i < 20; i++) {	/* all but the geometry in the first line */
			uint64_t x = mv_random_step(&rng), value = x & 1 ? mv_random_step(&rng) : (x >> 40) % 300;

			memcpy((char *)s + 64 + (x >> 3) % ((size - 64) / 8) * 8, &value, 8);
		}
		for (unsigned i = 0; i < 20; i++) {
			unsigned who = i & 1;
			const void *payload;
			const struct mv_record *r = mv_stream_next(s, who, &payload);
			void *room;

			if (r && r->kind == MV_REC_BROKEN && !r->payload_len) {
				found++;
			} else if (r) {
				const char *p = payload;

				assert_true((const char *)r >= low && (const char *)(r + 1) <= high);
				assert_true(p >= low && p + r->payload_len <= high);
			}
			mv_stream_consume(s, who);
			if (mv_stream_reserve(s, 64, &room)) {
				assert_true((char *)room >= low && (char *)room + 64 <= high);
				memset(room, 1, 64);
				mv_stream_commit(s);
			}
		}
		drop(s);
	}
	assert_true(found > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(invisible_before_commit),
		cmocka_unit_test(full_of_records),
		cmocka_unit_test(full_of_bytes),
		cmocka_unit_test(payload_max),
		cmocka_unit_test(shrink),
		cmocka_unit_test(wrap_around),
		cmocka_unit_test(leave),
		cmocka_unit_test(nobody),
		cmocka_unit_test(acks),
		cmocka_unit_test(agree),
		cmocka_unit_test(blocker),
		cmocka_unit_test(args),
		cmocka_unit_test(wanted),
		cmocka_unit_test(damaged_record),
		cmocka_unit_test(damaged_number),
		cmocka_unit_test(scribbled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
