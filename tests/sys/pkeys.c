/*
 * Memory protection keys are the program's: numbers, rights, faults, what handlers and children have of them.  Of the last key only that it
 * is nobody's: a monitor inside of the process may have it.
 */
/* test: timeout=60 */
#include <cpuid.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/auxv.h>
#include <ucontext.h>
#include "check.h"

#define LAST 15
#define PAGE 4096ul
#define MAGIC1 0x46505853u

static uint32_t pkru_offset;

static uint32_t rdpkru(void)
{
	uint32_t a, d;

	__asm__ volatile("rdpkru" : "=a"(a), "=d"(d) : "c"(0));
	return a;
}

static void wrpkru(uint32_t value)
{
	__asm__ volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
}

#define SHOW_PKRU(when) printf("%s: %#x\n", when, rdpkru() & 0x3fffffff)

static sigjmp_buf env;
static volatile sig_atomic_t code, key, handled;
static volatile uint32_t in_handler;

static void fault(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	in_handler = rdpkru();
	code = info->si_code;
	key = info->si_code == SEGV_PKUERR ? (int)info->si_pkey : -1;
	siglongjmp(env, 1);
}

static const char *try(volatile char *p, bool write)
{
	uint32_t before = rdpkru();

	if (sigsetjmp(env, 1)) {
		wrpkru(before);
		return code == SEGV_PKUERR ? "refused" : "fault";
	}
	if (write)
		*p = 1;
	else
		(void)*p;
	return "ok";
}

static void rights(char *p, int mine)
{
	for (unsigned r = 0; r < 4; r++) {
		NEED(pkey_set(mine, r) == 0);
		printf("rights %d: read %s, write %s\n", pkey_get(mine), try(p, false), try(p, true));
	}
	printf("key of the fault is ours: %d, in the handler: %#x\n", key == mine, in_handler & 0x3fffffff);
}

/* The kernel looks at memory with the rights of whoever calls it. */
static void by_calls(char *p, int mine)
{
	int fds[2];

	NEED(pipe(fds) == 0 && pkey_set(mine, PKEY_DISABLE_ACCESS) == 0);
	OUTCOME(write(fds[1], p, 1));
	OUTCOME(write(fds[1], "x", 1));
	OUTCOME(read(fds[0], p, 1));
	OUTCOME(stat("/", (struct stat *)(void *)p));
	OUTCOME(open(p, O_RDONLY));
	NEED(pkey_set(mine, PKEY_DISABLE_WRITE) == 0);
	OUTCOME(write(fds[1], p, 1));
	OUTCOME(stat("/", (struct stat *)(void *)p));
	NEED(pkey_set(mine, 0) == 0);
	OUTCOME(stat("/", (struct stat *)(void *)p));
	close(fds[0]);
	close(fds[1]);
}

static void change_pkru(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	char *fpu = (char *)u->uc_mcontext.fpregs;
	uint32_t magic;

	(void)info;
	handled = (int)rdpkru() & 0x3fffffff;
	memcpy(&magic, fpu + 464, 4);
	if (magic != MAGIC1)
		return;
	if (sig == SIGUSR1) {		/* what it returns to */
		*(uint32_t *)(void *)(fpu + pkru_offset) = 0x15555550;
		*(uint64_t *)(void *)(fpu + 512) |= 1 << 9;
	} else if (sig == SIGUSR2) {	/* not there: all is open */
		*(uint64_t *)(void *)(fpu + 512) &= ~(1ull << 9);
	} else {
		u->uc_mcontext.fpregs = NULL;
	}
}

static void frames(int mine)
{
	struct sigaction act = { .sa_sigaction = change_pkru, .sa_flags = SA_SIGINFO };
	static const int signals[] = { SIGUSR1, SIGUSR2, SIGALRM };

	for (unsigned i = 0; i < 3; i++) {
		NEED(sigaction(signals[i], &act, NULL) == 0 && pkey_set(mine, PKEY_DISABLE_WRITE) == 0);
		raise(signals[i]);
		printf("handler has %#x\n", (unsigned)handled);
		SHOW_PKRU("after it");
		wrpkru(0x55555554);
	}
}

