/*
 * Signals: the supervisor holds what arrives for the leader, the monitor takes it between two calls, publishes it, and lets
 * the supervisor deliver it to the program at the same place in all variants.
 */
#include "engine/table.h"
#include "monitor/monitor.h"

#define NR_RT_SIGACTION 13
#define NR_RT_SIGPENDING 127
#define NR_RT_SIGTIMEDWAIT 128
#define SA_RESTART 0x10000000u
#define JMP_GS 0x2524ff65u		/* in memory order */
#define TRAMPOLINE_JMP 8		/* bytes of that instruction */
#define TRAMPOLINE_TAIL 15		/* from where a trampoline enters the monitor to where it returns */

struct action { uint64_t handler, flags, restorer, mask; };

int mon_take(uint8_t siginfo[MV_SIGINFO_SIZE])
{
	return (int)mon_service(MON_TAKE, (uint64_t)siginfo, 0);
}

void mon_tell_truth(int64_t sig, uint64_t siginfo)
{
	if (__atomic_load_n(&mon_self()->state->requeued, __ATOMIC_RELAXED))
		mon_service(MON_TRUTH, (uint64_t)sig, siginfo);
}

/* Blocked signals that the end of a handler unblocks.  To stop and to go on are the kernel's business. */
#define NOT_OURS (1ull << 17 | 1ull << 18 | 1ull << 19 | 1ull << 20 | 1ull << 21)
#define CONTEXT_MASK 296		/* offset of uc_sigmask in struct ucontext */

int mon_take_unblocked(const struct mon_frame *f, uint8_t siginfo[MV_SIGINFO_SIZE])
{
	struct { int64_t sec, nsec; } now = { 0, 0 };
	uint64_t pending = 0, mask;
	struct action a;
	long sig;

	mon_kernel(NR_RT_SIGPENDING, (uint64_t)&pending, 8, 0, 0, 0);
	if (!pending || mon_peek(NULL, f->rsp + CONTEXT_MASK, &mask, 8) != 8)
		return 0;
	for (pending &= ~mask & ~NOT_OURS; pending; pending &= ~(1ull << (sig - 1))) {
		sig = mon_kernel(NR_RT_SIGTIMEDWAIT, (uint64_t)&pending, (uint64_t)siginfo, (uint64_t)&now, 8, 0);
		if (sig <= 0)
			return 0;
		mon_tell_truth(sig, (uint64_t)siginfo);
		mon_kernel(NR_RT_SIGACTION, (uint64_t)sig, 0, (uint64_t)&a, 8, 0);
		/* Ignored: by the program, or as SIGCHLD, SIGURG and SIGWINCH are by themselves. */
		if (a.handler != 1 && (a.handler || (sig != 17 && sig != 23 && sig != 28)))
			return (int)sig;
	}
	return 0;
}

void mon_publish(struct mon_thread *m, int sig, const uint8_t siginfo[MV_SIGINFO_SIZE], enum mv_signal_when when,
		 int64_t result, struct mv_step *step)
{
	mv_signal(m->thread, sig, siginfo, when, result, step);
	mon_wake(m->thread);
	mon_settle(m, m->thread, step);
	step->sig = sig;
	__builtin_memcpy(step->siginfo, siginfo, MV_SIGINFO_SIZE);
}

static _Noreturn void deliver(const struct mv_step *step, const uint64_t *mask)
{
	struct mon_delivery d = { .sig = step->sig, .under_mask = mask != NULL, .mask = mask ? *mask : 0 };

	__builtin_memcpy(d.siginfo, step->siginfo, sizeof(d.siginfo));
	mon_unlock();
	mon_last(MON_DELIVER, (uint64_t)&d, 0, 0);
}

/*
 * Where the program makes the call at hand again: at its system call instruction, which may have become a jump since, or at a
 * trampoline's end (jmp *%gs:...).
 */
uint64_t mon_again(uint64_t rip)
{
	uint32_t insn = 0;

	mon_peek(NULL, rip - TRAMPOLINE_JMP, &insn, sizeof(insn));
	return rip - (insn == JMP_GS ? TRAMPOLINE_TAIL : 2);
}

void mon_deliver_before(struct mon_thread *m, const struct mv_step *step, uint64_t nr)
{
	struct mon_frame *f = &m->frame;

	f->rax = nr;
	f->rip = mon_again(f->rip);
	deliver(step, NULL);
}

void mon_return_with(const struct mv_step *step, uint64_t context)
{
	struct mon_delivery d = { .sig = step->sig };

	__builtin_memcpy(d.siginfo, step->siginfo, sizeof(d.siginfo));
	mon_service(MON_RETURN_WITH, (uint64_t)&d, context);
}

void mon_deliver(const struct mv_step *step)
{
	deliver(step, NULL);
}

/* What the kernel does at the end of a call that a signal has interrupted. */
void mon_deliver_interrupted(struct mon_thread *m, const struct mv_step *step, const struct mv_call *call)
{
	struct mon_frame *f = &m->frame;
	uint64_t at = mv_temporary_mask(call, mon_peek, NULL), mask = 0;
	struct action a = { 0 };
	bool under;

	mon_kernel(NR_RT_SIGACTION, (uint64_t)step->sig, 0, (uint64_t)&a, 8, 0);
	/* Before the call began it had put no mask in place. */
	under = at && step->result != -513 && mon_peek(NULL, at, &mask, 8) == 8;
	if (step->result == -513 || (step->result == -512 && a.flags & SA_RESTART)) {
		f->rax = call->nr;
		f->rip = mon_again(f->rip);
	} else {
		f->rax = (uint64_t)-EINTR;
	}
	deliver(step, under ? &mask : NULL);
}
