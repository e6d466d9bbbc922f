/*
 * Signals: faults become pseudo calls; what arrives for the leader is held until its monitor takes it; what followers
 * receive themselves is dropped; what monitors ask for is delivered with the program's registers.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <ucontext.h>
#include "base/log.h"
#include "engine/table.h"
#include "inproc.h"

/* A signal frame: return address, then the context. */
#define FRAME_MASK (8 + offsetof(ucontext_t, uc_sigmask))

static const struct mon_info *info_of(const struct pt_task *t)
{
	return &t->pt->inproc->images[t->variant].info;
}

void in_set_pending(struct pt_task *t, uint32_t value)
{
	if (!t->inside->head)
		return;
	pt_poke(t, t->inside->head + MON_PENDING, &value, sizeof(value));
}

/* Before one is sent back to the kernel: a wait of the thread's may get it at once. */
static void will_send_back(struct pt_task *t)
{
	uint32_t value = 1;

	if (t->inside->head)
		pt_poke(t, t->inside->head + MON_REQUEUED, &value, sizeof(value));
}

/* ---- masks ---- */

/* Signals that an instruction causes: to block them would kill the program. */
#define SYNCHRONOUS (1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1) | 1ull << (SIGFPE - 1) | 1ull << (SIGILL - 1) | \
		     1ull << (SIGTRAP - 1) | 1ull << (SIGSYS - 1))

#define NEVER_BLOCKED (1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1))

static uint64_t get_mask(const struct pt_task *t)
{
	uint64_t mask = 0;

	ptrace(PTRACE_GETSIGMASK, t->tid, (void *)sizeof(mask), &mask);
	return mask;
}

static void set_mask(const struct pt_task *t, uint64_t mask)
{
	ptrace(PTRACE_SETSIGMASK, t->tid, (void *)sizeof(mask), &mask);
}

static uint64_t all_but(uint64_t own_mask, uint64_t open)
{
	return (~0ull & ~SYNCHRONOUS & ~open) | (own_mask & SYNCHRONOUS & ~open);
}

/* Let none through but those of open; the program's own mask is in own_mask then. */
static void mask_all_but(struct pt_task *t, uint64_t open)
{
	struct in_task *i = t->inside;
	uint64_t now = get_mask(t);

	/* A sigreturn may have put the program's mask back meanwhile. */
	if (!i->masked || (now | SYNCHRONOUS | NEVER_BLOCKED) != ~0ull)
		i->own_mask = now;
	i->masked = true;
	set_mask(t, all_but(i->own_mask, open));
}

static void unmask(struct pt_task *t)
{
	if (t->inside->masked)
		set_mask(t, t->inside->own_mask);
	t->inside->masked = false;
}

/* ---- faults ---- */

/* A fault while copying from or to the program's memory: the copy ends here. */
static bool end_copy(struct pt_task *t)
{
	const struct mon_info *m = info_of(t);

	if (t->regs.rip < m->copy || t->regs.rip >= m->copy_end)
		return false;
	t->regs.rip = t->regs.rip < m->copy_bytes ? m->copy_bytes : m->copy_fault;
	if (pt_set_regs(t))
		pt_resume(t, PTRACE_CONT, 0);
	return true;
}

/*
 * The program has set a flag that makes its own instructions trap: not the monitor's, by which the frame keeps it.  On the ways in and
 * out, where the frame may not have it yet or the program has it again, each step passes.
 */
static bool flag_trap(struct pt_task *t, const siginfo_t *info)
{
	const struct mon_info *m = info_of(t);
	uint64_t rip = t->regs.rip, flag = 0;

	if (info->si_signo == SIGTRAP && info->si_code == TRAP_TRACE)
		flag = MON_FLAG_TRAP;
	else if (info->si_signo == SIGBUS && info->si_code == BUS_ADRALN)
		flag = MON_FLAG_ALIGNMENT;
	if (!(t->regs.eflags & flag) || in_where(t) == IN_PROGRAM)
		return false;
	if (flag == MON_FLAG_ALIGNMENT || !((rip >= m->entry && rip < m->copy) || (rip >= m->die && rip < m->keys_end))) {
		t->regs.eflags &= ~flag;
		pt_set_regs(t);
	}
	pt_resume(t, PTRACE_CONT, 0);
	return true;
}

