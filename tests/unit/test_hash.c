#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "engine/hash.h"
#include "engine/random.h"

#define SIZE 100000

static unsigned char input[SIZE];
static const uint64_t key[4] = { 1, 2, 3, 4 };

static void hash(const uint64_t k[4], const void *p, size_t len, uint64_t out[2])
{
	struct mv_hash h;

	mv_hash_init(&h, k);
	mv_hash_update(&h, p, len);
	mv_hash_final(&h, out);
}

static int setup(void **state)
{
	uint64_t rng = 1;

	(void)state;
	for (unsigned i = 0; i < SIZE; i++)
		input[i] = (unsigned char)mv_random_step(&rng);
	return 0;
}

static void split_invariance(void **state)
{
	uint64_t rng = 5;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		size_t len = mv_random_step(&rng) % (round % 2 ? SIZE : 600), done = 0;
		uint64_t whole[2], pieces[2];
		struct mv_hash h;

		hash(key, input, len, whole);
		mv_hash_init(&h, key);
		while (done < len) {
			size_t piece = mv_random_step(&rng) % 5000;

			if (piece > len - done)
				piece = len - done;
			mv_hash_update(&h, input + done, piece);
			done += piece;
		}
		mv_hash_update(&h, NULL, 0);
		mv_hash_final(&h, pieces);
		assert_memory_equal(whole, pieces, sizeof(whole));
		mv_hash_final(&h, pieces);	/* asking twice changes nothing */
		assert_memory_equal(whole, pieces, sizeof(whole));
	}
}

static void every_key_word_counts(void **state)
{
	static const size_t lens[] = { 0, 1, 8, 16, 100, 200, 241, 5000, SIZE };

	(void)state;
	for (unsigned i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		uint64_t base[2], other[2];

		hash(key, input, lens[i], base);
		for (unsigned bit = 0; bit < 256; bit++) {
			uint64_t k[4];

			memcpy(k, key, sizeof(k));
			k[bit / 64] ^= (uint64_t)1 << bit % 64;
			hash(k, input, lens[i], other);
			assert_true(base[0] != other[0] && base[1] != other[1]);
		}
	}
}

static void every_byte_and_the_length_count(void **state)
{
	static const size_t lens[] = { 1, 17, 240, 241, 4097 };

	(void)state;
	for (unsigned i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		uint64_t base[2], other[2];

		hash(key, input, lens[i], base);
		for (size_t at = 0; at < lens[i]; at++) {
			input[at] ^= 0x10;
			hash(key, input, lens[i], other);
			input[at] ^= 0x10;
			assert_memory_not_equal(base, other, sizeof(base));
		}
		hash(key, input, lens[i] - 1, other);
		assert_memory_not_equal(base, other, sizeof(base));
	}
}

/* The state may lie at any address that is good for a uint64_t, and keeps inside its struct. */
static void any_alignment(void **state)
{
	static uint64_t room[200];
	uint64_t base[2], out[2];

	(void)state;
	hash(key, input, SIZE, base);
	for (unsigned at = 1; at <= 9; at++) {
		struct mv_hash *h = (struct mv_hash *)(room + at);
		uint64_t *behind = (uint64_t *)(h + 1);

		room[at - 1] = *behind = 0x1234567;
		mv_hash_init(h, key);
		mv_hash_update(h, input, SIZE);
		mv_hash_final(h, out);
		assert_memory_equal(base, out, sizeof(base));
		assert_int_equal(room[at - 1], 0x1234567);
		assert_int_equal(*behind, 0x1234567);
	}
}

static void same_again(void **state)
{
	uint64_t a[2], b[2];

	(void)state;
	hash(key, input, SIZE, a);
	hash(key, input, SIZE, b);
	assert_memory_equal(a, b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_invariance),
		cmocka_unit_test(every_key_word_counts),
		cmocka_unit_test(every_byte_and_the_length_count),
		cmocka_unit_test(any_alignment),
		cmocka_unit_test(same_again),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
