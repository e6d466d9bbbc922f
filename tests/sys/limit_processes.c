/* A limit of processes: fork fails as natively, threads too, and the program goes on.  Root is not held by it. */
#include <pthread.h>
#include <sys/resource.h>
#include "check.h"

static void *nothing(void *arg)
{
	return arg;
}

static int sleeper(void)
{
	pause();
	return 0;
}

int main(void)
{
	struct rlimit none = { 0, 0 };
	pthread_t t;
	pid_t first;

	if (geteuid() == 0)
		NEED(setgid(65534) == 0 && setuid(65534) == 0);
	first = spawn(sleeper);
	NEED(setrlimit(RLIMIT_NPROC, &none) == 0);
	OUTCOME(fork());
	OUTCOME(vfork());
	SHOW(pthread_create(&t, NULL, nothing, NULL) == EAGAIN);
	NEED(kill(first, SIGTERM) == 0);
	reap("first", first);
	OUTCOME(fork());
	SHOW(getppid() > 0);
	return 0;
}
