/* Faults handled: fix the page and return, look at si_addr, skip an instruction through the context; SIGFPE, SIGILL, SIGTRAP. */
/* test: layouts */
#include <ucontext.h>
#include "check.h"

static char *page;
static volatile sig_atomic_t faults, address_right, code, last;

static void fix(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	faults++;
	address_right = (char *)info->si_addr == page + 100;
	code = info->si_code;
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void skip_two(int sig, siginfo_t *info, void *context)
{
	(void)info;
	last = sig;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void note(int sig)
{
	last = sig;
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = fix, .sa_flags = SA_SIGINFO };

	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(page != MAP_FAILED);
	NEED(sigaction(SIGSEGV, &sa, NULL) == 0);
	for (int i = 0; i < 10; i++) {
		NEED(mprotect(page, 4096, i % 2 ? PROT_READ : PROT_NONE) == 0);
		((volatile char *)page)[100] = (char)i;
		NEED(address_right);
	}
	SHOW(faults);
	SHOW(code == SEGV_ACCERR);
	SHOW(page[100]);

	sa.sa_sigaction = skip_two;
	NEED(sigaction(SIGILL, &sa, NULL) == 0);
	NEED(sigaction(SIGFPE, &sa, NULL) == 0);
	__asm__ volatile("ud2");
	SHOW(last == SIGILL);
	__asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx" ::: "eax", "ecx", "edx");
	SHOW(last == SIGFPE);
	on_signal(SIGTRAP, note, 0);
	__asm__ volatile("int3");
	SHOW(last == SIGTRAP);
	return 0;
}
