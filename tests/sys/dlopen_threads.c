/*
 * A library that is loaded when there are threads, and once more at another time: its calls are made from two of them.  The
 * number of calls is an argument: tests/cli/rewriting.sh counts those that stop.
 */
#include <pthread.h>
#include "calls.h"

static struct calls calls;
static long count = 2000;

static void *idle(void *end)
{
	char c;

	NEED(read(*(int *)end, &c, 1) == 0);
	return NULL;
}

static void *many_calls(void *unused)
{
	long ppid = getppid(), wrong = 0;

	(void)unused;
	for (long i = 0; i < count; i++)
		wrong += (i % 2 ? calls.getppid() : calls.any(SYS_getppid)) != ppid;
	SHOW(wrong);
	SHOW(calls.any(SYS_getpmsg));
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread, other;
	int end[2];

	if (argc > 1)
		count = atol(argv[1]);
	NEED(pipe(end) == 0);
	NEED(pthread_create(&thread, NULL, idle, &end[0]) == 0);
	for (int i = 0; i < 2; i++) {
		calls_open(&calls);
		many_calls(NULL);
		NEED(pthread_create(&other, NULL, many_calls, NULL) == 0);
		NEED(pthread_join(other, NULL) == 0);
		SHOW(dlclose(calls.handle));
	}
	close(end[1]);
	NEED(pthread_join(thread, NULL) == 0);
	return 0;
}
