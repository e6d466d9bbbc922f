/*
 * The program's calls: from the entry to the engine, and what it says back to the program.
 */
#include "engine/internal.h"
#include "monitor/monitor.h"

#define NR_OPEN 2
#define NR_CLOSE 3
#define NR_RT_SIGRETURN 15
#define NR_FCNTL 72
#define NR_RT_SIGTIMEDWAIT 128
#define NR_SIGALTSTACK 131
#define NR_FSTATFS 138
#define NR_ARCH_PRCTL 158
#define NR_CHROOT 161
#define NR_SCHED_SETAFFINITY 203
#define NR_SCHED_GETAFFINITY 204
#define NR_CLOCK_GETTIME 228
#define NR_OPENAT 257
#define NR_OPENAT2 437
#define F_GETFD_ 1
#define CLOCK_MONOTONIC_RAW_ 4
#define RDTSCP_LEN 3
#define PROC_SUPER_MAGIC 0x9fa0
#define TMPFS_MAGIC_ 0x01021994
#define STATFS_FSID 7		/* the word of struct statfs */
#define RESTARTS(r) ((r) == -512 || (r) == -513 || (r) == -514 || (r) == -516)

_Noreturn void mon_stop(void)
{
	for (;;)
		mon_service(MON_STOP, 0, 0);
}

_Noreturn void mon_fail(const char *text)
{
	mv_run_fail(mon.run, MV_VERDICT_FAILURE, text);
	mon_stop();
}

void mon_unsupported(const char *text)
{
	mv_run_fail(mon.run, MV_VERDICT_UNSUPPORTED, text);
	mon_stop();
}

static int64_t import(const struct mv_step *step)
{
	struct mon_import i = { .handle = step->handle, .fd = step->fd, .cloexec = step->cloexec };

	return mon_service(MON_IMPORT, (uint64_t)&i, 0);
}

/* By the clock that no program can set; unlike the counter itself it does not trap. */
static int64_t counter(void)
{
	const struct mon_ticks *t = &mon_boot.ticks;
	int64_t now[2] = { 0, 0 };

	mon_kernel(NR_CLOCK_GETTIME, CLOCK_MONOTONIC_RAW_, (uint64_t)now, 0, 0, 0);
	return t->ticks + (int64_t)((__int128)(now[0] * 1000000000 + now[1] - t->ns) * t->rate >> 32);
}

static bool opens(uint32_t nr)
{
	return nr == NR_OPEN || nr == NR_OPENAT || nr == NR_OPENAT2;
}

/* What is open may be a file that tells of the monitor, or is the monitor's, whatever its path was. */
static int64_t opened(int64_t fd)
{
	uint64_t statfs[15] = { 0 };
	struct mv_step copy = { .handle = MON_COPY_HANDLE, .fd = (int)fd };
	int64_t r = 0;

	mon_kernel(NR_FSTATFS, (uint64_t)fd, (uint64_t)statfs, 0, 0, 0);
	if (statfs[0] == PROC_SUPER_MAGIC || (statfs[0] == TMPFS_MAGIC_ && statfs[STATFS_FSID] == mon_boot.files))
		r = mon_service(MON_OPENED, (uint64_t)fd, 0);
	if (r == MON_COPY) {
		copy.cloexec = mon_kernel(NR_FCNTL, (uint64_t)fd, F_GETFD_, 0, 0, 0) > 0;
		r = import(&copy);
	}
	if (!mon_is_error(r))
		return fd;
	mon_kernel(NR_CLOSE, (uint64_t)fd, 0, 0, 0, 0);
	return r;
}

/*
 * Make the kernel call of a step, without the lock but where a fork must find the monitor at rest.  True if step tells by now
 * what comes next, else the result is in *r.
 */
static bool run_call(struct mon_thread *m, struct mv_step *step, int64_t *r)
{
	struct mv_call call = step->call;

	if (call.nr >= MV_PSEUDO_BASE) {
		*r = call.nr == MV_PSEUDO_FAULT ? 0 : counter();
		return false;
	}
	if (mon_guard(m, &call, r))
		return false;
	if (call.nr == NR_RT_SIGRETURN) {
		*r = 0;		/* at the very end: see mon_call() */
		return false;
	}
	if (mon_is_process_call(&call)) {
		step->call = call;
		return mon_process_call(m, step, r);
	}
	if ((call.nr == NR_ARCH_PRCTL && mon_segment(&call, r)) || mon_limit(&call, r) || mon_lock_all(&call, r) || mon_key(&call, r))
		return false;
	if (call.nr == NR_CHROOT && call.args[0] == MV_HERE)
		call.args[0] = (uint64_t)".";
	mon_unlock();
	*r = call.nr == NR_SIGALTSTACK ? mon_gate_on_stack(&call, m->frame.rsp) : mon_gate(&call);
	mon_lock();
	if (call.nr == NR_RT_SIGTIMEDWAIT && *r > 0)
		mon_tell_truth(*r, call.args[1]);
	if (opens(call.nr) && !mon_is_error(*r))
		*r = opened(*r);
	if (!mon_is_error(*r))
		mon_text_mapped(&call);
	return false;
}

