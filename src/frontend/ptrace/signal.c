/*
 * Signals: caught in the leader, published, delivered in every variant at the same place (design.md section 10).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"
#include "engine/table.h"
#include "pt.h"


/*
 * A signal can only be given to a thread at its delivery: queue one of that number for the thread, and put the right
 * siginfo in when it arrives.
 */
void pt_queue(struct pt_task *t, int sig, const void *siginfo)
{
	memcpy(&t->inject, siginfo, sizeof(t->inject));
	t->inject_sig = sig;
	mv_log(MV_LOG_SIGNAL, "variant %u: %d: signal %d", t->variant, t->tid, sig);
	syscall(SYS_tgkill, t->process->tgid, t->tid, sig);
}

void pt_inject(struct pt_task *t, int sig, const void *siginfo)
{
	if (sig)
		pt_queue(t, sig, siginfo);
	pt_resume(t, PTRACE_CONT, 0);
}

bool pt_synchronous(const siginfo_t *info)
{
	switch (info->si_signo) {
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
		return info->si_code > 0;
	default:
		return false;
	}
}

uint32_t pt_trapped_counter(struct pt_task *t)
{
	uint8_t b[3] = { 0 };

	pt_peek(t, t->regs.rip, b, sizeof(b));
	if ((b[0] == 0x0f || (b[0] == PT_LOOK_REPLACED && t->pt->counter_escapes)) && b[1] == 0x31)
		return MV_PSEUDO_RDTSC;
	if (b[0] == 0x0f && b[1] == 0x01 && b[2] == 0xf9)
		return MV_PSEUDO_RDTSCP;
	return 0;
}

void pt_spin(struct pt_task *t, unsigned how)
{
	struct mv_call call = { .nr = MV_PSEUDO_SPIN, .args = { how } };
	struct mv_step step = { 0 };

	t->at = PT_AT_FAULT;
	t->inject.si_signo = 0;
	t->next.call = call;
	mv_enter(t->thread, &call, &step);
	pt_apply(t, &step);
}

static void publish(struct pt_task *t, enum pt_at at, enum mv_signal_when when, int64_t result)
{
	struct mv_step step = { 0 };

	t->at = at;
	mv_signal(t->thread, t->inject.si_signo, &t->inject, when, result, &step);
	pt_apply(t, &step);
}

void pt_publish_no_signal(struct pt_task *t, enum pt_at at)
{
	t->return_ip = 0;
	memset(&t->inject, 0, sizeof(t->inject));
	publish(t, at, MV_SIGNAL_AT_RETURN, 0);
}

void pt_hold(struct pt_task *t, const siginfo_t *info)
{
	struct pt_held *h;

	/* An ordinary signal that is pending already is not queued a second time. */
	for (h = t->held; h && info->si_signo < SIGRTMIN; h = h->next)
		if (h->info.si_signo == info->si_signo)
			return;
	h = calloc(1, sizeof(*h));
	if (!h) {
		pt_fail(t->pt, ENOMEM, "cannot hold a signal");
		return;
	}
	h->info = *info;
	h->cpu = pt_cpu_time(t->tid);
	*t->held_tail = h;
	t->held_tail = &h->next;
	pt_tick_fast(t->pt);
}

static struct pt_held *take_held(struct pt_task *t)
{
	struct pt_held *h = t->held;

	t->held = h->next;
	if (!t->held) {
		t->held_tail = &t->held;
		t->held_due = false;
	}
	return h;
}

#define FIRST_REAL_TIME 32	/* to the kernel */

static struct pt_held **find_info(struct pt_task *t, int sig)
{
	struct pt_held **at = &t->requeued;

	while (*at && (*at)->info.si_signo != sig)
		at = &(*at)->next;
	return at;
}

/* What the kernel has told about a signal that we have sent back to it.  Ordinary ones merge there. */
static void keep_info(struct pt_task *t, const siginfo_t *info)
{
	struct pt_held **at = find_info(t, info->si_signo), *h;

	if (*at && info->si_signo < FIRST_REAL_TIME)
		return;
	while (*at)
		at = &(*at)->next;
	h = calloc(1, sizeof(*h));
	if (!h) {
		pt_fail(t->pt, ENOMEM, "cannot hold a signal");
		return;
	}
	h->info = *info;
	*at = h;
}

/* One that we have sent: all it tells is its number. */
static bool is_ours(const struct pt_task *t, const siginfo_t *info)
{
	return info->si_code == SI_TKILL && info->si_pid == (t->variant ? 0 : getpid());
}

/* A real-time signal that comes before those that were there earlier lets them go first, and is one of ours later. */
bool pt_true_info(struct pt_task *t, siginfo_t *info)
{
	struct pt_held **at = find_info(t, info->si_signo), *h = *at;

	if (!h)
		return false;
	if (!is_ours(t, info) && info->si_signo >= FIRST_REAL_TIME)
		keep_info(t, info);
	*info = h->info;
	*at = h->next;
	free(h);
	return true;
}