/* The program has come to a trap byte of a patch: what was there is in the trampoline. */
static bool goes_on(struct pt_task *t, const siginfo_t *info)
{
	uint64_t to = 0;

	if (info->si_signo == SIGTRAP)
		to = in_trap_address(t, t->regs.rip - 1);
	else if (info->si_signo == SIGILL || info->si_signo == SIGSEGV)
		to = in_trap_address(t, t->regs.rip);
	if (!to && info->si_signo == SIGSEGV)
		to = in_lost_trampoline(t, t->regs.rip);
	if (!to)
		return false;
	t->regs.rip = to;
	if (pt_set_regs(t))
		pt_resume(t, PTRACE_CONT, 0);
	return true;
}

/* What the program's handler sees is its own code. */
static void show_text(struct pt_task *t)
{
	uint64_t text = in_text_address(t, t->regs.rip);

	if (text == t->regs.rip)
		return;
	t->regs.rip = text;
	pt_set_regs(t);
}

/* The kernel could not write the frame of a signal: nothing of the program's was executed. */
static bool without_frame(struct pt_task *t, const siginfo_t *info)
{
	struct in_task *i = t->inside;

	if (info->si_signo != SIGSEGV || info->si_code != SI_KERNEL || i->handles_at != t->regs.rip)
		return false;
	if (i->stepping)
		set_mask(t, i->own_mask);
	i->stepping = false;
	return true;
}

/* The program has gone to memory of the monitor's: to it nothing is mapped there. */
static bool reaches(struct pt_task *t, const siginfo_t *info)
{
	const struct in_image *m = &t->pt->inproc->images[t->variant];
	uint64_t at = (uint64_t)info->si_addr;

	if (info->si_signo != SIGSEGV || info->si_code <= 0 || info->si_code == SI_KERNEL || at < m->low || at >= m->high)
		return false;
	if (!t->inside->reached)
		mv_log(MV_LOG_NOTICE, "variant %u: process %d goes to memory of the monitor's itself, where the program has nothing",
		       t->variant, t->tid);
	t->inside->reached = true;
	return true;
}

/* A frame that rt_sigreturn cannot go back by: the fault is the program's, where it has made the call. */
static bool bad_frame(struct pt_task *t, const siginfo_t *info)
{
	const struct mon_info *m = info_of(t);
	struct mon_frame f;

	if (info->si_signo != SIGSEGV || info->si_code != SI_KERNEL || (t->regs.rip != m->no_return && t->regs.rip != m->returned) ||
	    !in_frame(t, &f))
		return false;
	in_frame_to_regs(&f, &t->regs);
	t->regs.orig_rax = (uint64_t)-1;
	return true;
}

static void on_fault(struct pt_task *t, siginfo_t *info)
{
	bool lost = bad_frame(t, info);
	uint32_t nr = info->si_signo == SIGSEGV ? pt_trapped_counter(t) : 0;
	char text[120];

	if (!nr)
		mv_log(MV_LOG_SIGNAL, "variant %u: %d: fault, signal %d at %#llx (address %p)", t->variant, t->tid, info->si_signo,
		       t->regs.rip, info->si_addr);
	if (t->pt->inproc->keys && in_key_fault(t, info))
		return;
	if (flag_trap(t, info))
		return;
	if (in_where(t) != IN_PROGRAM) {
		if (end_copy(t))
			return;
		snprintf(text, sizeof(text), "signal %d in the monitor of variant %u at %#llx (address %p)", info->si_signo,
			 t->variant, t->regs.rip - info_of(t)->gate, info->si_addr);
		mv_run_fail(t->pt->run, MV_VERDICT_FAILURE, text);
		return;
	}
	if (goes_on(t, info))
		return;
	if (reaches(t, info)) {
		*info = (siginfo_t){ .si_signo = SIGSEGV, .si_code = SEGV_MAPERR, .si_addr = info->si_addr };
		ptrace(PTRACE_SETSIGINFO, t->tid, 0, info);
	}
	if (t->inside->agreed) {
		t->inside->agreed = false;
		show_text(t);
		pt_resume(t, PTRACE_CONT, info->si_signo);
		return;
	}
	if (nr)
		in_rewrite_at(t, false);
	t->inside->agreed = !nr;
	t->inside->no_frame = lost || without_frame(t, info);
	t->inject = *info;
	if (nr ? !in_send_counter(t, nr) :
		 !in_send(t, info_of(t)->pseudo, MV_PSEUDO_FAULT, (uint64_t)info->si_signo, (uint32_t)info->si_code))
		mv_run_fail(t->pt->run, MV_VERDICT_FAILURE, "a thread has lost its monitor");
}

