/* Code of a file that the program changes itself, before and after its call sites may have been rewritten. */
#include "calls.h"

#define TIMES 300	/* calls until a process is rewritten, and some */

static struct calls calls;

static void write_text(void *at, const void *bytes, size_t n)
{
	char *page = (char *)((uintptr_t)at & ~(uintptr_t)4095);

	NEED(mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0);
	memcpy(at, bytes, n);
	NEED(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
}

static int all_are(long nr)
{
	int n = 0;

	for (int i = 0; i < TIMES; i++)
		n += calls.getppid() == syscall(nr);
	return n == TIMES;
}

static int any_works(void)
{
	int n = 0;

	for (int i = 0; i < TIMES; i++)
		n += calls.any(SYS_gettid) == syscall(SYS_gettid) && calls.any(SYS_getpmsg) == -1;
	return n == TIMES;
}

/* As if the call had just returned rax. */
static long tail(long rax)
{
	const char *at = (const char *)(uintptr_t)calls.any + calls.tail;

	__asm__ volatile("sub $128, %%rsp; call *%1; add $128, %%rsp" : "+a"(rax) : "r"(at) : "memory", "rcx", "r11");
	return rax;
}

static volatile sig_atomic_t traps;

static void on_trap(int sig)
{
	traps += sig == SIGTRAP;
}

int main(void)
{
	static const unsigned char nothing[] = { 0x90, 0x90 }, trap[] = { 0xcc, 0xc3 };
	unsigned char original[16], changed[16];

	calls_open(&calls);
	memcpy(original, (void *)(uintptr_t)calls.getppid, sizeof(original));
	memcpy(changed, original, sizeof(changed));
	changed[1] = SYS_getpid;
	write_text((void *)(uintptr_t)calls.getppid, changed, sizeof(changed));
	SHOW(all_are(SYS_getpid));
	write_text((void *)(uintptr_t)calls.getppid, original, sizeof(original));
	SHOW(all_are(SYS_getppid));
	SHOW(all_are(SYS_getppid));
	SHOW(any_works());
	SHOW(tail(5));
	SHOW(tail(-5));
	/* Over what may be a jump by now. */
	write_text((void *)(uintptr_t)calls.getppid, changed, sizeof(changed));
	SHOW(all_are(SYS_getpid));
	/* The call itself becomes nothing. */
	write_text((char *)(uintptr_t)calls.any + calls.tail - 2, nothing, sizeof(nothing));
	SHOW(tail(7));
	/* A trap of the program's own, and a return. */
	on_signal(SIGTRAP, on_trap, 0);
	write_text((char *)(uintptr_t)calls.any + calls.tail, trap, sizeof(trap));
	SHOW(tail(8));
	SHOW(traps);
	write_text((void *)(uintptr_t)calls.getppid, original, sizeof(original));
	SHOW(all_are(SYS_getppid));
	/* The file's contents again, which madvise brings back. */
	NEED(madvise((void *)((uintptr_t)calls.any & ~(uintptr_t)4095), 4096, MADV_DONTNEED) == 0);
	SHOW(all_are(SYS_getppid));
	SHOW(any_works());
	SHOW(dlclose(calls.handle));
	calls_open(&calls);
	SHOW(all_are(SYS_getppid));
	SHOW(any_works());
	return 0;
}
