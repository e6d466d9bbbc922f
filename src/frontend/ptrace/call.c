/*
 * System calls: from a stop to the engine, and from the engine's answer back into the thread's registers.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>
#include "base/log.h"
#include "engine/table.h"
#include "pt.h"

#define HARMLESS SYS_getpid

static void put_args(struct user_regs_struct *r, const uint64_t args[MV_NARGS])
{
	r->rdi = args[0];
	r->rsi = args[1];
	r->rdx = args[2];
	r->r10 = args[3];
	r->r8 = args[4];
	r->r9 = args[5];
}

static bool same_call(const struct mv_call *a, const struct mv_call *b)
{
	return a->nr == b->nr && !memcmp(a->args, b->args, sizeof(a->args));
}

static void log_call(const struct pt_task *t, const char *what, int64_t result)
{
	const uint64_t *a = t->call.args;

	if (mv_log_on(MV_LOG_CALLS))
		mv_log(MV_LOG_CALLS, "variant %u: %d: %s(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx) %s %ld", t->variant, t->tid,
		       mv_call_name(&t->call), a[0], a[1], a[2], a[3], a[4], a[5], what, result);
}

/* ---- registers ---- */

/* Read all of them at a call's stop; they are the program's own unless others have been put there. */
bool pt_need_regs(struct pt_task *t)
{
	if (!t->have_regs && !pt_get_regs(t))
		return false;
	if (!t->have_own && !t->replaced) {
		t->own = t->regs;
		t->own.orig_rax = t->call.nr;
		t->have_own = true;
	}
	return true;
}

/* In regs: the program's own registers, with the call's result. */
static void give_result(struct pt_task *t, int64_t result)
{
	t->regs = t->own;
	t->regs.rax = (uint64_t)result;
	t->replaced = false;
}

/* The call is not to be made, or over: the program gets this result, and the kernel takes it for no call any more. */
static bool end_call(struct pt_task *t, int64_t result)
{
	struct user_regs_struct now;

	if (!t->replaced)
		return pt_set_reg(t, offsetof(struct user_regs_struct, rax), (uint64_t)result) &&
		       pt_set_reg(t, offsetof(struct user_regs_struct, orig_rax), (uint64_t)-1);
	if (!pt_need_regs(t))
		return false;
	now = t->regs;
	give_result(t, result);
	t->regs.rcx = now.rcx;
	t->regs.r11 = now.r11;
	t->regs.orig_rax = (uint64_t)-1;
	return pt_set_regs(t);
}

/* ---- carrying out a step ---- */

/* Make the kernel call of a step; the thread is at a call's entry. */
static void run_here(struct pt_task *t, struct mv_step *step)
{
	struct pt *pt = t->pt;

	if (step->child_tid) {
		struct pt_variant *v = &pt->variants[t->variant];

		/* Another thread of this variant is about to use the namespace's counter. */
		if (v->cloning && v->cloning != t) {
			t->next = *step;
			t->parked = true;
			t->child_tid = step->child_tid;
			return;
		}
		v->cloning = t;
		t->child_tid = step->child_tid;
		if (!pt_namespace_next(pt, t->variant, step->child_tid)) {
			pt_fail(pt, 0, "the PID namespace of variant %u does not answer", t->variant);
			return;
		}
	}
	if (pt_answer(t, &step->call)) {
		struct mv_step next = { 0 };

		mv_exit(t->thread, 0, &next);
		pt_apply(t, &next);
		return;
	}
	if (step->call.nr == SYS_execve && pt_need_regs(t)) {
		uint64_t path = pt_own_build(t, &step->call, t->regs.rsp);

		if (path)
			step->call.args[0] = path;
	}
	if (step->call.nr == SYS_chroot && step->call.args[0] == MV_HERE && pt_need_regs(t))
		step->call.args[0] = pt_below_stack(t, ".", t->regs.rsp);
	if (!same_call(&t->now, &step->call)) {
		/* A restarted call keeps its own number: the kernel knows how much of it is left. */
		if (!(t->now.nr == SYS_restart_syscall && same_call(&t->call, &step->call))) {
			if (!pt_need_regs(t))
				return;
			t->regs.orig_rax = step->call.nr;
			put_args(&t->regs, step->call.args);
			t->replaced = true;
			if (!pt_set_regs(t))
				return;
		}
	}
	if (pt_in_vsyscall(t))
		pt_vsyscall_run(t);
	else
		pt_resume(t, PTRACE_SYSCALL, 0);
}

