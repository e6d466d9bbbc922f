/*
 * Threads that run at once: who comes when to mutexes of all kinds, rwlocks and spin locks, and who is turned away, is the same in
 * all variants.
 *
 * test: threads=parallel heap timeout=60
 */
#include "turns.h"

#define THREADS 4
#define ROUNDS 500

static pthread_mutex_t lock, checks, recursive;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static unsigned char order[THREADS * ROUNDS];
static unsigned place;

static pthread_mutex_t new_mutex(int kind)
{
	pthread_mutexattr_t a;
	pthread_mutex_t m;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_settype(&a, kind);
	pthread_mutex_init(&m, &a);
	return m;
}

static void enter(void *arg)
{
	order[place++] = (unsigned char)(long)arg;
}

/* Long enough for the others to come while it is held. */
static void stay(int i)
{
	if (i % 50 == 0)
		usleep(50);
}

static struct timespec soon(clockid_t clock, long ns)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += ns;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static void *by_mutex(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		enter(arg);
		stay(i);
		pthread_mutex_unlock(&lock);
	}
	return (void *)1;
}

static void *by_trylock(void *arg)
{
	unsigned tries = 0;

	for (int i = 0; i < ROUNDS; i++) {
		while (pthread_mutex_trylock(&lock))
			if (++tries % 16 == 0)
				sched_yield();
		enter(arg);
		stay(i);
		pthread_mutex_unlock(&lock);
	}
	tell(&tries, sizeof(tries));
	return (void *)1;
}

static void *by_timedlock(void *arg)
{
	unsigned late = 0;

	for (int i = 0; i < ROUNDS / 4; i++) {
		struct timespec t = soon(CLOCK_REALTIME, 20000), u = soon(CLOCK_MONOTONIC, 20000);

		while (i % 2 ? pthread_mutex_timedlock(&lock, &t) : pthread_mutex_clocklock(&lock, CLOCK_MONOTONIC, &u)) {
			late++;
			t = soon(CLOCK_REALTIME, 1000000);
			u = soon(CLOCK_MONOTONIC, 1000000);
		}
		enter(arg);
		stay(5 * i);
		pthread_mutex_unlock(&lock);
	}
	tell(&late, sizeof(late));
	return (void *)1;
}

static void *by_kinds(void *arg)
{
	unsigned errors = 0;

	for (int i = 0; i < ROUNDS; i++) {
		errors += pthread_mutex_lock(&checks) == 0 && pthread_mutex_lock(&checks) == EDEADLK;
		pthread_mutex_lock(&recursive);
		pthread_mutex_lock(&recursive);
		enter(arg);
		pthread_mutex_unlock(&recursive);
		pthread_mutex_unlock(&recursive);
		stay(i);
		pthread_mutex_unlock(&checks);
	}
	return (void *)(long)(errors == ROUNDS);
}

static void *by_rwlock(void *arg)
{
	static unsigned seen[THREADS][ROUNDS];
	unsigned busy = 0;

	for (int i = 0; i < ROUNDS; i++) {
		bool write = i % 8 == 0;
		struct timespec t = soon(CLOCK_REALTIME, 1000000000);

		if (i % 3 == 0)
			(write ? pthread_rwlock_wrlock : pthread_rwlock_rdlock)(&rw);
		else if (i % 3 == 1)
			NEED((write ? pthread_rwlock_timedwrlock : pthread_rwlock_timedrdlock)(&rw, &t) == 0);
		else
			while ((write ? pthread_rwlock_trywrlock : pthread_rwlock_tryrdlock)(&rw))
				busy++;
		if (write)
			enter(arg);
		seen[(long)arg][i] = place;
		stay(i);
		pthread_rwlock_unlock(&rw);
	}
	tell(seen[(long)arg], sizeof(seen[0]));
	tell(&busy, sizeof(busy));
	return (void *)1;
}

static void *by_spin(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 2)
			pthread_spin_lock(&spin);
		else
			while (pthread_spin_trylock(&spin))
				sched_yield();
		enter(arg);
		pthread_spin_unlock(&spin);
	}
	return (void *)1;
}

static void show(const char *what, void *(*fn)(void *))
{
	place = 0;
	printf("%s: %ld\n", what, together(THREADS, fn));
	SHOW(place);
	tell(order, place);
}

int main(void)
{
	tell("", 0);
	lock = new_mutex(PTHREAD_MUTEX_NORMAL);
	checks = new_mutex(PTHREAD_MUTEX_ERRORCHECK);
	recursive = new_mutex(PTHREAD_MUTEX_RECURSIVE);
	pthread_spin_init(&spin, 0);
	show("mutex", by_mutex);
	show("trylock", by_trylock);
	show("timedlock", by_timedlock);
	show("kinds", by_kinds);
	show("rwlock", by_rwlock);
	show("spin", by_spin);
	return 0;
}
