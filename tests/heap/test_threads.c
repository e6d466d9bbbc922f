/* libmvheap with many threads, and forks in between. */
#include <pthread.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define THREADS 8
#define BLOCKS 300
#define TIMES 60000

struct block { size_t size; uint8_t *p, mark; };

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void make(struct block *b, uint64_t r)
{
	b->size = 1 + (r >> 20) % (r % 64 == 0 ? 200000 : r % 8 == 0 ? 5000 : 300);
	b->mark = (uint8_t)(r >> 50);
	b->p = r % 5 ? malloc(b->size) : r % 3 ? calloc(1, b->size) : aligned_alloc(64, b->size);
	memset(b->p, b->mark, b->size);
}

/* Is it as it was left?  First, last and a middle byte tell of any overlap that lasts. */
static bool intact(const struct block *b)
{
	return b->p[0] == b->mark && b->p[b->size - 1] == b->mark && b->p[b->size / 2] == b->mark;
}

static void *hammer(void *arg)
{
	uint64_t state = 12345 + (uint64_t)(uintptr_t)arg;
	struct block *blocks = calloc(BLOCKS, sizeof(*blocks));
	uintptr_t wrong = 0;

	for (unsigned i = 0; i < TIMES; i++) {
		uint64_t r = next(&state);
		struct block *b = &blocks[r % BLOCKS];

		if (b->p) {
			wrong += !intact(b);
			free(b->p);
		}
		make(b, next(&state));
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		free(blocks[i].p);
	free(blocks);
	return (void *)wrong;
}

static void run(void *(*function)(void *))
{
	pthread_t threads[THREADS];
	void *wrong;

	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, function, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
}

static void test_hammer(void **state)
{
	(void)state;
	run(hammer);
}

/* Each thread frees what another has allocated. */
static _Atomic(struct block *) boxes[THREADS][64];

static void *pass_on(void *arg)
{
	uintptr_t me = (uintptr_t)arg, wrong = 0;
	uint64_t state = 999 + me;

	for (unsigned i = 0; i < TIMES; i++) {
		struct block *b = malloc(sizeof(*b)), *other;

		make(b, next(&state));
		other = atomic_exchange(&boxes[(me + 1) % THREADS][i % 64], b);
		if (!other)
			other = atomic_exchange(&boxes[me][i % 64], NULL);
		if (other) {
			wrong += !intact(other);
			free(other->p);
			free(other);
		}
	}
	return (void *)wrong;
}

static void test_pass_on(void **state)
{
	(void)state;
	run(pass_on);
}

/* Threads come and go; what they leave must be found by others: memory does not grow with their number. */
static void *short_life(void *arg)
{
	void *p[200];

	(void)arg;
	for (unsigned i = 0; i < 200; i++)
		p[i] = malloc(100 + i);
	for (unsigned i = 0; i < 200; i++)
		free(p[i]);
	return NULL;
}

static long resident(void)
{
	char text[100] = "";
	FILE *f = fopen("/proc/self/statm", "r");
	long size, pages = 0;

	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_int_equal(sscanf(text, "%ld %ld", &size, &pages), 2);
	return pages;
}

static void test_short_lives(void **state)
{
	pthread_t thread;
	long before = 0;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		if (i == 100)
			before = resident();
		assert_int_equal(pthread_create(&thread, NULL, short_life, NULL), 0);
		pthread_join(thread, NULL);
	}
	assert_true(resident() < before + 512);
}

/* Children of a process whose threads are inside of the heap can allocate; so can theirs. */
static atomic_bool stop;

static void *busy(void *arg)
{
	while (!stop)
		short_life(arg);
	return NULL;
}

static void test_fork(void **state)
{
	pthread_t threads[THREADS];
	int status;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, busy, NULL), 0);
	for (unsigned i = 0; i < 100; i++) {
		pid_t pid = fork();

		if (!pid) {
			alarm(20);	/* a lock that nobody gives back */
			short_life(NULL);
			if (!fork()) {
				pthread_t thread;

				pthread_create(&thread, NULL, short_life, NULL);
				pthread_join(thread, NULL);
				_exit(0);
			}
			wait(&status);
			_exit(status != 0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	stop = true;
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hammer),
		cmocka_unit_test(test_pass_on),
		cmocka_unit_test(test_short_lives),
		cmocka_unit_test(test_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
