/*
 * Calls that stop: those that the program makes where nothing has made them go to the monitor, and what the monitor asks for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/log.h"
#include "engine/table.h"
#include "inproc.h"

#define VSYSCALL 0xffffffffff600000ull

void in_frame_to_regs(const struct mon_frame *f, struct user_regs_struct *r)
{
	r->r15 = f->r15;
	r->r14 = f->r14;
	r->r13 = f->r13;
	r->r12 = f->r12;
	r->rbx = f->rbx;
	r->rbp = f->rbp;
	r->rdi = f->rdi;
	r->rsi = f->rsi;
	r->rdx = f->rdx;
	r->r10 = f->r10;
	r->r8 = f->r8;
	r->r9 = f->r9;
	r->rax = f->rax;
	r->rip = r->rcx = f->rip;
	r->rsp = f->rsp;
	r->eflags = r->r11 = f->flags;
}

bool in_frame(struct pt_task *t, struct mon_frame *f)
{
	uint64_t at;

	return pt_peek(t, t->inside->head + MON_FRAME, &at, sizeof(at)) == sizeof(at) && pt_peek(t, at, f, sizeof(*f)) == sizeof(*f);
}

static void leave(struct pt_task *t)
{
	struct mon_frame f;

	if (!in_frame(t, &f)) {
		mv_run_fail(t->pt->run, MV_VERDICT_FAILURE, "a thread has lost its monitor");
		return;
	}
	in_frame_to_regs(&f, &t->regs);
	t->regs.orig_rax = (uint64_t)-1;
	if (pt_set_regs(t))
		pt_resume(t, PTRACE_CONT, 0);
}

/*
 * A call of the vsyscall page: the kernel kills a thread whose instruction pointer is changed there.  It skips the call and
 * returns to the program, where the thread stops again and is sent into the monitor.
 */
static void skip_vsyscall(struct pt_task *t)
{
	t->inside->vsyscall = t->regs.rip;
	t->inside->vsyscall_nr = (uint32_t)t->regs.orig_rax;
	t->regs.orig_rax = (uint64_t)-1;
	if (!pt_set_regs(t))
		return;
	ptrace(PTRACE_INTERRUPT, t->tid, 0, 0);
	pt_resume(t, PTRACE_CONT, 0);
}

/* From the program's call to the monitor's entry, as a patched call would get there. */
static void redirect(struct pt_task *t)
{
	struct user_regs_struct *r = &t->regs;

	if (mv_log_on(MV_LOG_CALLS)) {
		struct mv_call c = { .nr = (uint32_t)r->orig_rax };

		mv_log(MV_LOG_CALLS, "variant %u: %d: %s(%#llx, %#llx, %#llx, %#llx) at %#llx", t->variant, t->tid,
		       mv_call_name(&c), r->rdi, r->rsi, r->rdx, r->r10, r->rip);
	}
	if (r->rip >= VSYSCALL) {
		skip_vsyscall(t);
		return;
	}
	in_rewrite_at(t, false);
	r->rax = r->orig_rax;
	r->rcx = r->rip;
	r->rip = t->pt->inproc->images[t->variant].info.entry;
	r->orig_rax = (uint64_t)-1;
	if (pt_set_regs(t))
		pt_resume(t, PTRACE_CONT, 0);
}

void in_answer(struct pt_task *t, int64_t result)
{
	t->regs.rax = (uint64_t)result;
	t->regs.orig_rax = (uint64_t)-1;
	if (pt_set_regs(t))
		pt_resume(t, PTRACE_CONT, 0);
}

/* ---- open files ---- */

static int64_t export_file(struct pt_task *t, uint64_t at)
{
	struct mv_share share;
	uint64_t handle = 0;
	int r;

	if (pt_peek(t, at, &share, sizeof(share)) != sizeof(share))
		return -EFAULT;
	r = pt_export(t, &share, &handle);
	return r ? r : (int64_t)handle;
}

static void drop_copy(struct in_task *i)
{
	if (i->copy)
		close(i->copy);
	i->copy = 0;
}

/* The program has opened a file in /proc. */
static int64_t opened(struct pt_task *t, int fd)
{
	char path[256];
	int copy;

	switch (in_proc_file(t, fd, path, sizeof(path))) {
	case IN_PROC_REFUSED:
		mv_log(MV_LOG_NOTICE, "variant %u: process %d opens a file that shows a monitor's memory: refused", t->variant, t->tid);
		return -EACCES;
	case IN_PROC_COPIED:
		copy = in_proc_copy(t->pt, path);
		if (copy < 0)
			return copy;
		drop_copy(t->inside);
		t->inside->copy = copy;
		return MON_COPY;
	default:
		return 0;
	}
}

