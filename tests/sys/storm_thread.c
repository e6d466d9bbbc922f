/*
 * test: timeout=120
 * A storm of signals that a thread queues for another one.
 */
#include <pthread.h>
#include "storm.h"

static pthread_t first, second;

static void *sender(void *arg)
{
	struct timespec begin;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < COUNT; i++) {
		while (pthread_sigqueue(first, STORM, (union sigval){ .sival_int = i }) == EAGAIN)
			sleep_ms(1);
		pace(&begin, i);
	}
	return arg;
}

static void start(void)
{
	NEED(pthread_create(&second, NULL, sender, NULL) == 0);
}

static void end(void)
{
	NEED(pthread_join(second, NULL) == 0);
}

int main(void)
{
	static const struct source thread = { true, SI_QUEUE, start, end };

	first = pthread_self();
	storm_from(&thread);
	return 0;
}