/* Registers only: nothing of the program's memory can be reached meanwhile. */
static void without_memory(void)
{
	for (uint32_t closed = 0x55555555; closed <= 0x55555556; closed++) {
		long pid, rest;

		__asm__ volatile("xor %%ecx, %%ecx; xor %%edx, %%edx; wrpkru\n"
				 "	mov	$39, %%eax\n"
				 "	mov	$17, %%edi\n"
				 "	mov	$18, %%edx\n"
				 "	stc\n"
				 "	syscall\n"
				 "	setc	%%cl\n"
				 "	movzx	%%cl, %%r13d\n"
				 "	add	%%rdx, %%r13\n"
				 "	mov	%%rax, %%r12\n"
				 "	xor	%%ecx, %%ecx; xor %%edx, %%edx; mov $0x55555554, %%eax; wrpkru\n"
				 "	mov	%%r13, %1\n"
				 "	mov	%%r12, %0"
				 : "=r"(pid), "=r"(rest) : "a"(closed) : "rcx", "rdx", "r11", "r12", "r13", "rdi", "memory");
		printf("without memory: %d %ld\n", pid == getpid(), rest);
	}
}

static int over[2];

static int in_thread(void *p)
{
	SHOW_PKRU("thread");
	printf("thread: read %s, write %s\n", try(p, false), try(p, true));
	send_byte(over[1]);
	return 0;
}

static char *page;

static int in_child(void)
{
	SHOW_PKRU("child");
	printf("child: read %s, write %s\n", try(page, false), try(page, true));
	SHOW(pkey_alloc(0, 0));
	execl("/proc/self/exe", "pkeys", "again", NULL);
	return 99;
}

int main(int argc, char **argv)
{
	static char stack[1 << 16] __attribute__((aligned(16)));
	struct sigaction act = { .sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	unsigned a, b, c, d;
	int mine, n = 0;
	char *text;

	(void)argv;
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(c & 0x10)) {
		puts("no memory protection keys");
		return 77;
	}
	NEED(__get_cpuid_count(0xd, 9, &a, &pkru_offset, &c, &d));
	SHOW_PKRU("at the start");
	if (argc > 1) {
		SHOW(pkey_alloc(0, PKEY_DISABLE_ACCESS));
		return 0;
	}
	NEED(sigaction(SIGSEGV, &act, NULL) == 0);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(page, "/");
	SHOW(pkey_alloc(0, 0));
	mine = pkey_alloc(0, PKEY_DISABLE_WRITE);
	SHOW(mine);
	SHOW(pkey_get(mine));
	OUTCOME(pkey_mprotect(page, PAGE, PROT_READ | PROT_WRITE, mine));
	rights(page, mine);
	by_calls(page, mine);
	frames(mine);
	without_memory();
	OUTCOME(pkey_mprotect(page, PAGE, PROT_READ, LAST));
	OUTCOME(pkey_mprotect(page, PAGE, PROT_READ, 16));
	OUTCOME(pkey_free(LAST));
	OUTCOME(pkey_free(1));
	OUTCOME(pkey_free(1));
	OUTCOME(pkey_alloc(1, 0));
	OUTCOME(pkey_alloc(0, 4));
	NEED(pkey_set(mine, PKEY_DISABLE_WRITE) == 0 && pipe(over) == 0);
	NEED(clone(in_thread, stack + sizeof(stack), CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
		   page) > 0);
	wait_byte(over[0]);
	reap("child", spawn(in_child));
	/* The kernel takes a key for memory that can only be executed, and closes it to us. */
	text = mmap(NULL, PAGE, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	printf("only to be executed: read %s\n", try(text, false));
	SHOW_PKRU("then");
	while (n < LAST - 1 && pkey_alloc(0, 0) > 0)
		n++;
	SHOW(n >= LAST - 4);
	SHOW_PKRU("all are open");
	return 0;
}
