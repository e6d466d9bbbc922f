/*
 * A variant in the lower half of the address space is late to a loop without calls that is left by as many signals as the
 * first argument says, after as many calls as the second one says.
 */
#include <signal.h>
#include <sys/time.h>
#include "slice.h"

static volatile sig_atomic_t caught;

static void handler(int sig)
{
	(void)sig;
	caught++;
}

int main(int argc, char **argv)
{
	int signals = argc > 1 ? atoi(argv[1]) : 1, calls = argc > 2 ? atoi(argv[2]) : 0;
	struct itimerval timer = { { 0, 10000 }, { 0, 1000 } };

	signal(SIGALRM, handler);
	if (slice() < SLICES / 2)
		for (volatile long i = 0; i < 200 * 1000 * 1000; i++)
			;
	for (int i = 0; i < calls; i++)
		syscall(SYS_getppid);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (caught < signals)
		;
	signal(SIGALRM, SIG_IGN);
	puts("caught");
	return 0;
}
