/*
 * test: timeout=120
 * A storm of signals that another process queues.
 */
#include "storm.h"

static pid_t parent, child;

static int sender(void)
{
	struct timespec begin;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < COUNT; i++) {
		while (sigqueue(parent, STORM, (union sigval){ .sival_int = i }) < 0)
			if (errno != EAGAIN)
				return 1;
			else
				sleep_ms(1);
		pace(&begin, i);
	}
	return 0;
}

static void start(void)
{
	child = spawn(sender);
}

static void end(void)
{
	reap("sender", child);
}

int main(void)
{
	static const struct source queue = { true, SI_QUEUE, start, end };

	parent = getpid();
	storm_from(&queue);
	return 0;
}