void pt_tell_truth(struct pt_task *t, int sig, uint64_t at)
{
	/* Of one that nobody asks about the number is all there is. */
	siginfo_t info = { .si_signo = sig, .si_code = SI_TKILL };

	info.si_pid = t->variant ? 0 : getpid();
	if (!t->requeued || (at && pt_peek(t, at, &info, sizeof(info)) != sizeof(info)))
		return;
	if (pt_true_info(t, &info) && at)
		pt_poke(t, at, &info, sizeof(info));
}

void pt_send_back(struct pt_task *t, const siginfo_t *info)
{
	keep_info(t, info);
	syscall(SYS_tgkill, t->process->tgid, t->tid, info->si_signo);
}

/*
 * The first held signal that the thread can take now.  Those that a handler has blocked meanwhile wait in the kernel, like
 * any signal, until it returns.
 */
bool pt_take_held(struct pt_task *t, uint64_t blocked, siginfo_t *info)
{
	while (t->held) {
		struct pt_held *h = take_held(t);

		*info = h->info;
		free(h);
		if (!(blocked >> (info->si_signo - 1) & 1))
			return true;
		pt_send_back(t, info);
	}
	return false;
}

bool pt_publish_held(struct pt_task *t, enum pt_at at, enum mv_signal_when when)
{
	uint64_t blocked = 0;

	ptrace(PTRACE_GETSIGMASK, t->tid, (void *)sizeof(blocked), &blocked);
	if (!pt_take_held(t, blocked, &t->inject))
		return false;
	publish(t, at, when, 0);
	return true;
}

static void on_fault(struct pt_task *t, const siginfo_t *info)
{
	struct mv_call call = { .args = { (uint64_t)info->si_signo, (uint32_t)info->si_code } };
	struct mv_step step = { 0 };

	call.nr = info->si_signo == SIGSEGV ? pt_trapped_counter(t) : 0;
	/* The instruction is run again after the handler. */
	if (call.nr && pt_leads(t) && t->held && pt_publish_held(t, PT_AT_ASYNC, MV_SIGNAL_BOUNDARY))
		return;
	t->at = PT_AT_FAULT;
	t->inject = *info;
	if (call.nr)
		memset(call.args, 0, sizeof(call.args));
	else
		call.nr = MV_PSEUDO_FAULT;
	t->next.call = call;
	mv_enter(t->thread, &call, &step);
	pt_apply(t, &step);
}

/*
 * What the leader has done behind its last call before the signal came, such as to clear the flag that the handler sets, a follower
 * has to have done, too.
 */
bool pt_has_computed(struct pt_task *t)
{
	uint64_t set = t->pt->mode->set(t), now = pt_cpu_time(t->tid), head, at;

	t->due.on = true;
	pt_tick_fast(t->pt);
	if (!mv_set_progress(t->pt->run, set, t->variant, &head, &at) || !mv_set_signals(t->pt->run, set, t->variant))
		return false;
	if (t->due.at != at) {
		t->due.at = at;
		t->due.since = now;
	}
	return now - t->due.since >= PT_HOLD_MS || pt_state(t->tid) == 'S';
}

/* One signal at a time: while one is on its way to the thread, the next has to wait for its delivery. */
void pt_nudge(struct pt_task *t)
{
	if (!t->thread || !t->started || t->at != PT_RUNNING || t->interrupting || t->inject_sig || !mv_signal_waits(t->thread) ||
	    !pt_has_computed(t))
		return;
	t->interrupting = true;
	ptrace(PTRACE_INTERRUPT, t->tid, 0, 0);
}

/* Let followers that run free of calls know that a signal is there for them. */
static void nudge_followers(struct pt_task *leader)
{
	for (unsigned v = 0; v < leader->pt->nvariants; v++) {
		struct pt_task *t = v == leader->variant ? NULL : pt_task_twin(leader->pt, v, leader->id);

		if (t && !pt_task_is_out(t))
			pt_nudge(t);
	}
}

/*
 * A signal for the process goes to its first thread, if that takes it; but the kernel passes over a thread that is stopped,
 * as a traced one often is, and a handler's work in another thread is done at no certain place between the first one's calls.
 * The thread that it should have gone to, NULL if it is right here or was sent to this one.
 */
struct pt_task *pt_passed_over(const struct pt_task *t, const siginfo_t *info)
{
	struct pt_task *first = pt_task_find(t->pt, t->process->tgid);
	bool outside = info->si_code == SI_KERNEL || (info->si_code == SI_USER && (!first || info->si_pid != (pid_t)first->id));
	struct pt_sigsets sets;