static void import(struct pt_task *t, const struct mv_step *step, int file)
{
	uint64_t all = ~0ull;

	t->regs.orig_rax = PT_IMPORT_NR;
	t->regs.r9 = t->pt->cookie;
	/* No signal may get it out of the wait for its file; the mask is put back at the exit. */
	if (!pt_set_regs(t) || ptrace(PTRACE_GETSIGMASK, t->tid, (void *)sizeof(t->mask), &t->mask))
		return;
	t->importing = true;
	t->next = *step;
	ptrace(PTRACE_SETSIGMASK, t->tid, (void *)sizeof(all), &all);
	pt_resume(t, PTRACE_SYSCALL, 0);
	if (pt_import_serve(t, step, file) == PT_IMPORT_FAILED)
		pt_fail(t->pt, 0, "variant %u did not take the leader's file %d", t->variant, step->fd);
}

static void import_file(struct pt_task *t, uint64_t from)
{
	struct mv_step step = { 0 };
	struct mon_import i;
	int file;

	if (pt_peek(t, from, &i, sizeof(i)) != sizeof(i)) {
		in_answer(t, -EFAULT);
		return;
	}
	step.handle = i.handle;
	step.fd = i.fd;
	step.cloexec = i.cloexec;
	if (step.handle == MON_COPY_HANDLE) {
		file = t->inside->copy ? fcntl(t->inside->copy, F_DUPFD_CLOEXEC, 3) : -EBADF;
	} else {
		file = pt_import_source(t, &step);
	}
	if (file < 0) {
		pt_fail(t->pt, -file, "cannot hand the leader's file %d to variant %u", step.fd, t->variant);
		return;
	}
	import(t, &step, file);
	close(file);
}

static void import_over(struct pt_task *t)
{
	t->importing = false;
	ptrace(PTRACE_SETSIGMASK, t->tid, (void *)sizeof(t->mask), &t->mask);
	if (pt_import_again(t, (int64_t)t->regs.rax)) {
		/* A stop has got it, or us, out of the wait for its file: it asks again. */
		t->regs.rip -= 2;
		t->regs.rax = MON_SERVICE_NR;
		t->regs.orig_rax = (uint64_t)-1;
		pt_set_regs(t);
		return;
	}
	if (t->next.handle == MON_COPY_HANDLE)
		drop_copy(t->inside);
	else
		pt_import_done(t, &t->next);
}

static void offer_text(struct pt_task *t, uint64_t to)
{
	const struct mv_step step = { .fd = -1, .cloexec = true };
	int file = in_text_offer(t, to);

	if (file < 0)
		in_answer(t, file);
	else
		import(t, &step, file);
}

void in_on_exit(struct pt_task *t)
{
	if (in_stopped(t)) {
		if (t->importing)
			import_over(t);
		if (t->inside->sensitive)
			in_sensitive_over(t);
		if (t->inside->mapping)
			in_rewrite_code(t, t->regs.rax, t->inside->mapping);
		t->inside->mapping = 0;
		if (t->inside->opening)
			in_opened(t);
	}
	pt_resume(t, PTRACE_CONT, 0);
}

/* ---- what was no call ---- */

/* `int $4`, the processor's overflow trap, which any program may raise. */
static bool behind_int4(struct pt_task *t)
{
	uint8_t b[2] = { 0 };

	return t->inject.si_signo == SIGSEGV && t->inject.si_code == SI_KERNEL &&
	       pt_peek(t, t->regs.rip - sizeof(b), b, sizeof(b)) == sizeof(b) && b[0] == 0xcd && b[1] == 4;
}

/* Back to where the program was when it was sent into the monitor. */
static void pseudo_done(struct pt_task *t, uint64_t result)
{
	bool passed, fault;

	if (!t->inside->pseudo) {
		in_answer(t, -EINVAL);
		return;
	}
	t->inside->pseudo = false;
	t->regs = t->own;
	if (t->inside->vsyscall)
		t->regs.rax = result;
	fault = t->inside->vsyscall && (int64_t)result == -EFAULT;	/* natively no error, but a signal */
	t->inside->vsyscall = 0;
	/* A fault happens again; a trap is behind its instruction, and a signal that found no room for its frame is lost. */
	passed = t->inside->agreed && (t->inject.si_signo == SIGTRAP || t->inside->no_frame || behind_int4(t));
	if (passed)
		t->inside->agreed = false;
	t->regs.orig_rax = (uint64_t)-1;
	if (!pt_set_regs(t))
		return;
	if (passed)
		pt_inject(t, t->inject.si_signo, &t->inject);
	else if (fault)
		pt_inject(t, SIGSEGV, &(siginfo_t){ .si_signo = SIGSEGV, .si_code = SEGV_MAPERR });
	else
		pt_resume(t, PTRACE_CONT, 0);
}

