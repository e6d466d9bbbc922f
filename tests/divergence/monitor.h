/* Where a monitor inside of the process is, and how to make calls from its gate, past the engine: what an attacker would look for. */
#ifndef TESTS_DIVERGENCE_MONITOR_H
#define TESTS_DIVERGENCE_MONITOR_H

#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096ul

/*
 * Where the monitor's memory has a protection key, that is nothing for who can execute wrpkru.  The next call that goes by the monitor
 * closes it again.
 */
static inline void open_keys(void)
{
	unsigned a, b, c, d;

	if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && c & 0x10)
		__asm__ volatile("wrpkru" : : "a"(0), "c"(0), "d"(0) : "memory");
}

static sigjmp_buf monitor_env;

static inline void monitor_none(int sig)
{
	(void)sig;
	siglongjmp(monitor_env, 1);
}

/* The thread's head in the monitor; 77 is exited with where there is none to be found. */
static inline char *monitor_block(void)
{
	void (*before)(int) = signal(SIGSEGV, monitor_none);
	char *volatile gs = NULL;

	/* Its first word is its own address: not all kernels let programs read gs. */
	if (!sigsetjmp(monitor_env, 1))
		__asm__ volatile("mov %%gs:0, %0" : "=r"(gs));
	signal(SIGSEGV, before);
	if (!gs) {
		puts("no monitor found");
		exit(77);
	}
	return gs;
}

/* The gate is in front of the monitor's text, which the second word of the thread's head points into. */
static inline char *gate_call(void)
{
	static const char call[] = { 0x0f, 0x05, (char)0xc3 };
	char *at;

	__asm__ volatile("mov %%gs:8, %0" : "=r"(at));
	open_keys();
	while (memcmp(at, call, sizeof(call)))
		at--;
	return at;
}

static inline long from_gate(long nr, const void *a, long b, long c, long d, const void *e)
{
	register long r10 __asm__("r10") = d;
	register const void *r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = 0;
	long r;

	__asm__ volatile("sub $128, %%rsp; call *%[gate]; add $128, %%rsp"
			 : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9), [gate] "b"(gate_call())
			 : "rcx", "r11", "memory");
	return r;
}

#endif