/* ---- what arrives ---- */

/* Back from the vsyscall page, whose call the kernel has skipped. */
static bool vsyscall(struct pt_task *t)
{
	struct in_task *i = t->inside;

	return i->vsyscall && !i->pseudo && in_where(t) == IN_PROGRAM &&
	       in_send(t, info_of(t)->pseudo, i->vsyscall_nr, t->regs.rdi, t->regs.rsi);
}


/* A call of the program's that has not begun is given up, one that was interrupted ends: the monitor has a signal to take. */
static void out_of_call(struct pt_task *t)
{
	const struct mon_info *m = info_of(t);
	struct user_regs_struct *r = &t->regs;

	if (r->rip >= m->check && r->rip <= m->insn)
		r->rip = m->abort;
	else if (r->rip != m->after || (int64_t)r->orig_rax < 0 || !PT_RESTARTS((int64_t)r->rax))
		return;
	r->orig_rax = (uint64_t)-1;	/* the monitor gets the code itself */
	pt_set_regs(t);
}

static void on_leader_signal(struct pt_task *t, const siginfo_t *info)
{
	const struct mon_info *m = info_of(t);
	struct user_regs_struct *r = &t->regs;
	struct pt_task *first;
	struct pt_sigsets sets;
	enum pt_effect effect = pt_sigsets(t->tid, &sets) ? pt_effect(&sets, info->si_signo) : PT_EFFECT_DELIVER;

	mv_log(MV_LOG_SIGNAL, "leader: %d: signal %d arrives (code %d)", t->tid, info->si_signo, info->si_code);
	if (effect == PT_EFFECT_NOTHING && r->rip == m->after && (int64_t)r->rax == -EINTR && (int64_t)r->orig_rax >= 0) {
		/* Natively this signal would not have woken it; only a traced thread wakes up for what it ignores. */
		r->rax = r->orig_rax;
		r->rip = m->insn;
		r->orig_rax = (uint64_t)-1;
		pt_set_regs(t);
	}
	if (effect != PT_EFFECT_DELIVER) {
		pt_resume(t, PTRACE_CONT, info->si_signo);
		return;
	}
	first = r->rip == m->after && (int64_t)r->rax == -EINTR ? NULL : pt_passed_over(t, info);
	if (first) {
		will_send_back(first);
		pt_send_back(first, info);
		pt_resume(t, PTRACE_CONT, 0);
		return;
	}
	pt_hold(t, info);
	mask_all_but(t, 0);
	in_set_pending(t, 1);
	out_of_call(t);
	if (!vsyscall(t))
		pt_resume(t, PTRACE_CONT, 0);
}

/* The handler's first instruction: what it returns to has the thread's own mask. */
static void set_masks(struct pt_task *t)
{
	struct in_task *i = t->inside;

	i->stepping = false;
	pt_poke(t, t->regs.rsp + FRAME_MASK, &i->own_mask, sizeof(i->own_mask));
	pt_resume(t, PTRACE_CONT, 0);
}

/* A mask must not block the signal that is delivered under it: the kernel would put it off. */
static void on_queued(struct pt_task *t, int sig)
{
	struct in_task *i = t->inside;
	uint64_t bit = 1ull << (sig - 1);

	if (!i->masked)
		i->own_mask = get_mask(t);
	i->stepping = i->under_mask || i->own_mask & bit;
	set_mask(t, (i->under_mask ? i->mask : i->own_mask) & ~bit);
	i->masked = i->under_mask = false;
	i->handles_at = t->regs.rip;
	pt_resume(t, i->stepping ? PTRACE_SINGLESTEP : PTRACE_CONT, sig);
}

/* The kernel has raised it for the monitor, in the name of the program. */
static void refused(struct pt_task *t)
{
	struct user_regs_struct program = t->regs;
	struct mon_frame f;

	if (!in_frame(t, &f)) {
		mv_run_fail(t->pt->run, MV_VERDICT_FAILURE, "a thread has lost its monitor");
		return;
	}
	in_frame_to_regs(&f, &program);
	program.rip = in_text_address(t, program.rip);
	unmask(t);
	pt_refused(t, &program);
}

