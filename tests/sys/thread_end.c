/*
 * How threads end: many made and joined, values destroyed, cancelled while they wait, dead with a robust mutex; and the first
 * one before the others.
 */
#include "turns.h"

static pthread_mutex_t robust, lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t keys[3];
static unsigned char order[200];
static atomic_uint place;
static int never[2];

static void destroy(void *value)
{
	order[place++] = (unsigned char)(long)value;
}

static void *be_short(void *arg)
{
	char *p = malloc(100 + 16 * (size_t)arg);

	for (int i = 0; i < 3; i++)
		NEED(pthread_setspecific(keys[i], (void *)(4 * (long)arg + i + 1)) == 0);
	free(p);
	return (void *)1;
}

static void note(void *arg)
{
	order[place++] = (unsigned char)(long)arg;
}

static void unlock(void *arg)
{
	pthread_mutex_unlock(arg);
}

static void *wait_for_ever(void *arg)
{
	char c;

	pthread_cleanup_push(note, arg);
	if ((long)arg % 2) {
		read(never[0], &c, 1);
	} else {
		static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

		pthread_mutex_lock(&lock);
		pthread_cleanup_push(unlock, &lock);
		for (;;)
			pthread_cond_wait(&cond, &lock);
		pthread_cleanup_pop(1);
	}
	pthread_cleanup_pop(0);
	return NULL;
}

static void *die_with_it(void *arg)
{
	NEED(pthread_mutex_lock(&robust) == 0);
	return arg;
}

static void *inherit(void *arg)
{
	int result = pthread_mutex_lock(&robust);

	(void)arg;
	if (result == EOWNERDEAD)
		NEED(pthread_mutex_consistent(&robust) == 0);
	pthread_mutex_unlock(&robust);
	return (void *)(long)(result == EOWNERDEAD);
}

static pthread_t first;

static void *outlive(void *arg)
{
	printf("first: %ld\n", end(first));
	puts("and the last one ends");
	return arg;
}

int main(void)
{
	pthread_mutexattr_t attr;
	pthread_t t[10];
	long sum = 0;

	for (int i = 0; i < 3; i++)
		NEED(pthread_key_create(&keys[i], destroy) == 0);
	SHOW(together(50, be_short));
	SHOW(place);
	tell(order, sizeof(order));

	place = 0;
	NEED(pipe(never) == 0);
	for (long i = 0; i < 10; i++)
		t[i] = begin(wait_for_ever, i);
	for (int i = 0; i < 10; i++)
		NEED(pthread_cancel(t[i]) == 0);
	for (int i = 0; i < 10; i++)
		sum += end(t[i]) == (long)PTHREAD_CANCELED;
	SHOW(sum);
	tell(order, sizeof(order));

	NEED(pthread_mutexattr_init(&attr) == 0 && pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0);
	NEED(pthread_mutex_init(&robust, &attr) == 0);
	t[0] = begin(die_with_it, 3);
	SHOW(end(t[0]));
	SHOW(together(4, inherit));

	first = pthread_self();
	begin(outlive, 0);
	pthread_exit((void *)17);
}
