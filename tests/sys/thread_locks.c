/* Threads at once: who comes how often to a mutex, a trylock, an atomic counter, a rwlock, a barrier is the same in all variants. */
#include "turns.h"

#define THREADS 4
#define ROUNDS 400

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static unsigned char order[THREADS * ROUNDS];
static unsigned place;
static atomic_uint next;

static void *by_mutex(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		order[place++] = (unsigned char)(long)arg;
		if (i % 50 == 0)
			getppid();
		pthread_mutex_unlock(&lock);
	}
	return (void *)1;
}

static void *by_trylock(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		while (pthread_mutex_trylock(&lock))
			;
		order[place++] = (unsigned char)(long)arg;
		if (i % 200 == 0)
			sched_yield();
		pthread_mutex_unlock(&lock);
	}
	return (void *)1;
}

static void *by_counter(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		order[atomic_fetch_add(&next, 1)] = (unsigned char)(long)arg;
		if (i % 50 == 0)
			getppid();
	}
	return (void *)1;
}

static void *by_rwlock(void *arg)
{
	unsigned seen[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		bool write = i % 8 == 0;

		(write ? pthread_rwlock_wrlock : pthread_rwlock_rdlock)(&rw);
		if (write)
			order[place++] = (unsigned char)(long)arg;
		seen[i] = place;
		if (i % 16 == 0)
			sched_yield();
		pthread_rwlock_unlock(&rw);
	}
	tell(seen, sizeof(seen));
	return (void *)1;
}

static void *by_barrier(void *arg)
{
	long serial = 0;

	for (int i = 0; i < 50; i++) {
		bool last = pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;

		if (last)
			order[place++] = (unsigned char)(long)arg;
		serial += last;
	}
	tell(&serial, sizeof(serial));
	return (void *)serial;
}

static void show(const char *what, void *(*fn)(void *))
{
	place = 0;
	printf("%s: %ld\n", what, together(THREADS, fn));
	tell(order, sizeof(order));
}

int main(void)
{
	NEED(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
	show("mutex", by_mutex);
	SHOW(place);
	show("trylock", by_trylock);
	SHOW(place);
	show("counter", by_counter);
	SHOW(next);
	show("rwlock", by_rwlock);
	SHOW(place);
	show("barrier", by_barrier);
	SHOW(place);
	return 0;
}
