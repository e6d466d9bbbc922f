/* A handler interrupted by another signal's handler; SA_NODEFER recursion; masks inside and after. */
#include "check.h"

static volatile sig_atomic_t depth, deepest;

static bool blocked(int sig)
{
	sigset_t set;

	sigprocmask(SIG_BLOCK, NULL, &set);
	return sigismember(&set, sig);
}

static void inner(int sig)
{
	(void)sig;
	puts("inner");
	SHOW(blocked(SIGUSR1));
	SHOW(blocked(SIGUSR2));
}

static void outer(int sig)
{
	(void)sig;
	puts("outer begins");
	raise(SIGUSR2);
	raise(SIGUSR1);
	puts("outer ends");
}

static void recurse(int sig)
{
	if (++depth < 5)
		raise(sig);
	if (depth > deepest)
		deepest = depth;
	depth--;
}

int main(void)
{
	static int rounds;

	on_signal(SIGUSR1, outer, (int)SA_RESETHAND);
	on_signal(SIGUSR2, inner, 0);
	signal(SIGUSR1, outer);
	on_signal(SIGRTMIN, recurse, SA_NODEFER);
	raise(SIGRTMIN);
	SHOW(deepest);
	SHOW(depth);
	/* outer raises SIGUSR1 in itself: blocked until it returns, so it would never end; the second time it is ignored. */
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	for (rounds = 0; rounds < 2; rounds++) {
		on_signal(SIGUSR1, outer, (int)SA_RESETHAND);
		pid_t pid = fork();

		NEED(pid >= 0);
		if (pid == 0) {
			raise(SIGUSR1);
			_exit(0);
		}
		reap("child", pid);
	}
	SHOW(blocked(SIGUSR1));
	return 0;
}
