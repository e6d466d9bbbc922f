/*
 * Go to the monitor's memory by instructions of the program's own, not by calls: how, the first argument says.  The second one is the place
 * that is read, written or gone to: head, state, scratch, heap, arena, text, or the number of an instruction that changes PKRU.
 */
#include <cpuid.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "monitor.h"

#define ENTRIES (16384 * 64)
#define KEY 0xc0000000u

static uint32_t rdpkru(void)
{
	uint32_t a, d;

	__asm__ volatile("rdpkru" : "=a"(a), "=d"(d) : "c"(0));
	return a;
}

static int is_open(void)
{
	return !(rdpkru() & KEY);
}

static void close_key(void)
{
	__asm__ volatile("wrpkru" : : "a"(0x55555554), "c"(0), "d"(0) : "memory");
}

/* Of the image, which begins behind a gap: heads are the last but two of its parts. */
static char *place(const char *name)
{
	char *heads = (char *)((uintptr_t)monitor_block() & ~(PAGE - 1)), *entry;

	if (!strcmp(name, "head"))
		return heads;
	if (!strcmp(name, "state"))
		return heads + ENTRIES;
	if (!strcmp(name, "scratch"))
		return heads + 2 * ENTRIES;
	if (!strcmp(name, "heap"))
		return heads + 3 * ENTRIES + (1 << 20);
	if (!strcmp(name, "arena"))
		return heads + 3 * ENTRIES + (2 << 20) + (1 << 30);
	__asm__ volatile("mov %%gs:8, %0" : "=r"(entry));
	return entry;
}

/* The nth wrpkru of the monitor's text: an attacker would know it from the file. */
static char *opening(int n)
{
	char *at = gate_call();

	for (;; at++)
		if (!memcmp(at, "\x0f\x01\xef", 3) && !n--)
			return at;
}

/* Of mon_entry_closed: mov %rsp, %gs:MON_SAVED_RSP. */
static char *behind_opening(char *entry)
{
	gate_call();
	while (memcmp(entry, "\x65\x48\x89\x24\x25\x10\x00\x10\x00", 9))
		entry++;
	close_key();
	return entry;
}

static volatile int times;

static void look(void)
{
	puts(is_open() ? "open" : "closed");
	fflush(stdout);
	_exit(0);
}

/* There with all keys open; the call before has left words in the scratch, of which one is where it returns to. */
static void jump_to_opening(int n)
{
	char *to = opening(n);

	close_key();
	syscall(SYS_getppid);
	if (times++)
		look();
	__asm__ volatile("lea -256(%%rsp), %%rsp; call *%0; lea 256(%%rsp), %%rsp"
			 : : "r"(to), "a"(0), "c"(0), "d"(0), "D"(0) : "rbx", "rsi", "r8", "r9", "r10", "r11", "memory");
	look();
}

static void forge(int sig, siginfo_t *info, void *context)
{
	char *fpu = (char *)((ucontext_t *)context)->uc_mcontext.fpregs;
	unsigned a, b = 0, c, d;

	(void)info;
	if (!__get_cpuid_count(0xd, 9, &a, &b, &c, &d))
		return;
	if (sig == SIGUSR1) {
		*(uint32_t *)(void *)(fpu + b) = 0;
		*(uint64_t *)(void *)(fpu + 512) |= 1 << 9;
	} else if (sig == SIGUSR2) {		/* all in its initial state */
		*(uint64_t *)(void *)(fpu + 512) = 0;
	} else if (sig == SIGALRM) {		/* the kernel is to ignore all but the legacy part */
		*(uint32_t *)(void *)(fpu + 464) = 0;
	} else if (sig == SIGCHLD) {		/* the area is said to be too small for it */
		*(uint32_t *)(void *)(fpu + 480) = 576;
		*(uint32_t *)(void *)(fpu + 468) = 580;
		*(uint32_t *)(void *)(fpu + 576) = 0x46505845;
	} else {
		((ucontext_t *)context)->uc_mcontext.fpregs = NULL;
	}
}

/* Nothing of that opens it.  Keys that calls give are others. */
static void by_kernel(void)
{
	static const int signals[] = { SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD, SIGWINCH };
	struct sigaction act = { .sa_sigaction = forge, .sa_flags = SA_SIGINFO };
	int last = 0, key;

	for (unsigned i = 0; i < 5; i++) {
		sigaction(signals[i], &act, NULL);
		raise(signals[i]);
		printf("%d", is_open());
	}
	from_gate(SYS_pkey_free, (void *)15, 0, 0, 0, NULL);
	close_key();
	while ((key = pkey_alloc(0, 0)) > 0)
		last = key;
	printf("%d %d\n", is_open(), last);
}

int main(int argc, char **argv)
{
	unsigned a, b, c, d;
	volatile char *at;

	monitor_block();
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(c & 0x10)) {
		puts("no memory protection keys");
		return 77;
	}
	close_key();
	if (argc < 3)
		return 99;
	if (!strcmp(argv[1], "jump"))
		jump_to_opening(atoi(argv[2]));
	if (!strcmp(argv[1], "kernel"))
		by_kernel();
	at = place(argv[2]);
	if (!strcmp(argv[1], "read"))
		(void)*at;
	else if (!strcmp(argv[1], "write"))
		*at = *argv[2];
	else if (!strcmp(argv[1], "midst"))
		((void (*)(void))(uintptr_t)behind_opening((char *)at))();
	puts("done");
	return 0;
}
