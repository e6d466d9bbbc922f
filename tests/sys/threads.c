/*
 * Threads that stay mostly idle: create, join, detach, mutex, condition, thread-local data, once; exit while another waits.
 * Two of them never do any work at once: each is joined before the next begins, or one waits in a condition.  Concurrency,
 * barriers and cancellation belong to issue 4.
 */
/* test: layouts heap */
#include <pthread.h>
#include "check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static __thread int local = 5;
static int counter, ready, waiting, onces;
static pid_t detached_tid;

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
	return (void *)(intptr_t)local;
}

/* Tells the main thread that it is about to wait, and waits until it is told to go. */
static void *wait_ready(void *arg)
{
	pthread_mutex_lock(&lock);
	waiting++;
	pthread_cond_broadcast(&cond);
	while (!ready)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
	return arg;
}

static void *detached(void *arg)
{
	pthread_mutex_lock(&lock);
	detached_tid = gettid();
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	return arg;
}

/* Returns when the new thread waits in the condition. */
static pthread_t start_waiting(void)
{
	pthread_t t;

	pthread_mutex_lock(&lock);
	ready = waiting = 0;
	NEED(pthread_create(&t, NULL, wait_ready, &ready) == 0);
	while (!waiting)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
	return t;
}

int main(void)
{
	pthread_attr_t attr;
	pthread_t t;
	void *result;

	for (int i = 0; i < 4; i++) {
		NEED(pthread_create(&t, NULL, add, (void *)(intptr_t)i) == 0);
		NEED(pthread_join(t, &result) == 0);
		SHOW((intptr_t)result);
	}
	SHOW(counter);
	SHOW(local);
	SHOW(onces);

	t = start_waiting();
	pthread_mutex_lock(&lock);
	ready = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	NEED(pthread_join(t, &result) == 0);
	SHOW(result == &ready);

	NEED(pthread_attr_init(&attr) == 0 && pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0);
	pthread_mutex_lock(&lock);
	NEED(pthread_create(&t, &attr, detached, NULL) == 0);
	while (!detached_tid)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
	SHOW(detached_tid != getpid());
	/* It may not have gone yet, and nothing but this tells. */
	while (tgkill(getpid(), detached_tid, 0) == 0)
		sleep_ms(1);
	OUTCOME(tgkill(getpid(), detached_tid, 0));

	start_waiting();
	exit(17);
}