static bool pending(const struct mon_thread *m)
{
	return __atomic_load_n(&m->state->pending, __ATOMIC_RELAXED);
}

/* The twins may be outside of any call, or asleep in one that is in no stream. */
static void publish_in_call(struct mon_thread *m, int sig, const uint8_t *info, int64_t r, struct mv_step *step)
{
	bool apart = !mv_signal_can_follow(m->thread);

	mon_publish(m, sig, info, MV_SIGNAL_IN_CALL, r, step);
	if (apart)
		mon_service(MON_NUDGE, 0, 0);
	step->action = MV_INTERRUPT;
	step->result = r;
}

/*
 * Is a signal the next thing in a follower's stream, to be taken here?  Told of one that was not there yet, the next look is
 * at the end of the call that it follows, or at the beginning of a call outside of the stream.
 */
static bool signal_waits(struct mon_thread *m, struct mv_step *step)
{
	bool waits;

	if (pending(m))
		__atomic_store_n(&m->state->pending, 0, __ATOMIC_SEQ_CST);
	waits = mv_pending_signal(m->thread, step);
	mon_wake(m->thread);
	return waits;
}

/* A call of the program's is over: has a signal ended it, or come with its end?  True if the call ends as interrupted. */
static bool interrupted(struct mon_thread *m, int64_t r, struct mv_step *step, struct mv_step *after)
{
	uint8_t info[MV_SIGINFO_SIZE] __attribute__((aligned(8)));
	int sig;

	if (!pending(m))
		return false;
	if (!mv_thread_leads(m->thread)) {
		if (!RESTARTS(r) || !signal_waits(m, step))
			return false;
		step->action = MV_INTERRUPT;
		step->result = r;
		return true;
	}
	if (RESTARTS(r) || r == -EINTR) {
		sig = mon_take(info);
		if (!sig)
			return false;
		publish_in_call(m, sig, info, r, step);
		return true;
	}
	/*
	 * Once told that a signal follows, the twins wait for it.  A pseudo call ends where the program was: there the next one
	 * takes it.
	 */
	if (!m->pseudo && !after->sig && mv_signal_can_follow(m->thread)) {
		after->sig = mon_take(after->siginfo);
		if (after->sig)
			mv_signal_follows(m->thread);
	}
	return false;
}

/* A handler's end may unblock a signal: it comes where the handler has interrupted the program. */
static void unblocks(struct mon_thread *m, struct mv_step *after)
{
	if (!mv_thread_leads(m->thread))
		return;
	after->sig = mon_take_unblocked(&m->frame, after->siginfo);
	if (after->sig)
		mv_signal_follows(m->thread);
}

void mon_finish(struct mon_thread *m, struct mv_step *step)
{
	struct mv_step after;
	bool ended;
	int64_t r;

	after.sig = 0;
	for (;;) {
		switch (step->action) {
		case MV_RUN:
			if (!mv_thread_leads(m->thread) && signal_waits(m, step))
				return;
			do {
				ended = run_call(m, step, &r);
				if (!ended && interrupted(m, r, step, &after))
					return;
			} while (!ended && RESTARTS(r));
			if (!ended && step->call.nr == NR_RT_SIGRETURN)
				unblocks(m, &after);
			if (!ended)
				mv_exit(m->thread, r, step);
			mon_wake(m->thread);
			break;
		case MV_IMPORT:
			mv_exit(m->thread, import(step), step);
			mon_wake(m->thread);
			break;
		case MV_PARK:
		case MV_STOP:
			mon_settle(m, m->thread, step);
			break;
		case MV_DONE:
			if (after.sig) {
				r = step->result;
				mon_publish(m, after.sig, after.siginfo, MV_SIGNAL_AT_RETURN, 0, step);
				step->action = MV_DONE;
				step->result = r;
			}
			return;
		default:
			return;
		}
	}
}

/* Can it be a call that is in no stream?  The twins may be asleep in theirs. */
static bool outside(const struct mv_call *call)
{
	const struct mv_desc *d = mv_lookup(call);

	return d && (d->cls == MV_CLASS_LOCAL || d->cls == MV_CLASS_LEADER_LOCAL);
}

/* A follower does not take it here: its leader has computed for a while behind the call. */
void mon_signal_at_end(struct mon_thread *m)
{
	if (!mv_thread_leads(m->thread) && mv_signal_waits(m->thread))
		mon_service(MON_NUDGE, 0, 0);
}