void in_on_signal(struct pt_task *t, int sig)
{
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, t->tid, 0, &info) || !in_stopped(t))
		return;
	if (t->refused && sig == SIGSYS) {
		refused(t);
	} else if (sig == SIGTRAP && t->inside->stepping) {
		set_masks(t);
	} else if (pt_is_queued(t, sig, &info)) {
		if (t->requeued)
			will_send_back(t);	/* it was another one that came in its place */
		on_queued(t, sig);
	} else if (pt_synchronous(&info)) {
		on_fault(t, &info);
	} else if (!pt_leads(t)) {
		if (!vsyscall(t))
			pt_resume(t, PTRACE_CONT, 0);
	} else {
		on_leader_signal(t, &info);
	}
}

/* ---- what the monitor asks for ---- */

int64_t in_take(struct pt_task *t, uint64_t to)
{
	siginfo_t info;
	bool found = pt_take_held(t, 0, &info);

	if (!t->held)
		in_set_pending(t, 0);
	if (!found) {
		unmask(t);
		return 0;
	}
	return pt_poke(t, to, &info, sizeof(info)) == sizeof(info) ? info.si_signo : -EFAULT;
}

int64_t in_truth(struct pt_task *t, int sig, uint64_t at)
{
	uint32_t none = 0;

	pt_tell_truth(t, sig, at);
	if (!t->requeued)
		pt_poke(t, t->inside->head + MON_REQUEUED, &none, sizeof(none));
	return 0;
}

void in_deliver(struct pt_task *t, uint64_t delivery)
{
	struct in_task *i = t->inside;
	struct mon_delivery d;
	struct mon_frame f;

	if (pt_peek(t, delivery, &d, sizeof(d)) != sizeof(d) || d.sig < 1 || d.sig > 64 || !in_frame(t, &f)) {
		mv_run_fail(t->pt->run, MV_VERDICT_FAILURE, "a monitor asks for a signal that is none");
		return;
	}
	if (i->pseudo)
		t->regs = t->own;
	else
		in_frame_to_regs(&f, &t->regs);
	if (i->vsyscall) {
		/* It is made again afterwards: the address it returns to is still there. */
		t->regs.rip = i->vsyscall;
		t->regs.rsp -= 8;
		i->vsyscall = 0;
	}
	i->pseudo = i->agreed = false;
	t->regs.rip = in_text_address(t, t->regs.rip);
	t->regs.orig_rax = (uint64_t)-1;
	if (!pt_set_regs(t))
		return;
	mask_all_but(t, 1ull << (d.sig - 1));
	i->under_mask = d.under_mask;
	i->mask = d.mask;
	pt_inject(t, d.sig, d.siginfo);
}

/* All is blocked until the kernel has gone back by the context; there this one is not, and the thread's own mask is put back with it. */
int64_t in_return_with(struct pt_task *t, uint64_t delivery, uint64_t context)
{
	uint64_t at = context + offsetof(ucontext_t, uc_sigmask), mask, bit;
	struct in_task *i = t->inside;
	struct mon_delivery d;

	if (pt_peek(t, delivery, &d, sizeof(d)) != sizeof(d) || d.sig < 1 || d.sig > 64)
		return -EINVAL;
	bit = 1ull << (d.sig - 1);
	set_mask(t, ~(SYNCHRONOUS & ~bit));
	if (pt_peek(t, at, &i->own_mask, sizeof(i->own_mask)) != sizeof(i->own_mask))
		return -EFAULT;
	i->own_mask &= ~NEVER_BLOCKED;
	i->masked = true;
	mask = all_but(i->own_mask, bit);
	pt_poke(t, at, &mask, sizeof(mask));
	pt_queue(t, d.sig, d.siginfo);
	return 0;
}

/* ---- stops that were asked for ---- */

static void interrupt(struct pt_task *t)
{
	if (t->at != PT_RUNNING || t->interrupting)
		return;
	t->interrupting = true;
	ptrace(PTRACE_INTERRUPT, t->tid, 0, 0);
}

