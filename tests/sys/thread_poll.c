/*
 * A thread that waits by polling: it takes a lock, looks, and releases it, again and again, without any call while nobody else wants
 * the lock.  Where it is preempted its twins must be, too: with the lock or without.
 */
#include "turns.h"

#define THREADS 8

static pthread_mutex_t lock;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int started, go, stopped;

static void *wait_there(void *arg)
{
	pthread_mutex_lock(&lock);
	started++;
	tell(&started, sizeof(started));
	while (!go)
		pthread_cond_wait(&cond, &lock);
	stopped++;
	tell(&stopped, sizeof(stopped));
	pthread_mutex_unlock(&lock);
	return arg;
}

static int look(const int *what)
{
	int seen;

	pthread_mutex_lock(&lock);
	seen = *what;
	pthread_mutex_unlock(&lock);
	return seen;
}

static void run(const char *name, int type)
{
	pthread_t threads[THREADS];
	pthread_mutexattr_t attr;
	long sum = 0;

	NEED(!pthread_mutexattr_init(&attr) && !pthread_mutexattr_settype(&attr, type) && !pthread_mutex_init(&lock, &attr));
	started = go = stopped = 0;
	for (long i = 0; i < THREADS; i++)
		threads[i] = begin(wait_there, i);
	while (look(&started) < THREADS)
		;
	pthread_mutex_lock(&lock);
	go = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	while (look(&stopped) < THREADS)
		;
	for (unsigned i = 0; i < THREADS; i++)
		sum += end(threads[i]);
	printf("%s: %ld\n", name, sum);
}

int main(void)
{
	run("normal", PTHREAD_MUTEX_NORMAL);
	run("recursive", PTHREAD_MUTEX_RECURSIVE);
	run("error checking", PTHREAD_MUTEX_ERRORCHECK);
	return 0;
}
