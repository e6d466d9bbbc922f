/* siglongjmp out of handlers, many times; the mask comes back. */
#include <setjmp.h>
#include "check.h"

static sigjmp_buf env;
static int *volatile bad = (int *)8;

static void handler(int sig)
{
	siglongjmp(env, sig);
}

int main(void)
{
	sigset_t set;
	volatile int rounds = 0;
	int fds[2];
	char c;

	on_signal(SIGUSR1, handler, 0);
	on_signal(SIGSEGV, handler, 0);
	on_signal(SIGALRM, handler, 0);
	while (rounds < 50) {
		rounds++;
		if (sigsetjmp(env, 1) == 0)
			raise(SIGUSR1);
	}
	SHOW(rounds);
	for (rounds = 0; rounds < 20; rounds++)
		if (sigsetjmp(env, 1) == 0)
			*bad = 1;
	SHOW(rounds);
	NEED(pipe(fds) == 0);
	if (sigsetjmp(env, 1) == 0) {
		struct itimerval it = { .it_value = { 0, 50000 } };

		NEED(setitimer(ITIMER_REAL, &it, NULL) == 0);
		SHOW(read(fds[0], &c, 1));
	} else {
		puts("jumped out of read");
	}
	sigprocmask(SIG_BLOCK, NULL, &set);
	SHOW(sigismember(&set, SIGUSR1));
	SHOW(sigismember(&set, SIGALRM));
	return 0;
}
