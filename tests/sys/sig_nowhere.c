/* A signal's stack is where nothing is mapped: there is no room for the frame, which is a fault of its own. */
#include <sys/mman.h>
#include "check.h"

static void handler(int sig)
{
	(void)sig;
	_exit(1);
}

static void fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	_exit(sig == SIGSEGV && info->si_code == SI_KERNEL && !info->si_addr ? 9 : 2);
}

static void nowhere(void)
{
	char *p = mmap(NULL, 1 << 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = p, .ss_size = 1 << 16 };

	NEED(p != MAP_FAILED && sigaltstack(&stack, NULL) == 0);
	on_signal(SIGUSR1, handler, SA_ONSTACK);
}

static int by_call(void)
{
	nowhere();
	raise(SIGUSR1);
	return 0;
}

static int in_loop(void)
{
	struct itimerval soon = { .it_value = { 0, 1000 } };

	nowhere();
	on_signal(SIGALRM, handler, SA_ONSTACK);
	NEED(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	for (;;)
		;
}

static int handled(void)
{
	struct sigaction act = { .sa_sigaction = fault, .sa_flags = SA_SIGINFO };

	nowhere();
	NEED(sigaction(SIGSEGV, &act, NULL) == 0);
	raise(SIGUSR1);
	return 0;
}

int main(void)
{
	reap("by call", spawn(by_call));
	reap("in a loop", spawn(in_loop));
	reap("handled", spawn(handled));
	return 0;
}