/* Let it make the call that only our filter knows. */
static bool cookie_call(struct pt_task *t)
{
	if (!pt_need_regs(t))
		return false;
	t->regs.orig_rax = PT_IMPORT_NR;
	t->regs.r9 = t->pt->cookie;
	t->replaced = true;
	return pt_set_regs(t);
}

static void import_here(struct pt_task *t, const struct mv_step *step)
{
	int file = pt_import_source(t, step);
	uint64_t all = ~0ull;

	if (file < 0) {
		pt_fail(t->pt, -file, "cannot hand the leader's file %d to variant %u", step->fd, t->variant);
		return;
	}
	/* No signal may get it out of the wait for its file; the mask is put back at the exit. */
	if (cookie_call(t) && !ptrace(PTRACE_GETSIGMASK, t->tid, (void *)sizeof(t->mask), &t->mask)) {
		t->importing = true;
		ptrace(PTRACE_SETSIGMASK, t->tid, (void *)sizeof(all), &all);
		t->next = *step;
		pt_resume(t, PTRACE_SYSCALL, 0);
		if (pt_import_serve(t, step, file) == PT_IMPORT_FAILED)
			pt_fail(t->pt, 0, "variant %u did not take the leader's file %d", t->variant, step->fd);
	}
	close(file);
}

/* The thread has left the kernel but must make another call: send it through the same instruction again. */
static void run_again(struct pt_task *t, const struct mv_step *step)
{
	if (!pt_need_regs(t))
		return;
	t->next = *step;
	t->injected = true;
	t->replaced = true;
	t->regs.rip -= 2;
	t->regs.rax = HARMLESS;
	if (pt_set_regs(t))
		pt_resume(t, PTRACE_CONT, 0);
}

/*
 * A signal that a temporary mask let through: the follower must take it under that mask and find the old one afterwards.
 * The kernel does both if the follower really waits for it, with the signal queued before.
 */
static bool suspend_for(struct pt_task *t, const struct mv_step *step)
{
	uint64_t mask = mv_temporary_mask(&t->call, pt_peek, t);

	if (!mask)
		return false;
	if (!pt_need_regs(t))
		return true;
	t->regs = t->own;
	t->regs.orig_rax = SYS_rt_sigsuspend;
	t->regs.rdi = mask;
	t->regs.rsi = 8;
	t->replaced = true;
	if (!pt_set_regs(t))
		return true;
	t->next = *step;
	t->interrupted = -514;
	t->suspended = true;
	pt_queue(t, step->sig, step->siginfo);
	pt_resume(t, PTRACE_SYSCALL, 0);
	return true;
}

static void done_at_entry(struct pt_task *t, struct mv_step *step)
{
	if (step->sig && step->result == -EINTR && suspend_for(t, step))
		return;
	log_call(t, "skipped =", step->result);
	if (pt_in_vsyscall(t) && step->result == -EFAULT) {
		pt_resume(t, PTRACE_CONT, 0);	/* natively a fault, not an error: left to the kernel */
		return;
	}
	if (!end_call(t, step->result))
		return;
	if (step->sig)
		pt_inject(t, step->sig, step->siginfo);
	else
		pt_resume(t, PTRACE_CONT, 0);
}

static void done_at_exit(struct pt_task *t, struct mv_step *step)
{
	bool change = t->replaced || t->result != step->result;

	log_call(t, "=", step->result);
	/* rt_sigreturn has restored all registers: they are none of a call. */
	if (change && t->call.nr != SYS_rt_sigreturn && !end_call(t, step->result))
		return;
	if (step->sig)
		pt_inject(t, step->sig, step->siginfo);
	else
		pt_resume(t, PTRACE_CONT, 0);
}

