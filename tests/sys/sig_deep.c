/* Handlers in handlers, five hundred deep, by calls and by faults; masks come back on the way out. */
#include "check.h"

static volatile sig_atomic_t depth, deepest, out;

static void deeper(int sig)
{
	if (++depth < 500)
		raise(sig);
	if (depth > deepest)
		deepest = depth;
	depth--;
	out += getppid() > 0;
}

static void fault(int sig)
{
	if (++depth < 500)
		*(volatile int *)8 = sig;
	_exit(depth == 500 ? 11 : 12);
}

static int by_faults(void)
{
	on_signal(SIGSEGV, fault, SA_NODEFER);
	*(volatile int *)8 = 1;
	return 0;
}

int main(void)
{
	sigset_t set;

	on_signal(SIGUSR1, deeper, SA_NODEFER);
	raise(SIGUSR1);
	SHOW(deepest);
	SHOW(depth);
	SHOW(out);
	NEED(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
	SHOW(sigisemptyset(&set));
	reap("by faults", spawn(by_faults));
	return 0;
}
