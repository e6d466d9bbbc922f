/*
 * Our own stack.  A limit that was set for the program (ulimit -s 64) is ours, too, and is left as it is for the program to find: where it
 * is too small for us we leave the kernel's stack for one of ours.
 */
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>
#include "cli/cli.h"

#define ENOUGH ((rlim_t)1 << 20)
#define SIZE ((size_t)8 << 20)

static struct { int (*run)(int argc, char **argv); int argc; char **argv; int result; } call;

static void enter(void)
{
	call.result = call.run(call.argc, call.argv);
}

int mv_cli_with_stack(int (*run)(int argc, char **argv), int argc, char **argv)
{
	ucontext_t here, there;
	struct rlimit limit;
	void *stack;

	if (getrlimit(RLIMIT_STACK, &limit) || limit.rlim_cur >= ENOUGH || getcontext(&there))
		return run(argc, argv);
	stack = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return run(argc, argv);
	call.run = run;
	call.argc = argc;
	call.argv = argv;
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = SIZE;
	there.uc_link = &here;
	makecontext(&there, enter, 0);
	swapcontext(&here, &there);
	return call.result;
}
