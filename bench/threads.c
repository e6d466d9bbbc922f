/*
 * Threads that share work by locks: what --threads=turns, parallel and free make of it (bench/threads runs it).
 *
 *	threads-bench KIND [THREADS [UNITS]]
 *
 * compute: jobs of some 50 us are taken from a queue.  locks: a mutex each, taken and released, with little between.  shared: the same
 * mutex for all.  pool: jobs of 2 us through a queue with two conditions.  Prints milliseconds.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS_MAX 16
#define ROOM 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER, room = PTHREAD_COND_INITIALIZER;
static struct { pthread_mutex_t lock; uint64_t sum; } __attribute__((aligned(64))) own[THREADS_MAX];
static uint64_t units, next, total;
static unsigned queued, over;

static uint64_t compute(uint64_t x, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++)
		x = x * 6364136223846793005u + 1442695040888963407u;
	return x;
}

static void *by_compute(void *arg)
{
	uint64_t sum = (uint64_t)arg;

	for (;;) {
		uint64_t job;

		pthread_mutex_lock(&lock);
		job = next++;
		pthread_mutex_unlock(&lock);
		if (job >= units)
			break;
		sum += compute(job, 50000);
	}
	pthread_mutex_lock(&lock);
	total += sum;
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void *by_locks(void *arg)
{
	unsigned k = (unsigned)(uintptr_t)arg;

	for (uint64_t i = 0; i < units; i++) {
		pthread_mutex_lock(&own[k].lock);
		own[k].sum += compute(i, 20);
		pthread_mutex_unlock(&own[k].lock);
	}
	return NULL;
}

static void *by_shared(void *arg)
{
	uint64_t sum = (uint64_t)arg;

	for (uint64_t i = 0; i < units; i++) {
		sum += compute(i, 100);
		pthread_mutex_lock(&lock);
		total += sum;
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void *by_pool(void *arg)
{
	uint64_t sum = (uint64_t)arg;

	for (;;) {
		pthread_mutex_lock(&lock);
		while (!queued && !over)
			pthread_cond_wait(&work, &lock);
		if (!queued)
			break;
		if (queued-- == ROOM)
			pthread_cond_signal(&room);
		pthread_mutex_unlock(&lock);
		sum += compute(sum, 2000);
	}
	total += sum;
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void fill(void)
{
	for (uint64_t i = 0; i < units; i++) {
		pthread_mutex_lock(&lock);
		while (queued == ROOM)
			pthread_cond_wait(&room, &lock);
		queued++;
		pthread_cond_signal(&work);
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_lock(&lock);
	over = 1;
	pthread_cond_broadcast(&work);
	pthread_mutex_unlock(&lock);
}

static const struct kind {
	const char *name;
	void *(*fn)(void *);
	uint64_t units;
} kinds[] = {
	{ "compute", by_compute, 4000 }, { "locks", by_locks, 2000000 }, { "shared", by_shared, 500000 }, { "pool", by_pool, 100000 },
};

int main(int argc, char **argv)
{
	unsigned threads = argc > 2 ? (unsigned)atoi(argv[2]) : 2;
	pthread_t t[THREADS_MAX];
	struct timespec from, to;

	for (unsigned k = 0; argc > 1 && threads && threads <= THREADS_MAX && k < sizeof(kinds) / sizeof(*kinds); k++) {
		if (strcmp(kinds[k].name, argv[1]))
			continue;
		units = argc > 3 ? strtoull(argv[3], NULL, 10) : kinds[k].units;
		clock_gettime(CLOCK_MONOTONIC, &from);
		for (unsigned i = 0; i < threads; i++) {
			pthread_mutex_init(&own[i].lock, NULL);
			if (pthread_create(&t[i], NULL, kinds[k].fn, (void *)(uintptr_t)i))
				return 1;
		}
		if (kinds[k].fn == by_pool)
			fill();
		for (unsigned i = 0; i < threads; i++)
			pthread_join(t[i], NULL);
		clock_gettime(CLOCK_MONOTONIC, &to);
		printf("%.1f\n", (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6);
		return 0;
	}
	fprintf(stderr, "usage: threads-bench compute|locks|shared|pool [THREADS [UNITS]]\n");
	return 2;
}
