#include <asm/prctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "rewrite_machine.h"

#define MEMORY (1 << 20)
#define EACH 32768		/* bytes around what a register points to */
#define FLAGS 0xcd5		/* carry, parity, adjust, zero, sign, direction, overflow */
#define NREGS 16		/* REG_R8 ... REG_RSP come first in gregset_t */

static const int signals[] = { SIGTRAP, SIGSEGV, SIGBUS, SIGILL };
static struct sigaction old[sizeof(signals) / sizeof(*signals)];
static char alternate[65536] __attribute__((aligned(16)));
static char *memory;
static struct machine_state *job;
static gregset_t caller;
static enum { IDLE, START, RUNS } phase;
static uint64_t gs_words[8];

/* The first int3 is machine_run()'s own: go into the code.  The second signal is the run's end: go back. */
static void on_signal(int sig, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)info;
	if (phase == START) {
		memcpy(caller, r, sizeof(caller));
		for (unsigned i = 0; i < NREGS; i++)
			r[i] = job->r[i];
		r[REG_RIP] = job->r[REG_RIP];
		r[REG_EFL] = job->r[REG_EFL];
		phase = RUNS;
	} else if (phase == RUNS) {
		memcpy(job->r, r, sizeof(job->r));
		job->signal = sig;
		if (sig == SIGTRAP)
			job->r[REG_RIP]--;
		job->r[REG_EFL] &= FLAGS;
		memcpy(r, caller, sizeof(caller));
		phase = IDLE;
	} else {
		signal(sig, SIG_DFL);
	}
}

void machine_run(struct machine_state *s)
{
	job = s;
	phase = START;
	__asm__ volatile ("int3" ::: "memory");
}

struct machine_state machine_fresh(uint64_t rip, uint64_t flags)
{
	struct machine_state s = { .signal = 0 };

	memset(memory, 0, MEMORY);
	for (unsigned i = 0; i < NREGS; i++)
		s.r[i] = (greg_t)(uintptr_t)(memory + EACH * i + EACH / 2 + 16 * i);
	s.r[REG_RIP] = (greg_t)rip;
	s.r[REG_EFL] = (greg_t)((flags & FLAGS) | 0x202);
	return s;
}

static void set_gs(void)
{
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, gs_words))
		abort();
}

void machine_start(uint64_t entry)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || sigaltstack(&stack, NULL))
		abort();
	for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &sa, &old[i]);
	gs_words[MACHINE_ENTRY / 8] = gs_words[MACHINE_LOOK / 8] = entry;
	set_gs();
}

void machine_stop(void)
{
	stack_t none = { .ss_flags = SS_DISABLE };

	for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &old[i], NULL);
	sigaltstack(&none, NULL);
	syscall(SYS_arch_prctl, ARCH_SET_GS, 0);
	munmap(memory, MEMORY);
}

/* ---- the live monitor: gs:0 keeps the return address, gs:8 counts; nothing changes flags ---- */

extern const char live_entry[], live_look[];

__asm__ (
	".text\n"
	"live_entry:\n"
	"	mov %rcx, %gs:0\n"
	"	mov %gs:8, %rcx\n"
	"	lea 1(%rcx), %rcx\n"
	"	mov %rcx, %gs:8\n"
	"	syscall\n"
	"	mov %gs:0, %rcx\n"
	"	jmp *%rcx\n"
	"live_look:\n"
	"	mov %rax, %gs:0\n"
	"	rdtsc\n"
	"	jmp *%gs:0\n"
);

void machine_live(void)
{
	gs_words[1] = 0;
	gs_words[MACHINE_ENTRY / 8] = (uint64_t)(uintptr_t)live_entry;
	gs_words[MACHINE_LOOK / 8] = (uint64_t)(uintptr_t)live_look;
	set_gs();
}

uint64_t machine_live_calls(void)
{
	return *(volatile uint64_t *)&gs_words[1];
}
