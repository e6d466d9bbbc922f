/*
 * Threads that run at once: conditions, semaphores, barriers and once.  Who is woken, who is late, who is the last to come and who
 * runs the function is the same in all variants.
 *
 * test: threads=parallel timeout=60
 */
#include <semaphore.h>
#include <signal.h>
#include "turns.h"

#define THREADS 4
#define ROUNDS 300

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER, back = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier, pairs;
static pthread_once_t once[ROUNDS];
static sem_t items, posted;
static unsigned char order[THREADS * ROUNDS];
static unsigned place, stock, shared;

static struct timespec soon(long ns)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += ns;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* Half of them make, half take. */
static void *by_cond(void *arg)
{
	bool makes = (long)arg % 2;

	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		while (makes ? stock == 4 : !stock)
			pthread_cond_wait(makes ? &back : &cond, &lock);
		stock += makes ? 1u : -1u;
		order[place++] = (unsigned char)(long)arg;
		pthread_cond_signal(makes ? &cond : &back);
		pthread_mutex_unlock(&lock);
	}
	return (void *)1;
}

static void *by_timedwait(void *arg)
{
	unsigned late = 0;

	for (int i = 0; i < ROUNDS / 10; i++) {
		struct timespec t = soon(1000 + 200000 * (i % 3));

		pthread_mutex_lock(&lock);
		late += pthread_cond_timedwait(&cond, &lock, &t) == ETIMEDOUT;
		order[place++] = (unsigned char)(long)arg;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	tell(&late, sizeof(late));
	return (void *)1;
}

static void *by_sem(void *arg)
{
	int values[ROUNDS];
	unsigned none = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct timespec t = soon(1000000000);

		if (i % 3 == 0)
			NEED(sem_wait(&items) == 0);
		else if (i % 3 == 1)
			NEED(sem_timedwait(&items, &t) == 0);
		else
			while (sem_trywait(&items) && errno == EAGAIN)
				none++;
		sem_getvalue(&items, &values[i]);
		if (i % 20 == (long)arg)
			usleep(30);
		sem_post(&items);
	}
	tell(values, sizeof(values));
	tell(&none, sizeof(none));
	return (void *)1;
}

static void *by_barrier(void *arg)
{
	unsigned serial = 0, seen[50];

	(void)arg;
	for (int i = 0; i < 50; i++) {
		bool last = pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;

		if (last)
			shared = shared * 7 + (unsigned)(long)arg;
		serial += last;
		pthread_barrier_wait(&barrier);
		seen[i] = shared;
	}
	tell(seen, sizeof(seen));
	return (void *)(long)serial;
}

/* Two of four at a time, a hundred times: which two? */
static void *by_pairs(void *arg)
{
	bool more;

	for (;;) {
		pthread_mutex_lock(&lock);
		more = place < 200;
		if (more)
			order[place++] = (unsigned char)(long)arg;
		pthread_mutex_unlock(&lock);
		if (!more)
			return (void *)1;
		pthread_barrier_wait(&pairs);
	}
}

static unsigned runs;
static __thread unsigned ran;

static void initialise(void)
{
	ran++;
	runs++;
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
}

static void *by_once(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++)
		pthread_once(&once[i], initialise);
	tell(&ran, sizeof(ran));
	return (void *)(long)ran;
}

static void post(int sig)
{
	(void)sig;
	sem_post(&posted);
}

/* A handler may post. */
static void *by_handler(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++)
		while (sem_wait(&posted))
			;
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
	pthread_t t;

	tell("", 0);
	NEED(pthread_barrier_init(&barrier, NULL, THREADS) == 0 && pthread_barrier_init(&pairs, NULL, 2) == 0);
	NEED(sem_init(&items, 0, 2) == 0 && sem_init(&posted, 0, 0) == 0);
	show("cond", by_cond);
	show("timedwait", by_timedwait);
	show("sem", by_sem);
	show("barrier", by_barrier);
	show("pairs", by_pairs);
	show("once", by_once);
	SHOW(runs == ROUNDS);
	signal(SIGUSR1, post);
	t = begin(by_handler, 0);
	for (int i = 0; i < 20; i++)
		raise(SIGUSR1);
	SHOW(end(t));
	return 0;
}