void mon_call(struct mon_frame *f)
{
	struct mon_thread *m = mon_self();
	struct mv_call call = {
		.nr = (uint32_t)f->rax, .args = { f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9 },
	};
	uint8_t info[MV_SIGINFO_SIZE] __attribute__((aligned(8)));
	struct mv_step step;
	int sig;

	mon_lock();
	sig = pending(m) && mv_thread_leads(m->thread) ? mon_take(info) : 0;
	if (sig) {
		mon_publish(m, sig, info, MV_SIGNAL_BOUNDARY, 0, &step);
		if (outside(&call))
			mon_service(MON_NUDGE, 0, 0);
		mon_deliver_before(m, &step, call.nr);
	}
	if (call.nr == NR_SCHED_SETAFFINITY || call.nr == NR_SCHED_GETAFFINITY)
		mon_service(MON_SPREAD, 0, 0);
	m->reached = m->nested = false;
	mv_enter(m->thread, &call, &step);
	mon_wake(m->thread);
	mon_finish(m, &step);
	if (m->reached)
		mon_service(MON_REACHED, call.nr, 0);
	if (step.action == MV_REFUSE) {
		mon_unlock();
		mon_last(MON_REFUSE, step.fatal, (uint64_t)step.result, call.nr);
	}
	if (step.action == MV_SIGNAL)
		mon_deliver_before(m, &step, call.nr);
	if (step.action == MV_INTERRUPT)
		mon_deliver_interrupted(m, &step, &call);
	if (call.nr == NR_RT_SIGRETURN) {
		mon_signal_at_end(m);
		mon_unlock();
		if (step.sig)
			mon_return_with(&step, f->rsp);
		mon_return(m, f->rsp);
	}
	if (call.nr == NR_TGKILL && step.result == -ESRCH && !mv_thread_leads(m->thread))
		mon_wait_gone(&call);
	f->rax = (uint64_t)step.result;
	if (step.sig)
		mon_deliver(&step);
	mon_signal_at_end(m);
	mon_unlock();
}

void mon_pseudo(uint64_t nr, uint64_t arg0, uint64_t arg1)
{
	struct mon_thread *m = mon_self();
	struct mv_call call = { .nr = (uint32_t)nr, .args = { arg0, arg1 } };
	uint8_t info[MV_SIGINFO_SIZE] __attribute__((aligned(8)));
	struct mv_step step = { 0 };
	int sig;

	mon_lock();
	/* Its instruction is run again after the handler.  A fault goes before other signals. */
	sig = nr != MV_PSEUDO_FAULT && pending(m) && mv_thread_leads(m->thread) ? mon_take(info) : 0;
	if (sig) {
		mon_publish(m, sig, info, MV_SIGNAL_BOUNDARY, 0, &step);
		mon_deliver(&step);
	}
	mv_enter(m->thread, &call, &step);
	mon_wake(m->thread);
	m->pseudo = true;
	mon_finish(m, &step);
	m->pseudo = false;
	if (step.action == MV_REFUSE)
		mon_unsupported("a filter of the program's raises SIGSYS for a call of the vsyscall page");
	if (step.action != MV_DONE)
		mon_deliver(&step);
	mon_signal_at_end(m);
	mon_unlock();
	mon_last(MON_PSEUDO_DONE, (uint64_t)step.result, 0, 0);
}

/* Without asking the supervisor: programs do this several times when they start. */
void mon_counter(uint64_t nr)
{
	struct mon_thread *m = mon_self();
	struct mv_call call = { .nr = (uint32_t)nr };
	uint8_t info[MV_SIGINFO_SIZE] __attribute__((aligned(8)));
	struct mv_step step = { 0 };
	int sig;

	mon_lock();
	/* The instruction is run again after the handler. */
	sig = pending(m) && mv_thread_leads(m->thread) ? mon_take(info) : 0;
	if (sig) {
		mon_publish(m, sig, info, MV_SIGNAL_BOUNDARY, 0, &step);
	} else {
		mv_enter(m->thread, &call, &step);
		mon_wake(m->thread);
		m->pseudo = true;
		mon_finish(m, &step);
		m->pseudo = false;
	}
	if (sig || step.action != MV_DONE) {
		m->regs.rip = nr == MV_PSEUDO_RDTSCP ? m->regs.rip - RDTSCP_LEN : mon_again(m->regs.rip);
		mon_service(MON_COUNTER_LATER, (uint64_t)&m->regs, 0);
		m->counting = false;
		mon_deliver(&step);
	}
	mon_signal_at_end(m);
	mon_unlock();
	m->regs.rax = (uint32_t)step.result;
	m->regs.rdx = (uint64_t)step.result >> 32;
	mon_leave_to(m);
}

void mon_looks(const struct mon_regs *regs)
{
	struct mon_thread *m = mon_self();

	m->regs = *regs;
	m->counting = true;
	mon_counter(MV_PSEUDO_RDTSC);
}

void mon_async(uint64_t set_free)
{
	struct mon_thread *m = mon_self();
	uint8_t info[MV_SIGINFO_SIZE] __attribute__((aligned(8)));
	struct mv_step step = { 0 };
	int sig;

	mon_lock();
	if (!mv_thread_leads(m->thread)) {
		if (signal_waits(m, &step))
			mon_deliver(&step);
	} else if (set_free) {
		mv_thread_set_free(m->thread, &step);
		mon_wake(m->thread);
		mon_settle(m, m->thread, &step);
		mon_service(MON_NUDGE, 0, 0);
	} else if (pending(m) && (sig = mon_take(info))) {
		mon_publish(m, sig, info, MV_SIGNAL_ASYNC, 0, &step);
		mon_service(MON_NUDGE, 0, 0);
		mon_deliver(&step);
	}
	mon_unlock();
	mon_last(MON_PSEUDO_DONE, 0, 0, 0);
}
