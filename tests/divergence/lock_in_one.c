/*
 * A thread of the variant in the lowest slice of all waits for a lock that nobody gives back, while the first thread wakes up now and then
 * and does very little: that is no reason to go on waiting for the other.
 */
#include <pthread.h>
#include <time.h>
#include "slice.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *other(void *arg)
{
	for (unsigned i = 0; i < SLICES; i++) {
		if (slice() == i)
			pthread_mutex_lock(&lock);
		syscall(SYS_getppid);
	}
	return arg;
}

int main(void)
{
	pthread_t thread;

	pthread_mutex_lock(&lock);
	if (pthread_create(&thread, NULL, other, NULL))
		return 1;
	for (int i = 0; i < 400; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		for (volatile int n = 0; n < 50000; n++)
			;
	}
	return 0;
}
