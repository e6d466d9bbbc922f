/* test: heap */
/* fork and exec from a thread that is not the first one, while the first one waits in a condition. */
#include <pthread.h>
#include "check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
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
	pthread_mutex_lock(&lock);	/* free only when the first thread waits */
	pthread_mutex_unlock(&lock);
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
		pthread_mutex_lock(&lock);
		NEED(pthread_create(&t, NULL, thread, NULL) == 0);
		for (;;)
			pthread_cond_wait(&never, &lock);
	}
	puts("new program");
	SHOW(gettid() == getpid());
	return 0;
}
