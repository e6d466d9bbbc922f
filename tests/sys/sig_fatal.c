/* Every way to die by a signal, as the parent sees it. */
#include "check.h"

static int die_abort(void) { abort(); }
static int die_null(void) { *(volatile int *)(uintptr_t)0 = 1; return 0; }
static int die_ill(void) { __asm__ volatile("ud2"); return 0; }
static int die_fpe(void) { __asm__ volatile("xor %%edx, %%edx; xor %%ecx, %%ecx; div %%ecx" ::: "eax", "ecx", "edx"); return 0; }
static int die_trap(void) { __asm__ volatile("int3"); return 0; }
static int die_term(void) { raise(SIGTERM); return 0; }
static int die_kill(void) { kill(getpid(), SIGKILL); return 0; }
static int die_rt(void) { raise(SIGRTMIN + 1); return 0; }
static int die_alarm(void) { ualarm(20000, 0); pause(); return 0; }

static int die_bus(void)
{
	int fd = open("empty", O_RDWR | O_CREAT, 0600);
	volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	return p[0];
}

static int die_in_handler(void)
{
	on_signal(SIGSEGV, (void (*)(int))8, 0);
	return die_null();
}

static int die_blocked(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return die_null();
}

static int abort_handled(void)
{
	signal(SIGABRT, SIG_IGN);
	abort();
}

static int exec_data(void)
{
	static const char code[] = "\xc3";
	void (*volatile f)(void) = (void (*)(void))(uintptr_t)code;

	f();
	return 0;
}

int main(void)
{
	reap("abort", spawn(die_abort));
	reap("null", spawn(die_null));
	reap("ud2", spawn(die_ill));
	reap("div", spawn(die_fpe));
	reap("int3", spawn(die_trap));
	reap("term", spawn(die_term));
	reap("kill", spawn(die_kill));
	reap("rt", spawn(die_rt));
	reap("alarm", spawn(die_alarm));
	reap("bus", spawn(die_bus));
	reap("bad handler", spawn(die_in_handler));
	reap("blocked", spawn(die_blocked));
	reap("abort ignored", spawn(abort_handled));
	reap("code in data", spawn(exec_data));
	return 0;
}