static void refuse(struct pt_task *t, const struct mv_step *step)
{
	if (pt_in_vsyscall(t)) {
		mv_run_fail(t->pt->run, MV_VERDICT_UNSUPPORTED, "a filter of the program's raises SIGSYS for a call of the vsyscall page");
		return;
	}
	if (!pt_need_regs(t))
		return;
	log_call(t, "refused,", step->result);
	t->regs.r9 = t->pt->cookie;
	pt_refuse(t, step->fatal, t->call.nr, (int)step->result);
}

/* The call has not happened: the program will make it again after the signal's handler. */
void pt_roll_back(struct pt_task *t)
{
	if (!pt_need_regs(t))
		return;
	if (pt_in_vsyscall(t)) {
		pt_vsyscall_roll_back(t);
		return;
	}
	give_result(t, t->call.nr);
	t->regs.orig_rax = (uint64_t)-1;
	t->regs.rip -= 2;
	pt_set_regs(t);
}

/*
 * End the call as the kernel ends one that a signal interrupts.  A restart block exists in the leader only; a follower
 * makes the whole call again if no handler runs.
 */
static void interrupt(struct pt_task *t, struct mv_step *step)
{
	int64_t result = step->result == -516 ? -514 : step->result;

	if (t->at == PT_AT_ENTRY && suspend_for(t, step))
		return;
	if (!pt_need_regs(t))
		return;
	give_result(t, result);
	if (t->at == PT_AT_ENTRY) {
		/* Skip it first; only at its exit the kernel believes in an interrupted call. */
		t->regs.orig_rax = (uint64_t)-1;
		if (!pt_set_regs(t))
			return;
		t->next = *step;
		t->interrupted = result;
		pt_resume(t, PTRACE_SYSCALL, 0);
		return;
	}
	if (pt_set_regs(t))
		pt_inject(t, step->sig, step->siginfo);
}

/* The loop runs without the counter itself, see loop.c. */
uint64_t pt_counter(void)
{
	uint64_t v;

	prctl(PR_SET_TSC, PR_TSC_ENABLE);
	v = __rdtsc();
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
	return v;
}

void pt_counted(struct user_regs_struct *r, uint32_t pseudo, uint64_t value)
{
	bool p = pseudo == MV_PSEUDO_RDTSCP;

	r->rax = (uint32_t)value;
	r->rdx = value >> 32;
	if (p)
		r->rcx = 0;
	r->rip += p ? 3 : 2;
}

/* rdtsc and rdtscp, trapped as faults. */
static void done_counter(struct pt_task *t, const struct mv_step *step)
{
	pt_counted(&t->regs, t->next.call.nr, (uint64_t)step->result);
	if (pt_set_regs(t))
		pt_resume(t, PTRACE_CONT, 0);
}

static bool is_counter(const struct pt_task *t)
{
	return t->next.call.nr == MV_PSEUDO_RDTSC || t->next.call.nr == MV_PSEUDO_RDTSCP;
}

static void fault_step(struct pt_task *t, struct mv_step *step)
{
	if (step->action == MV_RUN)
		mv_exit(t->thread, is_counter(t) ? (int64_t)pt_counter() : 0, step);
	switch (step->action) {
	case MV_PARK:
	case MV_STOP:
		t->parked = true;	/* the ring is full; or as in pt_apply() */
		break;
	case MV_DONE:
		if (is_counter(t))
			done_counter(t, step);
		else
			pt_resume(t, PTRACE_CONT, t->inject.si_signo);
		break;
	case MV_SIGNAL:
		/* A signal comes first; afterwards the instruction faults again. */
		pt_inject(t, step->sig, step->siginfo);
		break;
	case MV_INTERRUPT:
	case MV_IMPORT:
	case MV_RUN:
		pt_fail(t->pt, 0, "the engine asks for action %d at a fault", step->action);
		break;
	default:
		break;
	}
}