/* Once for each thread: it may be looking for the monitor. */
static void reached(const struct pt_task *t, uint32_t nr)
{
	struct mv_call c = { .nr = nr };

	if (t->inside->reached)
		return;
	t->inside->reached = true;
	mv_log(MV_LOG_NOTICE, "variant %u: process %d gives %s an address of the monitor's, where the program has nothing", t->variant,
	       t->tid, mv_call_name(&c));
}

static void serve(struct pt_task *t)
{
	uint64_t a = t->regs.rsi, b = t->regs.rdx;

	switch (t->regs.rdi) {
	case MON_STOP:
		t->inside->told_to_stop = true;	/* the loop sees the verdict */
		if (pt_may_go_on(t))
			in_again(t);
		break;
	case MON_EXPORT:
		in_answer(t, export_file(t, a));
		break;
	case MON_IMPORT:
		import_file(t, a);
		break;
	case MON_CLONE:
		in_before_clone(t);
		break;
	case MON_TAKE:
		in_answer(t, in_take(t, a));
		break;
	case MON_TRUTH:
		in_answer(t, in_truth(t, (int)a, b));
		break;
	case MON_DELIVER:
		in_deliver(t, a);
		break;
	case MON_RETURN_WITH:
		in_answer(t, in_return_with(t, a, b));
		break;
	case MON_PSEUDO_DONE:
		pseudo_done(t, a);
		break;
	case MON_FREEZE:
		in_answer(t, in_freeze(t, a, b));
		break;
	case MON_MAY_EXEC:
		in_answer(t, in_may_exec(t, a));
		break;
	case MON_PIDFD:
		in_answer(t, pt_pidfd_process(t, (int)a));
		break;
	case MON_COUNTER_LATER:
		t->inside->pseudo = in_take_regs(t, a);
		in_answer(t, 0);
		break;
	case MON_SPREAD:
		pt_affinity_end(t->pt);
		in_answer(t, 0);
		break;
	case MON_OPENED:
		in_answer(t, opened(t, (int)a));
		break;
	case MON_CLAIM:
		in_answer(t, in_claim(t, a));
		break;
	case MON_REACHED:
		reached(t, (uint32_t)a);
		in_answer(t, 0);
		break;
	case MON_REFUSE:
		pt_refuse(t, a, (uint32_t)t->regs.r10, (int)b);
		break;
	case MON_TEXT:
		offer_text(t, a);
		break;
	case MON_LEAVE:
		leave(t);
		break;
	case MON_NUDGE:
		in_answer(t, 0);
		in_nudge(t);
		break;
	default:
		in_answer(t, -ENOSYS);
	}
}

/* Does the range reach into what is mapped for the monitor?  The gap below is mon_guard()'s. */
static bool touches(const struct in_image *m, uint64_t addr, uint64_t len)
{
	return addr < m->high && (len > m->high - addr || addr + len > m->base);
}

/* Only the monitor makes calls there, and it makes no such calls. */
static bool guard(struct pt_task *t)
{
	const struct in_image *m = &t->pt->inproc->images[t->variant];
	const struct user_regs_struct *r = &t->regs;
	struct mv_call c = { .nr = (uint32_t)r->orig_rax };
	char text[160];

	if (!touches(m, r->rdi, r->rsi) && !(c.nr == SYS_mremap && touches(m, r->r8, r->rdx)))
		return true;
	snprintf(text, sizeof(text), "variant %u tries to change the monitor's memory: %s(%#llx, %#llx, %#llx, %#llx)", t->variant,
		 mv_call_name(&c), r->rdi, r->rsi, r->rdx, r->r10);
	mv_run_breach(t->pt->run, t->variant, text);
	return false;
}

static void guarded(struct pt_task *t)
{
	if (guard(t))
		pt_resume(t, PTRACE_CONT, 0);
}

static void sensitive(struct pt_task *t)
{
	bool range = mv_table[t->regs.orig_rax].flags & MV_DESC_PROT && t->regs.orig_rax != SYS_shmat;

	if (in_text_is_offered(t)) {
		pt_resume(t, PTRACE_CONT, 0);
		return;
	}
	in_text_note(t);
	if (!range || guard(t))
		in_sensitive(t);
}

void in_on_seccomp(struct pt_task *t)
{
	unsigned long data = 0;

	if (ptrace(PTRACE_GETEVENTMSG, t->tid, 0, &data) || !in_stopped(t))
		return;
	t->at = PT_AT_ENTRY;
	if (data & IN_32BIT)
		mv_run_fail(t->pt->run, MV_VERDICT_UNSUPPORTED, "a 32-bit system call (int 0x80 or sysenter)");
	else if (data & IN_SERVICE)
		serve(t);
	else if (data & IN_SENSITIVE)
		sensitive(t);
	else if (data & IN_GUARDED)
		guarded(t);
	else if (data & IN_OPENING)
		in_opening(t);
	else
		redirect(t);
}
