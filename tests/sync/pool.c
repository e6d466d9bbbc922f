/*
 * For standalone.py: four threads take numbers from a queue; prints in which order they did, as a sum.  With an argument they
 * do something else by locks than without.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define TRIES 4		/* not until one succeeds: who has it may not run for long, and each one is a record */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static sem_t sem;
static unsigned order = 5381, items, taken;
static int over, otherwise;

static void *work(void *arg)
{
	for (;;) {
		unsigned failed = 0;

		pthread_mutex_lock(&lock);
		while (!items && !over)
			pthread_cond_wait(&cond, &lock);
		if (!items)
			break;
		items--;
		taken++;
		order = order * 33 + (unsigned)(long)arg;
		pthread_mutex_unlock(&lock);
		if (otherwise)
			pthread_rwlock_rdlock(&rw);
		while (failed < TRIES && sem_trywait(&sem))
			failed++;
		if (failed == TRIES)
			sem_wait(&sem);
		sem_post(&sem);
		pthread_mutex_lock(&lock);
		order = order * 33 + failed;
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t[4];

	(void)argv;
	otherwise = argc > 1;
	sem_init(&sem, 0, 1);
	for (long i = 0; i < 4; i++)
		if (pthread_create(&t[i], NULL, work, (void *)i))
			return 1;
	for (int i = 0; i < 3000; i++) {
		pthread_mutex_lock(&lock);
		items++;
		pthread_cond_signal(&cond);
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_lock(&lock);
	over = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("%u %08x\n", taken, order);
	return 0;
}