void pt_apply(struct pt_task *t, struct mv_step *step)
{
	/* With MV_STOP the loop sees the verdict, or takes the accusation back. */
	t->parked = step->action == MV_PARK || step->action == MV_STOP;
	if (t->parked)
		return;
	switch (t->at) {
	case PT_AT_ENTRY:
		switch (step->action) {
		case MV_RUN:
			run_here(t, step);
			return;
		case MV_IMPORT:
			import_here(t, step);
			return;
		case MV_DONE:
			done_at_entry(t, step);
			return;
		case MV_REFUSE:
			refuse(t, step);
			return;
		case MV_SIGNAL:
			pt_roll_back(t);
			pt_inject(t, step->sig, step->siginfo);
			return;
		default:
			interrupt(t, step);
			return;
		}
	case PT_AT_EXIT:
		switch (step->action) {
		case MV_RUN:
		case MV_IMPORT:
			run_again(t, step);
			return;
		case MV_DONE:
			done_at_exit(t, step);
			return;
		default:
			interrupt(t, step);
			return;
		}
	case PT_AT_EVENT:
		/* A clone is over; what the thread gets is what the kernel returns.  The child may have calls to make first. */
		if (step->action == MV_RUN || step->action == MV_IMPORT) {
			run_again(t, step);
			return;
		}
		/* fall through */
	case PT_AT_EXEC:
		if (step->sig)
			pt_inject(t, step->sig, step->siginfo);
		else
			pt_resume(t, PTRACE_CONT, 0);
		return;
	case PT_AT_FAULT:
		fault_step(t, step);
		return;
	case PT_AT_SIGNAL:
		pt_resume(t, PTRACE_CONT, t->inject.si_signo);
		return;
	case PT_AT_BOUNDARY:
		pt_roll_back(t);
		pt_inject(t, t->inject.si_signo, &t->inject);
		return;
	case PT_AT_ASYNC:
		pt_inject(t, t->inject.si_signo, &t->inject);
		return;
	case PT_RUNNING:
		return;
	}
}

void pt_retry_parked(struct pt *pt)
{
	struct pt_task *t, *next;

	HASH_ITER(hh, pt->tasks, t, next) {
		struct mv_step step = { 0 };
		uint64_t moves;

		if (!t->parked || t->rests || pt_task_is_out(t) || mv_run_verdict(pt->run)->kind != MV_VERDICT_NONE)
			continue;
		if (t->child_tid && t->at == PT_AT_ENTRY && t->next.child_tid) {
			/* Waits for the namespace's counter, not for the engine. */
			if (pt->variants[t->variant].cloning)
				continue;
			step = t->next;
			t->next.child_tid = 0;
			t->parked = false;
			run_here(t, &step);
			continue;
		}
		moves = mv_thread_moves(t->thread);
		mv_retry(t->thread, &step);
		if (mv_thread_moves(t->thread) != moves || (step.action != MV_PARK && step.action != MV_STOP))
			pt->moved = true;
		if (step.action != MV_PARK)
			pt_apply(t, &step);
	}
}

/* ---- stops ---- */

/* The kernel makes the rest of a call that a stop has interrupted by another number. */
static bool is_apart(struct pt_task *t)
{
	bool of_call = t->rest || (t->interrupted && mv_thread_in_call(t->thread));

	return t->now.nr == SYS_restart_syscall ? !of_call : mv_call_is_apart(t->thread, &t->now);
}

