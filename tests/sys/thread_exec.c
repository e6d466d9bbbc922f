/* exec and fork from a thread that is not the first one. */
#include <pthread.h>
#include "check.h"

static char **arguments;
static pid_t me;

static int child(void)
{
	SHOW(getppid() == me);
	SHOW(gettid() == getpid());
	return 6;
}

static void *thread(void *arg)
{
	reap("child of thread", spawn(child));
	execl(arguments[0], arguments[0], "again", NULL);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t t;

	me = getpid();
	arguments = argv;
	if (argc == 1) {
		NEED(pthread_create(&t, NULL, thread, NULL) == 0);
		for (;;)
			pause();
	}
	puts("new program");
	SHOW(gettid() == getpid());
	return 0;
}
