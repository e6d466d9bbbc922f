/* A thread sends a signal to its process; the thread that waits for it takes it, and both go on. */
#include <pthread.h>
#include "check.h"

enum { ROUNDS = 30 };

static int fds[2];
static long came;

static void arrive(int sig)
{
	(void)sig;
	send_byte(fds[1]);
}

static void *sender(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		NEED(kill(getpid(), SIGUSR1) == 0);
		wait_byte(fds[0]);
		came++;
	}
	return NULL;
}

int main(void)
{
	pthread_t thread;

	NEED(pipe(fds) == 0);
	on_signal(SIGUSR1, arrive, SA_RESTART);
	NEED(pthread_create(&thread, NULL, sender, NULL) == 0);
	NEED(pthread_join(thread, NULL) == 0);
	SHOW(came);
	return 0;
}
