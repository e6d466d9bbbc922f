/*
 * How fast an allocator is: the same work with whatever malloc is linked or preloaded.  Prints nanoseconds per operation, the
 * lowest of five rounds, and the memory in use at the largest.
 *
 *	malloc-bench [THREADS]
 *
 * simple: blocks of one size, allocated, then freed in the same order, as glibc's bench-malloc-simple does.  larson: as the
 * benchmark of that name, each thread replaces random ones of its blocks, of random sizes of 10 to 500 bytes, and hands all
 * to the next thread now and then.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define ROUNDS 5
#define SIMPLE_BLOCKS 1600
#define SIMPLE_TIMES 200
#define LARSON_BLOCKS 5000
#define LARSON_TIMES 400000
#define LARSON_HANDS 20
#define THREADS_MAX 16

static unsigned nthreads;
static char **blocks[THREADS_MAX];
static pthread_barrier_t barrier;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Allocated and touched, so that no compiler takes the pair away. */
static char *block(size_t size)
{
	char *volatile p = malloc(size);

	if (!p)
		abort();
	p[0] = p[size - 1] = 1;
	return p;
}

static double simple(size_t size)
{
	static char *p[SIMPLE_BLOCKS];
	double start = now();

	for (unsigned t = 0; t < SIMPLE_TIMES; t++) {
		for (unsigned i = 0; i < SIMPLE_BLOCKS; i++)
			p[i] = block(size);
		for (unsigned i = 0; i < SIMPLE_BLOCKS; i++)
			free(p[i]);
	}
	return (now() - start) / (SIMPLE_TIMES * SIMPLE_BLOCKS);
}

static void *larson_thread(void *arg)
{
	uint64_t id = (uint64_t)(uintptr_t)arg, random = 88172645463325252u + id;

	for (unsigned hand = 0; hand < LARSON_HANDS; hand++) {
		char **mine = blocks[(id + hand) % nthreads];

		for (unsigned i = 0; i < LARSON_TIMES / LARSON_HANDS; i++) {
			uint64_t r = next(&random);
			char **p = &mine[r % LARSON_BLOCKS];

			free(*p);
			*p = block(10 + (r >> 32) % 491);
		}
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static double larson(void)
{
	pthread_t threads[THREADS_MAX];
	double start;

	for (unsigned i = 0; i < nthreads; i++)
		for (unsigned j = 0; j < LARSON_BLOCKS; j++)
			blocks[i][j] = block(10 + (i + j) * 7919 % 491);
	start = now();
	for (unsigned i = 0; i < nthreads; i++)
		if (pthread_create(&threads[i], NULL, larson_thread, (void *)(uintptr_t)i))
			abort();
	for (unsigned i = 0; i < nthreads; i++)
		pthread_join(threads[i], NULL);
	start = (now() - start) / LARSON_TIMES;
	for (unsigned i = 0; i < nthreads; i++)
		for (unsigned j = 0; j < LARSON_BLOCKS; j++)
			free(blocks[i][j]);
	return start;
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 16, 64, 256, 1024, 8192 };
	double best;
	struct rusage use;

	nthreads = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
	if (!nthreads || nthreads > THREADS_MAX) {
		fprintf(stderr, "malloc-bench: '%s' is not a number of threads from 1 to %d\n", argv[1], THREADS_MAX);
		return 2;
	}
	for (unsigned i = 0; i < nthreads; i++) {
		blocks[i] = calloc(LARSON_BLOCKS, sizeof(char *));
		if (!blocks[i])
			abort();
	}
	pthread_barrier_init(&barrier, NULL, nthreads);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		best = simple(sizes[i]);
		for (unsigned r = 1; r < ROUNDS; r++) {
			double t = simple(sizes[i]);

			best = t < best ? t : best;
		}
		printf("simple %5zu: %7.1f ns\n", sizes[i], best);
	}
	best = larson();
	for (unsigned r = 1; r < ROUNDS; r++) {
		double t = larson();

		best = t < best ? t : best;
	}
	printf("larson:       %7.1f ns\n", best);
	getrusage(RUSAGE_SELF, &use);
	printf("memory:       %7ld KiB\n", use.ru_maxrss);
	return 0;
}
