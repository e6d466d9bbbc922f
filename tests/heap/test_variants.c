/*
 * Where objects lie in different variants: this program runs itself with other settings and reads what it prints, the addresses
 * of objects of a fixed sequence of requests.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define NEAR 100	/* objects of one size */
#define OBJECTS 260
#define HUGE 20

struct layout {
	uint64_t at[OBJECTS];
	uint64_t huge[HUGE];
	uint64_t fill;
};

/* ---- in the child ---- */

static int show(void)
{
	struct layout *l = malloc(sizeof(*l));
	void *freed[50];
	uint8_t *p;

	for (unsigned i = 0; i < OBJECTS; i++) {
		if (i % 5 == 0)
			freed[i / 5 % 50] = malloc(72);
		if (i % 7 == 0 && i >= 35)
			free(freed[i / 7 % 7]), freed[i / 7 % 7] = NULL;
		l->at[i] = (uintptr_t)malloc(i < NEAR ? 48 : (i * 7919u) % (i % 10 ? 600 : 90000));
	}
	for (unsigned i = 0; i < HUGE; i++)
		l->huge[i] = (uintptr_t)malloc(700000 + i * 4096);
	p = malloc(10);
	l->fill = p[0];
	return write(STDOUT_FILENO, l, sizeof(*l)) != sizeof(*l);
}

/* ---- in the parent ---- */

static void look(const char *options, struct layout *l)
{
	int pipes[2], status;
	size_t got = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		dup2(pipes[1], STDOUT_FILENO);
		setenv("MVHEAP_OPTIONS", options, 1);
		personality(ADDR_NO_RANDOMIZE);	/* what differs is then the heap's doing */
		execl("/proc/self/exe", "test_heap_variants", "show", NULL);
		_exit(99);
	}
	close(pipes[1]);
	while ((n = read(pipes[0], (char *)l + got, sizeof(*l) - got)) > 0)
		got += (size_t)n;
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(got, sizeof(*l));
}

static void look_at(unsigned seed, unsigned variant, unsigned variants, const char *more, struct layout *l)
{
	char options[100];

	snprintf(options, sizeof(options), "seed=%u,variant=%u,variants=%u%s", seed, variant, variants, more);
	look(options, l);
}

/* Pairs of objects with the same distance in both. */
static unsigned equal_distances(const uint64_t *a, const uint64_t *b, unsigned n)
{
	unsigned equal = 0;

	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < i; j++)
			equal += a[i] - a[j] == b[i] - b[j];
	return equal;
}

static void compare_all(unsigned seed, unsigned variants, const char *more)
{
	static struct layout l[8];

	for (unsigned v = 0; v < variants; v++)
		look_at(seed, v, variants, more, &l[v]);
	for (unsigned v = 0; v < variants; v++)
		for (unsigned w = 0; w < v; w++) {
			assert_int_equal(equal_distances(l[v].at, l[w].at, OBJECTS), 0);
			assert_int_equal(equal_distances(l[v].huge, l[w].huge, HUGE), 0);
			assert_int_not_equal(l[v].fill, l[w].fill);
		}
}

/* Not for nearly all, but for all seeds and pairs. */
static void test_distances(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 200; seed++)
		compare_all(seed, 2 + seed % 2, "");
	for (unsigned seed = 0; seed < 5; seed++)
		compare_all(seed, 8, "");
}

static void test_distances_with_settings(void **state)
{
	static const char *const settings[] = {
		",slab-max=1", ",slab-max=2", ",slab-max=7", ",slab-max=16384", ",slab-pad=0", ",slab-pad=524288", ",slab-pad=1",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		compare_all(i, 3, settings[i]);
}

/* Programs put together what lies in a row; it must not depend on the variant whether something does. */
static void test_not_adjacent(void **state)
{
	struct layout l;

	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		look_at(seed, 0, 1, "", &l);
		for (unsigned i = 0; i < NEAR; i++)
			for (unsigned j = 0; j < NEAR; j++)
				assert_true(l.at[i] + 48 != l.at[j]);
	}
}

