/* The stack ends in a signal handler: with another stack for the signal that this is, and without. */
#include <sys/resource.h>
#include "check.h"

static int recurse(int n)
{
	volatile char frame[1000];

	frame[0] = (char)n;
	return n == 0 ? 0 : recurse(n - 1) + frame[0] + (getppid() == 0);
}

static void exhaust(int sig)
{
	(void)sig;
	recurse(1 << 30);
}

static void overflow(int sig)
{
	static const char text[] = "overflow handled\n";

	(void)sig;
	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	_exit(5);
}

static int in_handler(void)
{
	on_signal(SIGUSR1, exhaust, 0);
	raise(SIGUSR1);
	return 0;
}

/* Without room for its frame a handler is not run. */
static int without(void)
{
	on_signal(SIGSEGV, overflow, 0);
	return in_handler();
}

static int with(void)
{
	static char stack[1 << 16];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };

	NEED(sigaltstack(&ss, NULL) == 0);
	on_signal(SIGSEGV, overflow, SA_ONSTACK);
	return in_handler();
}

/* The handler's own small stack overflows: into what the program has mapped below as a guard. */
static int small_one(void)
{
	char *p = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t ss = { .ss_sp = p + 4096, .ss_size = (1 << 16) - 4096 };

	NEED(p != MAP_FAILED && mprotect(p, 4096, PROT_NONE) == 0);
	NEED(sigaltstack(&ss, NULL) == 0);
	on_signal(SIGUSR1, exhaust, SA_ONSTACK);
	on_signal(SIGSEGV, overflow, SA_ONSTACK);
	raise(SIGUSR1);
	return 0;
}

/* Hardly any stack at all, and calls all the same: what is below the stack pointer is none of theirs. */
static int no_stack(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long r, wrong = 0;
	pid_t parent = getppid();

	NEED(p != MAP_FAILED && mprotect(p, 4096, PROT_NONE) == 0);
	for (int i = 0; i < 300; i++) {
		__asm__ volatile("mov %%rsp, %%rbx; mov %2, %%rsp; syscall; mov %%rbx, %%rsp"
				 : "=a"(r) : "0"(SYS_getppid), "r"(p + 4096) : "rbx", "rcx", "r11", "memory");
		wrong += r != parent;
	}
	SHOW(wrong);
	return 0;
}

int main(void)
{
	struct rlimit small = { 1 << 20, RLIM_INFINITY };

	NEED(getrlimit(RLIMIT_STACK, &small) == 0);
	small.rlim_cur = 1 << 20;
	NEED(setrlimit(RLIMIT_STACK, &small) == 0);
	reap("no handler", spawn(in_handler));
	reap("handler without a stack", spawn(without));
	reap("handler with a stack", spawn(with));
	reap("handler's own stack", spawn(small_one));
	reap("no stack", spawn(no_stack));
	return 0;
}