	/* A call that has ended with it, as epoll_wait() does, was not interrupted for nothing. */
	if (!outside || !first || first == t || t->return_ip || !pt_sigsets(first->tid, &sets) || pt_state(first->tid) == 'Z')
		return NULL;
	return sets.blocked >> (info->si_signo - 1) & 1 ? NULL : first;
}

#define ERESTARTNOINTR_ (-513)	/* the call is made again whatever the handler's flags */

/*
 * The code that a signal interrupts the call at hand with.  One that is ignored may have done so before, and the kernel has already
 * decided to make the call again: then this one's handler comes before that, whatever its flags.
 */
static int64_t interrupted_by(struct pt_task *t)
{
	int64_t code = t->interrupted;

	t->interrupted = 0;
	if (PT_RESTARTS((int64_t)t->regs.rax)) {
		t->rest = true;
		return code;
	}
	if (t->regs.rax == SYS_restart_syscall) {
		t->regs.rax = t->call.nr;	/* twins know of no first half */
		pt_set_regs(t);
	}
	return ERESTARTNOINTR_;
}

static void on_leader_signal(struct pt_task *t, const siginfo_t *info)
{
	struct pt_sigsets sets;
	enum pt_effect effect = pt_sigsets(t->tid, &sets) ? pt_effect(&sets, info->si_signo) : PT_EFFECT_DELIVER;
	struct pt_task *first = pt_passed_over(t, info);

	mv_log(MV_LOG_SIGNAL, "leader: %d: signal %d arrives (code %d)", t->tid, info->si_signo, info->si_code);
	if (effect != PT_EFFECT_DELIVER) {
		pt_resume(t, PTRACE_CONT, info->si_signo);
		return;
	}
	if (first) {
		pt_send_back(first, info);
		pt_resume(t, PTRACE_CONT, 0);
		return;
	}
	if (t->inject_sig) {
		pt_hold(t, info);	/* one that is published already comes first */
		pt_resume(t, PTRACE_CONT, 0);
		return;
	}
	t->inject = *info;
	if (t->interrupted && mv_thread_in_call(t->thread)) {
		publish(t, PT_AT_SIGNAL, MV_SIGNAL_IN_CALL, interrupted_by(t));
	} else if (t->return_ip && t->return_ip == t->regs.rip) {
		t->return_ip = 0;
		publish(t, PT_AT_SIGNAL, MV_SIGNAL_AT_RETURN, 0);
	} else if ((int64_t)t->regs.orig_rax >= 0 && PT_RESTARTS((int64_t)t->regs.rax)) {
		/* Inside a call that is outside of the stream, such as a futex wait. */
		publish(t, PT_AT_SIGNAL, MV_SIGNAL_ASYNC, 0);
		nudge_followers(t);
	} else {
		pt_hold(t, info);
		pt_resume(t, PTRACE_CONT, 0);
	}
}

bool pt_is_queued(struct pt_task *t, int sig, siginfo_t *info)
{
	if (t->inject_sig != sig) {
		if (pt_leads(t) && pt_true_info(t, info))
			ptrace(PTRACE_SETSIGINFO, t->tid, 0, info);
		return false;
	}
	if (pt_leads(t) && sig >= FIRST_REAL_TIME && !is_ours(t, info))
		keep_info(t, info);
	t->inject_sig = 0;
	t->inject.si_signo = sig;
	pt_vsyscall_rewind(t);
	ptrace(PTRACE_SETSIGINFO, t->tid, 0, &t->inject);
	return true;
}

void pt_on_signal(struct pt_task *t, int sig)
{
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, t->tid, 0, &info) || !pt_get_regs(t))
		return;
	if (t->refused && sig == SIGSYS)
		pt_refused(t, &t->own);
	else if (pt_is_queued(t, sig, &info))
		pt_resume(t, PTRACE_CONT, sig);
	else if (pt_synchronous(&info))
		on_fault(t, &info);
	else if (!pt_leads(t))
		/* Whatever followers receive themselves is the echo of something: the leader's signals are what counts. */
		pt_resume(t, PTRACE_CONT, 0);
	else
		on_leader_signal(t, &info);
}

static bool writes(uint32_t nr)
{
	switch (nr) {
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_sendfile:
	case SYS_splice:
	case SYS_tee:
	case SYS_vmsplice:
		return true;
	default:
		return false;
	}
}

bool pt_woken_for_nothing(struct pt_task *t)
{
	struct pt_sigsets sets;
	uint64_t there;
	bool found = false;

	if (!pt_sigsets(t->tid, &sets))
		return false;
	there = sets.pending & ~sets.blocked;
	for (int sig = 1; there && sig <= 64; sig++) {
		if (!(there >> (sig - 1) & 1))
			continue;
		if (pt_effect(&sets, sig) != PT_EFFECT_NOTHING)
			return false;
		found = true;
	}
	return found;
}

