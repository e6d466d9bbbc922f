/*
 * test: timeout=60 corners
 *
 * Calls that all variants meet at, for long enough for followers to be put where leaders run and back; by a thread, its sibling
 * and a child.  The program keeps its CPUs.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>
#include "check.h"

static int null;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *talk(void *seconds)
{
	double end = now() + *(double *)seconds;

	while (now() < end)
		for (int i = 0; i < 50; i++)
			NEED(write(null, "x", 1) == 1);
	return NULL;
}

int main(void)
{
	double first = 0.5, second = 0.3;
	cpu_set_t before, after;
	pthread_t sibling;
	int status;
	pid_t child;

	null = open("/dev/null", O_WRONLY);
	NEED(null >= 0 && sched_getaffinity(0, sizeof(before), &before) == 0);
	talk(&first);
	child = fork();
	if (!child) {
		talk(&second);
		NEED(sched_getaffinity(0, sizeof(after), &after) == 0);
		_exit(!CPU_EQUAL(&before, &after));
	}
	NEED(child > 0 && waitpid(child, &status, 0) == child);
	SHOW(status);
	NEED(pthread_create(&sibling, NULL, talk, &second) == 0);
	talk(&second);
	NEED(pthread_join(sibling, NULL) == 0 && sched_getaffinity(0, sizeof(after), &after) == 0);
	SHOW(CPU_EQUAL(&before, &after));
	return 0;
}
