/* Threads: create, join, detach, mutex, condition, thread-local data, barrier, once; exit while others run. */
#include <pthread.h>
#include "check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static __thread int local = 5;
static int counter, ready, onces;

static void count_once(void)
{
	onces++;
}

static void *add(void *arg)
{
	pthread_once(&once, count_once);
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
	}
	local += (int)(intptr_t)arg;
	pthread_barrier_wait(&barrier);
	return (void *)(intptr_t)local;
}

static void *wait_ready(void *arg)
{
	pthread_mutex_lock(&lock);
	while (!ready)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
	return arg;
}

static void *for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

int main(void)
{
	pthread_t t[4];
	void *result;

	NEED(pthread_barrier_init(&barrier, NULL, 4) == 0);
	for (int i = 0; i < 4; i++)
		NEED(pthread_create(&t[i], NULL, add, (void *)(intptr_t)i) == 0);
	for (int i = 0; i < 4; i++) {
		NEED(pthread_join(t[i], &result) == 0);
		SHOW((intptr_t)result);
	}
	SHOW(counter);
	SHOW(local);
	SHOW(onces);
	NEED(pthread_create(&t[0], NULL, wait_ready, &ready) == 0);
	sleep_ms(20);
	pthread_mutex_lock(&lock);
	ready = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	NEED(pthread_join(t[0], &result) == 0);
	SHOW(result == &ready);
	NEED(pthread_create(&t[0], NULL, for_ever, NULL) == 0);
	NEED(pthread_create(&t[1], NULL, for_ever, NULL) == 0);
	NEED(pthread_cancel(t[0]) == 0);
	NEED(pthread_join(t[0], &result) == 0);
	SHOW(result == PTHREAD_CANCELED);
	exit(17);
}