static void nudge(struct pt_task *t)
{
	t->inside->nudged = true;
	in_set_pending(t, 1);
	interrupt(t);
}

/* Once for each signal: told again when it has looked, it would take the next one at once. */
static void nudge_in_time(struct pt_task *t)
{
	if (!pt_has_computed(t) || t->due.told == t->due.at)
		return;
	t->due.told = t->due.at;
	nudge(t);
}

/* Until then it finds the signal if it makes a call. */
static void nudge_later(struct pt_task *t)
{
	uint64_t head, at;

	if (!mv_set_progress(t->pt->run, t->pt->mode->set(t), t->variant, &head, &at))
		return;
	t->due.until = head ? head : at;
	nudge_in_time(t);
}

void in_nudge(struct pt_task *t)
{
	if (!pt_leads(t))
		nudge_later(t);
	/* One that is not made yet looks for itself when it begins. */
	for (unsigned v = 0; pt_leads(t) && v < t->pt->nvariants; v++) {
		struct pt_task *twin = v == t->variant ? NULL : pt_task_twin(t->pt, v, t->id);

		if (twin && twin->started && !pt_task_is_out(twin))
			nudge_later(twin);
	}
}

/* It may have taken the signal by itself meanwhile, at its next call; and there may be more behind that. */
static void look_at_due(struct pt_task *t)
{
	uint64_t head, at;

	if (!mv_set_progress(t->pt->run, t->pt->mode->set(t), t->variant, &head, &at) || at > t->due.until)
		t->due.on = false;
	else
		nudge_in_time(t);
}

void in_tick(struct pt *pt)
{
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next) {
		if (t->inside->nudged)
			interrupt(t);
		else if (t->due.on)
			look_at_due(t);
	}
	in_company_tick(pt);
	pt_tick(pt);
}

void in_first_stop(struct pt_task *t)
{
	struct in_task *i = t->inside;

	unmask(t);	/* what its parent was masked with is inherited */
	if (!pt_get_regs(t))
		return;
	t->regs.gs_base = i->head;
	if (!pt_set_regs(t))
		return;
	in_set_pending(t, 0);
	pt_resume(t, PTRACE_CONT, 0);
}

/* Before it looks for a signal in its stream a follower clears what it was told by. */
static bool has_not_looked(struct pt_task *t)
{
	uint32_t pending;

	return pt_peek(t, t->inside->head + MON_PENDING, &pending, sizeof(pending)) != sizeof(pending) || pending;
}

/* Stopped in the program, with no signal on its way to it: let the monitor look for one. */
static bool async(struct pt_task *t)
{
	struct in_task *i = t->inside;

	if (in_where(t) != IN_PROGRAM || t->inject_sig || !(pt_leads(t) ? t->held_due : i->nudged))
		return false;
	i->nudged = false;
	return in_send(t, info_of(t)->async, 0, 0, 0);
}

void in_on_stop(struct pt_task *t, int sig)
{
	if (!t->started) {
		t->started = true;
		in_first_stop(t);
		return;
	}
	if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU) {
		pt_on_stop(t, sig);
		return;
	}
	if (!in_stopped(t))
		return;
	if (vsyscall(t))
		return;
	/* With a signal on its way it is about to be in a handler. */
	if (t->inject_sig) {
		pt_resume(t, PTRACE_CONT, 0);
		return;
	}
	if (t->inside->nudged) {
		t->inside->nudged = has_not_looked(t);
		if (t->inside->nudged)
			out_of_call(t);
	}
	if (async(t) || pt_spin_stop(t))
		return;
	pt_resume(t, PTRACE_CONT, 0);
}

bool in_in_program(struct pt_task *t)
{
	return t->inside && !t->inject_sig && !t->held && in_stopped(t) && in_where(t) == IN_PROGRAM && (int64_t)t->regs.orig_rax < 0;
}

void in_set_free(struct pt_task *t)
{
	if (!in_send(t, info_of(t)->async, true, 0, 0))
		mv_run_fail(t->pt->run, MV_VERDICT_FAILURE, "a thread has lost its monitor");
}

void in_spin(struct pt_task *t, unsigned how)
{
	if (!in_send(t, info_of(t)->pseudo, MV_PSEUDO_SPIN, how, 0))
		mv_run_fail(t->pt->run, MV_VERDICT_FAILURE, "a thread has lost its monitor");
}
