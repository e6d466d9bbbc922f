/*
 * test: timeout=120
 * A storm of signals that another process sends by kill.
 */
#include "storm.h"

static pid_t parent, child;

static int sender(void)
{
	struct timespec begin;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < COUNT; i++) {
		if (kill(parent, STORM))
			return 1;
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
	static const struct source kills = { false, SI_USER, start, end };

	parent = getpid();
	storm_from(&kills);
	return 0;
}
