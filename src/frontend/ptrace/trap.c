/*
 * Breakpoints in loops that threads have waited in, so that the next time costs microseconds instead of the milliseconds until a
 * tick sees it.  They are debug registers: the program's text stays as it is, each thread has its own, and neither clones nor an exec inherit them.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include "pt.h"

#define CONTROL 7		/* the register that says which are on: two bits each, and four that are 0 for execution */
#define ON(i) (1ul << 2 * (i))

static bool poke(const struct pt_task *t, unsigned reg, uint64_t value)
{
	return !ptrace(PTRACE_POKEUSER, t->tid, offsetof(struct user, u_debugreg) + reg * sizeof(uint64_t), value);
}

static unsigned long on(const struct pt_task *t)
{
	unsigned long bits = 0;

	for (unsigned i = 0; i < PT_TRAPS && i < t->spin.ntraps; i++)
		bits |= ON(i);
	return bits;
}

static unsigned place(const struct pt_task *t, uint64_t at)
{
	for (unsigned i = 0; i < PT_TRAPS && i < t->spin.ntraps; i++)
		if (t->spin.traps[i].at == at)
			return i;
	return t->spin.ntraps % PT_TRAPS;
}

void pt_trap_set(struct pt_task *t, uint64_t at, unsigned how, unsigned steps)
{
	unsigned i = place(t, at);

	if (t->spin.ntraps <= i || t->spin.traps[i].at != at)
		t->spin.ntraps++;
	t->spin.traps[i] = (struct pt_trap){ .at = at, .how = how, .steps = steps };
	t->spin.idle = 0;
	/* A new address is refused while the register is on; after an exec none is. */
	if (poke(t, CONTROL, 0) && poke(t, i, at))
		poke(t, CONTROL, on(t));
}

void pt_trap_disarm(struct pt_task *t)
{
	poke(t, CONTROL, 0);
}

bool pt_trap_known(const struct pt_task *t, unsigned how)
{
	for (unsigned i = 0; i < PT_TRAPS && i < t->spin.ntraps; i++)
		if (t->spin.traps[i].how == how)
			return true;
	return false;
}

bool pt_trap_hit(struct pt_task *t, struct pt_trap **trap)
{
	siginfo_t info;

	*trap = NULL;
	if (ptrace(PTRACE_GETSIGINFO, t->tid, 0, &info) || info.si_code != TRAP_HWBKPT)
		return false;
	/* One that was taken away may still be on its way. */
	for (unsigned i = 0; pt_get_regs(t) && i < PT_TRAPS && i < t->spin.ntraps; i++)
		if (t->spin.traps[i].at == t->regs.rip)
			*trap = &t->spin.traps[i];
	return true;
}
