/*
 * What mvarmor does not do for a program, by name: calls made in other ways than by the syscall instruction, gs for itself, a
 * clone that suspends its parent and shares nothing.
 */
#include <asm/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define I386_GETPPID 64
#define X32 0x40000000

static void int_0x80(void)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "0"(I386_GETPPID) : "r8", "r9", "r10", "r11", "memory");
	printf("%d\n", r == getppid());
}

/* Where it comes back to is in the 32-bit vDSO, which a 64-bit program has not; some processors do not have it at all. */
static void sysenter(void)
{
	__asm__ volatile("mov %%rsp, %%rbp; sysenter" : : "a"(I386_GETPPID) : "rcx", "rdx", "memory");
	puts("came back");
}

static void x32(void)
{
	printf("%ld\n", syscall(X32 | SYS_getppid));
}

static void set_gs(void)
{
	static const long word = 42;
	long got;

	syscall(SYS_arch_prctl, ARCH_SET_GS, &word);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(got));
	printf("%ld\n", got);
}

static void clone_apart(void)
{
	int status = -1;
	long pid = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);

	if (!pid)
		_exit(3);
	waitpid((pid_t)pid, &status, 0);
	printf("%d\n", WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*act)(void); } ways[] = {
		{ "int_0x80", int_0x80 }, { "sysenter", sysenter }, { "x32", x32 }, { "set_gs", set_gs },
		{ "clone_apart", clone_apart },
	};

	puts("before");
	fflush(stdout);
	for (unsigned i = 0; argc == 2 && i < sizeof(ways) / sizeof(*ways); i++)
		if (!strcmp(argv[1], ways[i].name))
			ways[i].act();
	return 0;
}