void pt_on_entry(struct pt_task *t)
{
	struct mv_step step = { 0 };
	uint64_t message;

	if (!pt_get_call(t, &message))
		return;
	if (message & 1) {
		mv_run_fail(t->pt->run, MV_VERDICT_UNSUPPORTED, "a 32-bit system call (int 0x80 or sysenter)");
		return;
	}
	if (is_apart(t) && !t->injected) {
		pt_resume(t, PTRACE_CONT, 0);
		return;
	}
	t->at = PT_AT_ENTRY;
	if (t->injected) {
		t->injected = false;
		t->return_ip = 0;
		step = t->next;
		pt_apply(t, &step);
		return;
	}
	if (t->interrupted && mv_thread_in_call(t->thread)) {
		/* Nobody handled the signal: the kernel makes the call again by itself. */
		t->interrupted = 0;
		pt_resume(t, PTRACE_SYSCALL, 0);
		return;
	}
	/* The rest of a call whose interruption was published is to the engine that call again. */
	if (t->now.nr != SYS_restart_syscall) {
		t->call = t->now;
		t->have_own = false;
		t->replaced = false;
	}
	t->interrupted = 0;
	t->rest = false;
	if (t->return_ip) {
		pt_publish_no_signal(t, PT_AT_BOUNDARY);
		return;
	}
	if (t->held && pt_publish_held(t, PT_AT_BOUNDARY, MV_SIGNAL_BOUNDARY))
		return;
	mv_enter(t->thread, &t->call, &step);
	pt_apply(t, &step);
}

void pt_on_exit(struct pt_task *t)
{
	struct pt *pt = t->pt;
	struct mv_step step = { 0 };
	int64_t result;

	if (!(pt_in_vsyscall(t) ? pt_vsyscall_result(t) : pt_get_result(t)))
		return;
	t->at = PT_AT_EXIT;
	result = t->result;
	if (t->importing) {
		struct mv_step import = t->next;

		t->importing = false;
		ptrace(PTRACE_SETSIGMASK, t->tid, (void *)sizeof(t->mask), &t->mask);
		if (pt_import_again(t, result)) {
			run_again(t, &import);	/* a stop has got it, or us, out of the wait for its file */
			return;
		}
		pt_import_done(t, &import);
	}
	if (!pt_leads(t) && t->interrupted && t->suspended) {
		/* The signal is there already; the arguments are the program's again. */
		t->suspended = false;
		t->interrupted = 0;
		give_result(t, result);
		if (pt_set_regs(t))
			pt_resume(t, PTRACE_CONT, 0);
		return;
	}
	if (!pt_leads(t) && t->interrupted) {
		/* The second half of interrupt(). */
		give_result(t, t->interrupted);
		t->interrupted = 0;
		if (pt_set_regs(t))
			pt_inject(t, t->next.sig, t->next.siginfo);
		return;
	}
	if (!mv_thread_in_call(t->thread)) {
		pt_resume(t, PTRACE_CONT, 0);
		return;
	}
	if (t->call.nr == SYS_rt_sigreturn)
		result = 0;
	if (t->call.nr == SYS_mmap && t->now.nr == SYS_mmap && (result >= 0 || result < -4095))
		pt_stand_in(t, &t->call, (uint64_t)result);
	if (PT_RESTARTS(result)) {
		t->interrupted = result;
		pt_resume(t, PTRACE_CONT, 0);
		return;
	}
	if (pt->variants[t->variant].cloning == t)
		pt->variants[t->variant].cloning = NULL;	/* it failed: no event came */
	t->child_tid = 0;
	pt_affinity_call(t, result);
	if (pt_leads(t) && result == -EINTR && pt_woken_for_nothing(t)) {
		/* Natively this signal would not have woken it; only a traced thread wakes up for what it ignores. */
		t->interrupted = result;
		if (!pt_need_regs(t))
			return;
		t->regs.rax = t->call.nr;
		t->regs.rip -= 2;
		if (pt_set_regs(t))
			pt_resume(t, PTRACE_CONT, 0);
		return;
	}
	if (pt_leads(t) && t->call.nr == SYS_rt_sigtimedwait && result > 0)
		pt_tell_truth(t, (int)result, t->call.args[1]);
	if (pt_leads(t) && pt_signal_due(t)) {
		mv_signal_follows(t->thread);
		t->return_ip = t->ip;
	}
	mv_exit(t->thread, result, &step);
	pt_apply(t, &step);
}
