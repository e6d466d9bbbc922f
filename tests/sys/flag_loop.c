/* A loop without any system call that waits for a flag set by a signal handler. */
#include "check.h"

static volatile sig_atomic_t flag;

static void handler(int sig)
{
	(void)sig;
	flag++;
}

int main(void)
{
	struct itimerval it = { .it_value = { 0, 100000 } };

	on_signal(SIGALRM, handler, 0);
	for (int i = 1; i <= 3; i++) {
		NEED(setitimer(ITIMER_REAL, &it, NULL) == 0);
		while (flag < i)
			;
		SHOW(flag);
	}
	return 0;
}
