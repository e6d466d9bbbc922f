/*
 * Threads that run at once: they are made, end, are joined or not; stacks and heaps that they leave to each other; threads and mutexes
 * of C11.
 *
 * test: threads=parallel heap timeout=60
 */
#include <stdlib.h>
#include <threads.h>
#include "turns.h"

#define THREADS 6

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gone = PTHREAD_COND_INITIALIZER;
static pthread_key_t key;
static unsigned char order[4096];
static unsigned place, running, destroyed;
static mtx_t mutex;
static once_flag flag = ONCE_FLAG_INIT;

static void note(long who)
{
	pthread_mutex_lock(&lock);
	order[place++ % sizeof(order)] = (unsigned char)who;
	pthread_mutex_unlock(&lock);
}

/* What it asks of the allocator, and what that asks of the kernel, depends on the others. */
static void *allocate(void *arg)
{
	char *blocks[64] = { 0 };
	unsigned seed = (unsigned)(long)arg;

	for (int i = 0; i < 800; i++) {
		unsigned k = (unsigned)rand_r(&seed) % 64, size = 1u << rand_r(&seed) % 19;

		free(blocks[k]);
		blocks[k] = malloc(size);
		NEED(blocks[k]);
		memset(blocks[k], 1, size < 4096 ? size : 4096);
		if (i % 25 == 0)
			note((long)arg);
	}
	for (int k = 0; k < 64; k++)
		free(blocks[k]);
	return (void *)1;
}

static void destroy(void *arg)
{
	note(100 + (long)arg);
	pthread_mutex_lock(&lock);
	destroyed++;
	pthread_mutex_unlock(&lock);
}

static void *leave(void *arg)
{
	pthread_setspecific(key, arg);
	note((long)arg);
	if ((long)arg % 2)
		pthread_exit((void *)1);
	return (void *)1;
}

static void *detached(void *arg)
{
	note((long)arg);
	pthread_mutex_lock(&lock);
	running--;
	pthread_cond_signal(&gone);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void detach(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		pthread_mutex_lock(&lock);
		while (running == 3)
			pthread_cond_wait(&gone, &lock);
		running++;
		pthread_mutex_unlock(&lock);
		pthread_detach(begin(detached, (long)i));
	}
	pthread_mutex_lock(&lock);
	while (running)
		pthread_cond_wait(&gone, &lock);
	pthread_mutex_unlock(&lock);
}

static void *parent(void *arg)
{
	long sum = 0;

	for (int i = 0; i < 5; i++)
		sum += end(begin(leave, 10 * (long)arg + i));
	return (void *)sum;
}

static void try_join(void)
{
	pthread_t t = begin(allocate, 7);
	unsigned tries = 0;

	while (pthread_tryjoin_np(t, NULL) == EBUSY) {
		tries++;
		usleep(100);
	}
	tell(&tries, sizeof(tries));
}

static int by_mtx(void *arg)
{
	for (int i = 0; i < 200; i++) {
		while (i % 2 ? mtx_trylock(&mutex) != thrd_success : mtx_lock(&mutex) != thrd_success)
			thrd_yield();
		order[place++ % sizeof(order)] = (unsigned char)(long)arg;
		mtx_unlock(&mutex);
	}
	return 3;
}

static void set_up(void)
{
	NEED(mtx_init(&mutex, mtx_plain) == thrd_success);
}

static void c11(void)
{
	thrd_t t[4];
	int result, sum = 0;

	call_once(&flag, set_up);
	for (long i = 0; i < 4; i++)
		NEED(thrd_create(&t[i], by_mtx, (void *)i) == thrd_success);
	for (int i = 0; i < 4; i++) {
		thrd_join(t[i], &result);
		sum += result;
	}
	SHOW(sum);
}

static void show(const char *what, void *(*fn)(void *))
{
	printf("%s: %ld\n", what, together(THREADS, fn));
	tell(order, sizeof(order));
}

int main(void)
{
	tell("", 0);
	pthread_key_create(&key, destroy);
	show("allocate", allocate);
	show("leave", leave);
	show("parents", parent);
	SHOW(destroyed == THREADS + THREADS * 5 - 2);	/* the value of two is null */
	detach(60);
	tell(order, sizeof(order));
	try_join();
	c11();
	return 0;
}