/* The kernel could not return from a handler by the frame it was given: that is a fault as others, and no signal that follows. */
static bool bad_frame(const struct pt_task *t)
{
	struct __ptrace_peeksiginfo_args first = { .nr = 1 };
	siginfo_t info;

	return t->call.nr == SYS_rt_sigreturn && ptrace(PTRACE_PEEKSIGINFO, t->tid, &first, &info) == 1 && info.si_signo == SIGSEGV &&
	       pt_synchronous(&info);
}

/* Is a signal pending that has this effect as soon as the thread runs? */
static bool is_pending(struct pt_task *t, enum pt_effect effect)
{
	struct pt_sigsets sets;
	uint64_t due;

	if (!pt_sigsets(t->tid, &sets))
		return false;
	due = sets.pending & ~sets.blocked;
	if (due >> (SIGSEGV - 1) & 1 && bad_frame(t))
		due &= ~(1ull << (SIGSEGV - 1));
	for (int sig = 1; due && sig <= 64; sig++)
		if (due >> (sig - 1) & 1 && pt_effect(&sets, sig) == effect && sig != SIGKILL)
			return true;
	return false;
}

static bool is_due(struct pt_task *t)
{
	return is_pending(t, PT_EFFECT_DELIVER);
}

#define LOOKED_AT 8	/* signals of a queue */

/*
 * Is there one in a queue that the thread does not block?  Told without a look at /proc: this is asked at every call's end.  What is
 * for the process goes to its first thread (pt_passed_over()).
 */
static bool is_queued(struct pt_task *t)
{
	siginfo_t infos[LOOKED_AT];
	uint64_t blocked = 0;
	bool asked = false;

	for (int shared = 0; shared <= (t->tid == t->process->tgid); shared++) {
		struct __ptrace_peeksiginfo_args args = { .flags = shared ? PTRACE_PEEKSIGINFO_SHARED : 0, .nr = LOOKED_AT };
		long n = ptrace(PTRACE_PEEKSIGINFO, t->tid, &args, infos);

		if (n > 0 && !asked)
			asked = !ptrace(PTRACE_GETSIGMASK, t->tid, (void *)sizeof(blocked), &blocked);
		if (n == LOOKED_AT)
			return true;
		for (long i = 0; i < n; i++)
			if (!(blocked >> (infos[i].si_signo - 1) & 1))
				return true;
	}
	return false;
}

/*
 * Where the thread stops, what comes meanwhile is delivered when it goes on.  Any call may send a signal to its own thread: a write to a
 * socket that tells of what it gets, a message to a queue, a new size of its terminal.
 */
bool pt_signal_due(struct pt_task *t)
{
	bool shows = t->result == -EINTR || (writes(t->call.nr) ? t->result == -EPIPE : mv_signal_point(t->thread));

	if (shows || pt_part(t, t->result))
		return is_due(t) || is_pending(t, PT_EFFECT_STOP);
	return mv_signal_can_follow(t->thread) && !pt_in_vsyscall(t) && is_queued(t) && is_due(t);
}

void pt_set_free(struct pt_task *t)
{
	struct mv_step step = { 0 };

	t->at = PT_AT_ASYNC;
	t->inject.si_signo = 0;
	mv_thread_set_free(t->thread, &step);
	pt_apply(t, &step);
	nudge_followers(t);
}

void pt_on_stop(struct pt_task *t, int sig)
{
	struct mv_step step = { 0 };

	if (!t->started) {
		t->started = true;
		if (t->thread)
			pt_begin(t);
		return;
	}
	if (t->emulated) {
		t->emulated = false;
		pt_on_exit(t);
		return;
	}
	if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU) {
		ptrace(PTRACE_LISTEN, t->tid, 0, 0);
		/* The terminal's user has stopped the job: stop with it, as the program would natively. */
		if (pt_leads(t) && t->id == t->pt->root_tid && sig != SIGSTOP)
			raise(SIGSTOP);
		return;
	}
	if (!pt_get_regs(t))
		return;
	if (t->return_ip && !mv_thread_in_call(t->thread)) {
		if (is_due(t))
			pt_resume(t, PTRACE_CONT, 0);	/* the kernel tells of this stop first */
		else
			pt_publish_no_signal(t, PT_AT_ASYNC);
	} else if (!pt_leads(t) && t->thread && !t->inject_sig && mv_pending_signal(t->thread, &step)) {
		t->at = PT_AT_ASYNC;
		pt_inject(t, step.sig, step.siginfo);
	} else if (pt_leads(t) && !t->inject_sig && t->held_due && !mv_thread_in_call(t->thread) &&
		   pt_publish_held(t, PT_AT_ASYNC, MV_SIGNAL_ASYNC)) {
		nudge_followers(t);
	} else if (!pt_spin_stop(t)) {
		pt_resume(t, PTRACE_CONT, 0);
	}
}
