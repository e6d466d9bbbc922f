/* Mutexes with priority inheritance: contended, tried, with a time limit, with errors checked. */
#include "turns.h"

#define THREADS 4
#define ROUNDS 200

static pthread_mutex_t mutex;
static unsigned char order[THREADS * ROUNDS];
static unsigned place;

static void *work(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		NEED(pthread_mutex_lock(&mutex) == 0);
		order[place++] = (unsigned char)(long)arg;
		if (i % 20 == 0)
			sched_yield();
		NEED(pthread_mutex_unlock(&mutex) == 0);
		if (i % 7 == 0)
			sched_yield();
	}
	return (void *)1;
}

static void *try(void *arg)
{
	struct timespec until;

	(void)arg;
	printf("try: %s\n", strerrorname_np(pthread_mutex_trylock(&mutex)));
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 10000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	printf("limited: %s\n", strerrorname_np(pthread_mutex_timedlock(&mutex, &until)));
	printf("not mine: %s\n", strerrorname_np(pthread_mutex_unlock(&mutex)));
	return NULL;
}

static void *inherit(void *arg)
{
	NEED(pthread_mutex_lock(&mutex) == 0);
	place++;
	NEED(pthread_mutex_unlock(&mutex) == 0);
	return arg;
}

int main(void)
{
	pthread_mutexattr_t attr;
	pthread_t t[3];
	void *result;

	NEED(pthread_mutexattr_init(&attr) == 0 && pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT) == 0);
	NEED(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK) == 0);
	NEED(pthread_mutex_init(&mutex, &attr) == 0);
	SHOW(together(THREADS, work));
	SHOW(place);
	tell(order, sizeof(order));

	NEED(pthread_mutex_lock(&mutex) == 0);
	printf("twice: %s\n", strerrorname_np(pthread_mutex_lock(&mutex)));
	NEED(pthread_create(&t[0], NULL, try, NULL) == 0 && pthread_join(t[0], &result) == 0);
	for (int i = 0; i < 3; i++)
		t[i] = begin(inherit, i);
	sleep_ms(20);
	NEED(pthread_mutex_unlock(&mutex) == 0);
	for (int i = 0; i < 3; i++)
		SHOW(end(t[i]));
	SHOW(place);
	OUTCOME(pthread_mutex_destroy(&mutex));
	return 0;
}
