/*
 * test: timeout=180
 * A handler sets a flag that the program looks at while it computes, for moments only between its calls; it gets little of
 * the CPU, and is out of it for longer than a signal may wait.
 */
#include <sys/resource.h>
#include "check.h"

enum { ROUNDS = 20, BURNERS = 2 };

static volatile sig_atomic_t flag;

static void arrive(int sig)
{
	(void)sig;
	flag = 1;
}

static void compute(void)
{
	for (volatile unsigned n = 0; n < 1000000; n++)
		;
}

int main(void)
{
	struct itimerval often = { { 0, 3000 }, { 0, 3000 } };
	pid_t burners[BURNERS];
	long seen = 0;

	for (int i = 0; i < BURNERS; i++) {
		burners[i] = fork();
		NEED(burners[i] >= 0);
		while (!burners[i])
			;
	}
	NEED(setpriority(PRIO_PROCESS, 0, 10) == 0);
	on_signal(SIGALRM, arrive, SA_RESTART);
	NEED(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		compute();
		if (flag) {
			flag = 0;
			seen += getuid() == geteuid();
		}
		compute();
		NEED(getppid() > 0);
	}
	signal(SIGALRM, SIG_IGN);
	for (int i = 0; i < BURNERS; i++)
		NEED(kill(burners[i], SIGKILL) == 0 && waitpid(burners[i], NULL, 0) == burners[i]);
	SHOW(seen > 0);
	return 0;
}
