/* sigaltstack: handlers run on it, overflow of the real stack is survived, state is reported. */
/* test: layouts */
#include <setjmp.h>
#include <sys/resource.h>
#include "check.h"

static char *stack;
static size_t size = 65536;
static sigjmp_buf env;
static volatile sig_atomic_t on_stack, flags_inside, forever = 1;

static void handler(int sig)
{
	char here;
	stack_t ss;

	on_stack = &here >= stack && &here < stack + size;
	sigaltstack(NULL, &ss);
	flags_inside = ss.ss_flags;
	if (sig == SIGSEGV)
		siglongjmp(env, 1);
}

static int overflow(volatile char *up)
{
	volatile char frame[4096];

	frame[0] = up ? up[0] : 1;
	return forever ? overflow(frame) + frame[0] : 0;
}

int main(void)
{
	struct rlimit small = { 256 * 1024, RLIM_INFINITY };
	stack_t ss = { 0 }, old;

	stack = malloc(size);
	ss.ss_sp = stack;
	ss.ss_size = size;
	NEED(sigaltstack(&ss, NULL) == 0);
	on_signal(SIGUSR1, handler, SA_ONSTACK);
	on_signal(SIGUSR2, handler, 0);
	raise(SIGUSR1);
	SHOW(on_stack);
	SHOW(flags_inside == SS_ONSTACK);
	raise(SIGUSR2);
	SHOW(on_stack);
	NEED(sigaltstack(NULL, &old) == 0);
	SHOW(old.ss_sp == stack);
	SHOW(old.ss_size);
	SHOW(old.ss_flags);
	NEED(setrlimit(RLIMIT_STACK, &small) == 0);
	on_signal(SIGSEGV, handler, SA_ONSTACK);
	if (sigsetjmp(env, 1) == 0)
		SHOW(overflow(NULL));
	SHOW(on_stack);
	ss.ss_size = 100;
	OUTCOME(sigaltstack(&ss, NULL));
	ss.ss_flags = SS_DISABLE;
	OUTCOME(sigaltstack(&ss, &old));
	NEED(sigaltstack(NULL, &old) == 0);
	SHOW(old.ss_flags == SS_DISABLE);
	return 0;
}
