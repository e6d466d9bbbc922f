/*
 * What instructions are answered with, each by its number, code and address: faults of all kinds, traps, and what two flags of the
 * processor make of a program's instructions: that each one traps, and that unaligned accesses do.
 */
#include <setjmp.h>
#include <ucontext.h>
#include "check.h"

#define TRAP_FLAG 0x100
#define ALIGNMENT_FLAG 0x40000
#define SET_FLAG(flag) __asm__ volatile("sub $128, %%rsp; pushf; orl %0, (%%rsp); popf; add $128, %%rsp" :: "i"(flag) : "memory", "cc")
#define CLEAR_FLAG(flag) __asm__ volatile("sub $128, %%rsp; pushf; andl %0, (%%rsp); popf; add $128, %%rsp" :: "i"(~(flag)) : "memory", "cc")

static sigjmp_buf back;
static volatile int sig_seen, code_seen;
static volatile uintptr_t addr_seen;
static volatile long steps;

static void note(int sig, siginfo_t *info, void *context)
{
	static int left = 100;

	(void)context;
	CLEAR_FLAG(ALIGNMENT_FLAG);
	if (!left--)
		_exit(98);
	sig_seen = sig;
	code_seen = info->si_code;
	addr_seen = (uintptr_t)info->si_addr;
	siglongjmp(back, 1);
}

static void step(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (info->si_code == TRAP_TRACE)
		steps++;
}

static void show(const char *name, uintptr_t base)
{
	printf("%s: SIG%s, code %d", name, sigabbrev_np(sig_seen), code_seen);
	if (base)
		printf(", at %ld", (long)(addr_seen - base));
	else if (addr_seen < 4096)
		printf(", at %lu", (unsigned long)addr_seen);
	puts("");
}

#define TRY(name, base, ...) do { \
		if (!sigsetjmp(back, 1)) { \
			__VA_ARGS__; \
			printf("%s: nothing\n", name); \
		} else { \
			show(name, (uintptr_t)(base)); \
		} \
	} while (0)

static void memory_faults(void)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	char *page = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *file;

	NEED(page != MAP_FAILED && fd >= 0 && ftruncate(fd, 4096) == 0);
	TRY("null", 0, *(volatile char *)8 = 1);
	TRY("no access", page, *(volatile char *)(page + 5));
	NEED(mprotect(page, 4096, PROT_READ) == 0);
	TRY("read only", page, *(volatile char *)(page + 7) = 1);
	TRY("across pages", page, *(volatile long *)(page + 4094));
	TRY("execution", page, ((void (*)(void))(page + 16))());
	TRY("no address", 0, *(volatile char *)(1ul << 63) = 1);
	TRY("a jump to none", 0, ((void (*)(void))(1ul << 63))());
	TRY("a stack at none", 0, __asm__ volatile("mov %%rsp, %%rbx; mov %0, %%rsp; push %%rax; mov %%rbx, %%rsp" :: "r"(1ul << 63) : "rbx", "memory"));
	file = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
	TRY("behind the file", file, *(volatile char *)(file + 4100));
	NEED(ftruncate(fd, 0) == 0);
	TRY("cut off", file, *(volatile char *)(file + 10));
}

static void instructions(void)
{
	TRY("ud2", 0, __asm__ volatile("ud2"));
	TRY("lock nop", 0, __asm__ volatile(".byte 0xf0, 0x90"));
	TRY("hlt", 0, __asm__ volatile("hlt"));
	TRY("int3", 0, __asm__ volatile("int3"));
	TRY("int1", 0, __asm__ volatile(".byte 0xf1"));
	TRY("int $4", 0, __asm__ volatile("int $4"));
	TRY("int $0x90", 0, __asm__ volatile("int $0x90"));
	TRY("in", 0, __asm__ volatile("in $0x60, %%al" ::: "eax"));
	TRY("division by zero", 0, __asm__ volatile("xor %%edx, %%edx; xor %%ecx, %%ecx; div %%ecx" ::: "eax", "ecx", "edx"));
	TRY("quotient too large", 0, __asm__ volatile("mov $0x80000000, %%eax; cltd; mov $-1, %%ecx; idiv %%ecx" ::: "eax", "ecx", "edx"));
}

/* libc's functions are not all aligned. */
static inline long call(long nr, long a, long b, long c)
{
	__asm__ volatile("syscall" : "+a"(nr) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return nr;
}

/* The flag stays while calls are made. */
static void alignment(void)
{
	_Alignas(16) char words[32] = { 0 };
	uint32_t mxcsr = 0x1f80;
	const char *text = &"xaligned\n"[1];
	long pid = getpid();
	volatile bool right;

	__asm__ volatile("ldmxcsr %0" :: "m"(mxcsr));
	TRY("unaligned", 0, SET_FLAG(ALIGNMENT_FLAG); __asm__ volatile("mov 1(%0), %%eax" :: "r"(words) : "eax"));
	CLEAR_FLAG(ALIGNMENT_FLAG);
	SET_FLAG(ALIGNMENT_FLAG);
	right = call(SYS_getpid, 0, 0, 0) == pid && call(SYS_kill, pid, 0, 0) == 0 && call(SYS_write, 1, (long)text, 8) == 8;
	CLEAR_FLAG(ALIGNMENT_FLAG);
	SHOW(right);
}

static void single_steps(void)
{
	struct sigaction sa = { .sa_sigaction = step, .sa_flags = SA_SIGINFO };
	bool right;
	int fd = open("file", O_RDWR);

	NEED(fd >= 0 && sigaction(SIGTRAP, &sa, NULL) == 0);
	SET_FLAG(TRAP_FLAG);
	__asm__ volatile("nop; nop; nop; nop");
	CLEAR_FLAG(TRAP_FLAG);
	SHOW(steps);
	steps = 0;
	SET_FLAG(TRAP_FLAG);
	right = write(fd, "abc", 3) == 3 && lseek(fd, 0, SEEK_SET) == 0 && getpid() == getpid();
	CLEAR_FLAG(TRAP_FLAG);
	SHOW(right);
	SHOW(steps > 20);
}

int main(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
	static char alt[65536];
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	NEED(sigaltstack(&ss, NULL) == 0);
	for (unsigned i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		NEED(sigaction(sigs[i], &sa, NULL) == 0);
	memory_faults();
	instructions();
	alignment();
	single_steps();
	return 0;
}
