/* Addresses in what a process writes to a pipe of its own making: compared by what they mean, wherever and however many. */
#include "engine_sim.h"
#include "engine/mm.h"

#define HERE 0x100000u		/* a mapping of the program's in each variant */
#define LENGTH 0x10000u
#define MESSAGE 0x2000u

static struct sim *begin(const struct sim_options *options)
{
	struct sim *s = sim_new(options);
	int32_t ends[2] = { 5, 6 };

	for (unsigned v = 0; v < s->config.variants; v++)
		assert_int_equal(mv_mm_add(mv_process_mm(mv_thread_process(s->t[v])), sim_addr(v, HERE), LENGTH,
					   MV_MAP_FIRST, 0), 0);
	sim_put(s, OUT, ends, sizeof(ends));
	assert_true(sim_all(s, CALL(__NR_pipe, AT(OUT))));
	return s;
}

/* A pointer at each place of a message of that length. */
static bool agree(unsigned fd, size_t len, size_t at, uint64_t leader, uint64_t follower)
{
	struct sim *s = begin(NULL);
	uint64_t words[2] = { leader, follower };
	bool agreed;

	for (unsigned v = 0; v < 2; v++) {
		memset(sim_mem(s, v, MESSAGE), 'x', len);
		memcpy((char *)sim_mem(s, v, MESSAGE) + at, &words[v], 8);
	}
	s->result = (int64_t)len;
	agreed = sim_all(s, CALL(__NR_write, fd, AT(MESSAGE), len));
	sim_free(s);
	return agreed;
}

static void one_address(void **state)
{
	static const size_t lengths[] = { 8, 9, 23, 512, 513, 4072, 4096, 4097, 9123, 16384 };
	uint64_t leader = sim_addr(0, HERE + 0x123), follower = sim_addr(1, HERE + 0x123);

	(void)state;
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		size_t last = lengths[i] - 8;

		for (size_t at = 0; at <= last; at += at < 8 || last - at < 2 ? 1 : last - at - 1) {
			assert_true(agree(6, lengths[i], at, leader, follower));
			assert_false(agree(6, lengths[i], at, leader, follower + 1));
			assert_false(agree(3, lengths[i], at, leader, follower));
			assert_true(agree(6, lengths[i], at, leader, leader));
			assert_true(agree(6, lengths[i], at, follower, follower));
			assert_false(agree(6, lengths[i], at, leader, sim_addr(1, HERE + LENGTH)));
			assert_false(agree(6, lengths[i], at, sim_addr(0, HERE + LENGTH), follower));
		}
	}
	assert_false(agree(6, 16385, 0, leader, follower));
	assert_true(agree(6, 16385, 0, leader, leader));
}

/* As many as fit into the list; one more is bytes. */
static void many(void **state)
{
	static const struct { unsigned n; bool agree; } cases[] = { { 2, true }, { 170, true }, { 171, false } };

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sim *s = begin(NULL);
		size_t len = 9 * cases[i].n;

		for (unsigned v = 0; v < 2; v++)
			for (unsigned k = 0; k < cases[i].n; k++) {
				uint64_t word = sim_addr(v, HERE + k);

				memcpy((char *)sim_mem(s, v, MESSAGE) + 9 * k, &word, 8);
			}
		s->result = (int64_t)len;
		assert_int_equal(sim_all(s, CALL(__NR_write, 6, AT(MESSAGE), len)), cases[i].agree);
		sim_free(s);
	}
}

/* Two followers that are of one opinion against the leader agree, although their bytes differ. */
static void opinions(void **state)
{
	struct sim_options spare = sim_defaults;

	(void)state;
	spare.variants = 3;
	spare.spare = true;
	for (unsigned apart = 0; apart < 2; apart++) {
		struct sim *s = begin(&spare);
		struct mv_call call = CALL(__NR_write, 6, AT(MESSAGE), 100);
		struct mv_step step = sim_enter(s->t[0], CALL(__NR_getpid));

		step = sim_exit(s->t[0], 1);
		sim_expect_done(&step, 1);
		for (unsigned v = 1; v < 3; v++) {
			sim_put_pointer(s, MESSAGE + 11, HERE + 5);
			*(char *)sim_mem(s, 2, MESSAGE) = (char)apart;
			step = sim_enter(s->t[v], call);
			sim_expect(&step, MV_STOP);
		}
		assert_int_equal(mv_run_agree(s->run, 1, 2), !apart);
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_address), cmocka_unit_test(many), cmocka_unit_test(opinions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
