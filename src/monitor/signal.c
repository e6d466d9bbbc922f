/*
 * Signals: the supervisor holds what arrives for the leader, the monitor takes it between two calls, publishes it, and lets
 * the supervisor deliver it to the program at the same place in all variants.
 */
#include "monitor/monitor.h"

#define NR_RT_SIGACTION 13
#define SA_RESTART 0x10000000u
#define SYSCALL_INSN 0x050f		/* in memory order */
#define TRAMPOLINE_TAIL 15		/* from where a trampoline enters the monitor to where it returns */

struct action { uint64_t handler, flags, restorer, mask; };

int mon_take(struct mon_thread *m, bool blocked, uint8_t siginfo[MV_SIGINFO_SIZE])
{
	(void)m;
	return (int)mon_service(MON_TAKE, (uint64_t)siginfo, blocked);
}

void mon_publish(struct mon_thread *m, int sig, const uint8_t siginfo[MV_SIGINFO_SIZE], enum mv_signal_when when,
		 int64_t result, struct mv_step *step)
{
	mv_signal(m->thread, sig, siginfo, when, result, step);
	mon_settle(m, m->thread, step);
	step->sig = sig;
	__builtin_memcpy(step->siginfo, siginfo, MV_SIGINFO_SIZE);
}

static void deliver(const struct mv_step *step, const uint64_t *mask, uint64_t handler_mask)
{
	struct mon_delivery d = { .sig = step->sig, .under_mask = mask != NULL, .mask = mask ? *mask : 0,
				  .handler_mask = handler_mask };

	__builtin_memcpy(d.siginfo, step->siginfo, sizeof(d.siginfo));
	mon_unlock();
	mon_service(MON_DELIVER, (uint64_t)&d, 0);
	__builtin_unreachable();
}

/* Where the program makes the call at hand again. */
static uint64_t again(const struct mon_frame *f)
{
	uint16_t insn = 0;

	mon_peek(NULL, f->rip - 2, &insn, sizeof(insn));
	return f->rip - (insn == SYSCALL_INSN ? 2 : TRAMPOLINE_TAIL);
}

void mon_deliver_before(struct mon_thread *m, const struct mv_step *step, uint64_t nr)
{
	struct mon_frame *f = m->head.frame;

	f->rax = nr;
	f->rip = again(f);
	deliver(step, NULL, 0);
	__builtin_unreachable();
}

void mon_deliver_after(struct mon_thread *m, const struct mv_step *step)
{
	(void)m;
	deliver(step, NULL, 0);
	__builtin_unreachable();
}

void mon_deliver_here(struct mon_thread *m, const struct mv_step *step)
{
	(void)m;
	deliver(step, NULL, 0);
	__builtin_unreachable();
}

/* Where the signal mask is that the call puts in place while it waits; 0 for calls without one. */
static uint64_t temporary_mask(const struct mv_call *c)
{
	uint64_t p;

	switch (c->nr) {
	case 130:	/* rt_sigsuspend */
		return c->args[0];
	case 271:	/* ppoll */
		return c->args[3];
	case 281:	/* epoll_pwait */
	case 441:	/* epoll_pwait2 */
		return c->args[4];
	case 270:	/* pselect6 */
		return c->args[5] && mon_peek(NULL, c->args[5], &p, 8) == 8 ? p : 0;
	default:
		return 0;
	}
}

/* What the kernel does at the end of a call that a signal has interrupted. */
void mon_deliver_interrupted(struct mon_thread *m, const struct mv_step *step, const struct mv_call *call)
{
	struct mon_frame *f = m->head.frame;
	uint64_t at = temporary_mask(call), mask = 0;
	struct action a = { 0 };
	bool under;

	mon_kernel(NR_RT_SIGACTION, (uint64_t)step->sig, 0, (uint64_t)&a, 8, 0);
	/* Before the call began it had put no mask in place. */
	under = at && step->result != -513 && mon_peek(NULL, at, &mask, 8) == 8;
	if (step->result == -513 || (step->result == -512 && a.flags & SA_RESTART)) {
		f->rax = call->nr;
		f->rip = again(f);
	} else {
		f->rax = (uint64_t)-EINTR;
	}
	deliver(step, under ? &mask : NULL, a.mask);
	__builtin_unreachable();
}
