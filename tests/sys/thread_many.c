/*
 * test: timeout=60
 * More threads at a time than an arena of 512 MiB holds; each has a word of its own and waits for all others.
 */
#include "turns.h"

#define COUNT 800

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all = PTHREAD_COND_INITIALIZER;
static _Thread_local unsigned own;
static unsigned here;

static void *meet(void *arg)
{
	own = (unsigned)(uintptr_t)arg;
	pthread_mutex_lock(&lock);
	if (++here == COUNT)
		pthread_cond_broadcast(&all);
	while (here < COUNT)
		pthread_cond_wait(&all, &lock);
	pthread_mutex_unlock(&lock);
	return (void *)(uintptr_t)own;
}

int main(void)
{
	static pthread_t threads[COUNT];
	pthread_attr_t attr;
	long sum = 0;

	NEED(!pthread_attr_init(&attr) && !pthread_attr_setstacksize(&attr, 1 << 16));
	for (uintptr_t i = 0; i < COUNT; i++)
		NEED(!pthread_create(&threads[i], &attr, meet, (void *)i));
	for (unsigned i = 0; i < COUNT; i++)
		sum += end(threads[i]);
	SHOW(sum);
	return 0;
}