/* The same settings give the same order, to repeat a run. */
static void test_repeats(void **state)
{
	struct layout a, b;

	(void)state;
	look_at(7, 1, 2, "", &a);
	look_at(7, 1, 2, "", &b);
	assert_int_equal(equal_distances(a.at, b.at, OBJECTS), OBJECTS * (OBJECTS - 1) / 2);
	assert_int_equal(a.fill, b.fill);
}

/* How far is the second object from the first, over 200 seeds: no distance is frequent. */
static void test_seeds(void **state)
{
	enum { SEEDS = 200 };
	static int64_t distance[SEEDS], first[SEEDS];
	unsigned most = 0, most_first = 0;
	struct layout l;

	(void)state;
	for (unsigned i = 0; i < SEEDS; i++) {
		look_at(i, 0, 1, "", &l);
		distance[i] = (int64_t)(l.at[1] - l.at[0]);
		first[i] = (int64_t)(l.at[NEAR] - l.at[0]);	/* in other slabs */
	}
	for (unsigned i = 0; i < SEEDS; i++) {
		unsigned n = 0, m = 0;

		for (unsigned j = 0; j < SEEDS; j++) {
			n += distance[i] == distance[j];
			m += first[i] == first[j];
		}
		most = n > most ? n : most;
		most_first = m > most_first ? m : most_first;
	}
	/* Sixteen steps are equally likely. */
	assert_in_range(most, 2, SEEDS / 5);
	assert_in_range(most_first, 1, 2);
}

/* Without a seed every start is different. */
static void test_unseeded(void **state)
{
	struct layout a, b;

	(void)state;
	look("", &a);
	look("", &b);
	assert_true(equal_distances(a.at, b.at, OBJECTS) < OBJECTS * (OBJECTS - 1) / 4);
}

static void fails(const char *options, const char *message)
{
	char said[300];
	int pipes[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		dup2(pipes[1], STDERR_FILENO);
		setenv("MVHEAP_OPTIONS", options, 1);
		execl("/proc/self/exe", "test_heap_variants", "show", NULL);
		_exit(99);
	}
	close(pipes[1]);
	n = read(pipes[0], said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = 0;
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_string_equal(said, message);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_bad_options(void **state)
{
	(void)state;
	fails("slab-max=0", "libmvheap: MVHEAP_OPTIONS: 'slab-max=0' is not a number from 1 to 16384\n");
	fails("slab-max=16385", "libmvheap: MVHEAP_OPTIONS: 'slab-max=16385' is not a number from 1 to 16384\n");
	fails("fill=on,slab-pad=524289", "libmvheap: MVHEAP_OPTIONS: 'slab-pad=524289' is not a number from 0 to 524288\n");
	fails("slab-pad=-1", "libmvheap: MVHEAP_OPTIONS: 'slab-pad=-1' is not a number from 0 to 524288\n");
	fails("slab-pad=", "libmvheap: MVHEAP_OPTIONS: 'slab-pad=' is not a number from 0 to 524288\n");
	fails("variants=9", "libmvheap: MVHEAP_OPTIONS: 'variants=9' is not a number from 1 to 8\n");
	fails("variant=2,variants=2", "libmvheap: MVHEAP_OPTIONS: variant is not below variants\n");
	fails("seed=18446744073709551616",
	      "libmvheap: MVHEAP_OPTIONS: 'seed=18446744073709551616' is not a seed: a decimal number of 64 bits\n");
	fails("seed=0x10", "libmvheap: MVHEAP_OPTIONS: 'seed=0x10' is not a seed: a decimal number of 64 bits\n");
	fails("Fill=on", "libmvheap: MVHEAP_OPTIONS: 'Fill=on' is not one of seed=, variant=, variants=, slab-max=, slab-pad=, "
	      "fill=on, fill=off\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distances),
		cmocka_unit_test(test_distances_with_settings),
		cmocka_unit_test(test_not_adjacent),
		cmocka_unit_test(test_repeats),
		cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_unseeded),
		cmocka_unit_test(test_bad_options),
	};

	if (argc > 1 && !strcmp(argv[1], "show"))
		return show();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
