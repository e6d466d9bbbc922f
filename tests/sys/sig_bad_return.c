/* Returns from handlers by frames that are none: a fault of the program's, which it may handle. */
#include <setjmp.h>
#include "check.h"

static sigjmp_buf env;
static char stack[1 << 16] __attribute__((aligned(64)));
static char *nowhere;

static void caught(int sig)
{
	(void)sig;
	siglongjmp(env, 1);
}

static void return_by(const void *frame)
{
	__asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall; hlt" : : "r"(frame) : "rax", "memory");
}

static int unreadable(void)
{
	return_by(nowhere);
	return 0;
}

static int half(void)
{
	return_by(nowhere - 64);
	return 0;
}

static int handled(void)
{
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };

	NEED(sigaltstack(&ss, NULL) == 0);
	on_signal(SIGSEGV, caught, SA_ONSTACK);
	for (volatile int i = 0; i < 3; i++)
		if (!sigsetjmp(env, 1))
			return_by(nowhere);
	return 7;
}

int main(void)
{
	nowhere = (char *)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + 4096;
	NEED(mprotect(nowhere, 4096, PROT_NONE) == 0);
	reap("unreadable", spawn(unreadable));
	reap("half", spawn(half));
	reap("handled", spawn(handled));
	return 0;
}
