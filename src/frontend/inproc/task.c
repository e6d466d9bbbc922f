/*
 * What the supervisor knows of a thread that has a monitor.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "engine/internal.h"
#include "inproc.h"
#include "monitor/monitor.h"

struct in_task *in_task_new(struct pt_task *t, uint64_t set)
{
	t->inside = calloc(1, sizeof(*t->inside));
	if (t->inside)
		t->inside->set = set;
	return t->inside;
}

void in_task_free(struct in_task *i)
{
	if (i)
		free(i->frozen);
	if (i && i->copy)
		close(i->copy);
	free(i);
}

enum in_where in_where(const struct pt_task *t)
{
	const struct mon_info *m = &t->pt->inproc->images[t->variant].info;

	if (t->regs.rip >= m->gate && t->regs.rip < m->gate_end)
		return IN_GATE;
	return t->regs.rip >= m->text && t->regs.rip < m->text_end ? IN_MONITOR : IN_PROGRAM;
}

/* The program cannot set gs: its own attempts are answered by the monitor.  Any stop takes a PTRACE_INTERRUPT with it. */
bool in_stopped(struct pt_task *t)
{
	t->interrupting = false;
	if (!pt_get_regs(t))
		return false;
	t->inside->head = t->regs.gs_base;
	if (t->regs.rip != t->inside->handles_at)
		t->inside->handles_at = 0;
	return true;
}

uint64_t in_self(struct pt_task *t)
{
	struct in_task *i = t->inside;

	if (i->self_of != i->head) {
		i->self_of = 0;
		if (!i->head || pt_peek(t, i->head + MON_SELF, &i->self, sizeof(i->self)) != sizeof(i->self))
			return 0;
		i->self_of = i->head;
	}
	return i->self;
}

static void send_on(struct pt_task *t, uint64_t stack, uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
	const struct mon_info *info = &t->pt->inproc->images[t->variant].info;

	t->own = t->regs;
	t->regs.rip = function;
	t->regs.rsp = stack - 8;
	t->regs.rdi = a;
	t->regs.rsi = b;
	t->regs.rdx = c;
	if (t->pt->inproc->keys) {
		t->regs.rip = info->send_closed;
		t->regs.r8 = c;
		t->regs.r11 = function == info->async ? MON_SEND_ASYNC : function == info->pseudo ? MON_SEND_PSEUDO : MON_SEND_COUNTER;
	}
	t->regs.eflags &= ~(MON_FLAG_TRAP | MON_FLAG_DIRECTION | MON_FLAG_ALIGNMENT);
	t->regs.orig_rax = (uint64_t)-1;
	if (pt_set_regs(t))
		pt_resume(t, PTRACE_CONT, 0);
}

bool in_send(struct pt_task *t, uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t stack;

	if (pt_peek(t, t->inside->head + MON_FRAME, &stack, sizeof(stack)) != sizeof(stack))
		return false;
	t->inside->pseudo = true;
	send_on(t, stack, function, a, b, c);
	return true;
}

bool in_send_counter(struct pt_task *t, uint32_t nr)
{
	struct user_regs_struct r = t->regs;
	struct { struct mon_regs regs; bool counting; } to;
	uint64_t self = in_self(t);

	_Static_assert(offsetof(struct mon_thread, counting) - offsetof(struct mon_thread, regs) == sizeof(struct mon_regs),
		       "written together");
	pt_counted(&r, nr, 0);
	to.regs = (struct mon_regs){
		r.r15, r.r14, r.r13, r.r12, r.rbx, r.rbp, r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9, r.rax, r.rcx, r.r11,
		r.rip, r.eflags, r.rsp,
	};
	to.counting = true;
	if (!self || pt_poke(t, self + offsetof(struct mon_thread, regs), &to, sizeof(to.regs) + sizeof(to.counting)) !=
		     sizeof(to.regs) + sizeof(to.counting))
		return false;
	send_on(t, self + offsetof(struct mon_thread, frame), t->pt->inproc->images[t->variant].info.counter, nr, 0, 0);
	return true;
}

bool in_take_regs(struct pt_task *t, uint64_t from)
{
	struct user_regs_struct *o = &t->own;
	struct mon_regs r;

	if (pt_peek(t, from, &r, sizeof(r)) != sizeof(r))
		return false;
	*o = t->regs;
	o->r15 = r.r15;
	o->r14 = r.r14;
	o->r13 = r.r13;
	o->r12 = r.r12;
	o->rbx = r.rbx;
	o->rbp = r.rbp;
	o->rdi = r.rdi;
	o->rsi = r.rsi;
	o->rdx = r.rdx;
	o->r10 = r.r10;
	o->r8 = r.r8;
	o->r9 = r.r9;
	o->rax = r.rax;
	o->rcx = r.rcx;
	o->r11 = r.r11;
	o->rip = r.rip;
	o->rsp = r.rsp;
	o->eflags = r.flags;
	return true;
}

/* ---- for reports ---- */

/* A thread in the monitor is shown as it left the program. */
static void show_program(struct pt_task *t)
{
	const struct mon_info *info = &t->pt->inproc->images[t->variant].info;
	struct mon_frame f;
	bool counting = false;
	uint64_t self;

	if (in_where(t) == IN_PROGRAM)
		return;
	self = in_self(t);
	if (!self)
		return;
	pt_peek(t, self + offsetof(struct mon_thread, counting), &counting, sizeof(counting));
	if (counting && !in_take_regs(t, self + offsetof(struct mon_thread, regs)))
		return;
	if (t->inside->pseudo || counting) {
		t->regs = t->own;
	} else if (t->regs.rip == info->entry || t->regs.rip == info->look) {
		/* On its way: its frame is of an earlier call. */
		t->regs.rip = t->regs.rip == info->entry ? t->regs.rcx : t->regs.rax;
	} else {
		if (pt_peek(t, self + offsetof(struct mon_thread, frame), &f, sizeof(f)) != sizeof(f))
			return;
		in_frame_to_regs(&f, &t->regs);
	}
	t->regs.orig_rax = (uint64_t)-1;
	pt_set_regs(t);
}

/* The engine's thread, out of the memory of the monitor. */
static bool read_thread(struct pt_task *t, struct mv_thread *copy)
{
	uint64_t self = in_self(t), at;

	return self && pt_peek(t, self + offsetof(struct mon_thread, thread), &at, sizeof(at)) == sizeof(at) &&
	       pt_peek(t, at, copy, sizeof(*copy)) == sizeof(*copy);
}

unsigned in_history(struct pt_task *t, struct mv_history *out, unsigned max)
{
	struct mv_thread e;

	return t->inside && read_thread(t, &e) ? mv_thread_history(&e, out, max) : 0;
}

void in_look(struct pt_task *t, struct mv_snapshot *s)
{
	struct mv_history history[MV_HISTORY_MAX];
	unsigned n = in_stopped(t) ? in_history(t, history, MV_HISTORY_MAX) : 0;

	show_program(t);
	mv_snapshot_take(t->tid, in_text_rename, t, s);
	memcpy(s->history, history, n * sizeof(*history));
	s->nhistory = n;
}

/* ---- a change of the leader ---- */

bool in_stands(struct pt_task *t)
{
	return t->inside && t->inside->told_to_stop;
}

/*
 * In a wait of the monitor's, which has no lock then that siblings need, or is for that lock.  A wait that a stop has interrupted before
 * goes on under another number.
 */
static bool sleeps(const struct pt_task *t)
{
	return (t->regs.orig_rax == SYS_futex || t->regs.orig_rax == SYS_restart_syscall) &&
	       (t->regs.rsi & FUTEX_CMD_MASK) == FUTEX_WAIT;
}

/* In the kernel, at a call of the program's that is not made yet, or had no effect; or of the monitor's, which sleeps. */
bool in_is_quiet(struct pt_task *t)
{
	const struct mon_info *m = &t->pt->inproc->images[t->variant].info;
	struct mv_thread e;
	bool undone;

	if (!t->inside || t->at != PT_RUNNING || t->importing || !in_stopped(t))
		return false;
	if (in_where(t) == IN_PROGRAM)
		return true;
	undone = (t->regs.rip >= m->check && t->regs.rip <= m->insn) ||
		 (t->regs.rip == m->after && PT_UNDONE(t->regs.orig_rax, (int64_t)t->regs.rax));
	return (undone || sleeps(t)) && read_thread(t, &e) && mv_thread_is_quiet(&e, undone);
}

bool in_rests(struct pt_task *t)
{
	struct mv_thread e;

	return in_stands(t) && read_thread(t, &e) && mv_thread_rests(&e) && mv_set_is_read(t->pt->run, t->inside->set, t->variant);
}

bool in_meets(struct pt_task *t, uint64_t seq)
{
	struct mv_thread e;

	return t->inside && in_stopped(t) && read_thread(t, &e) && mv_thread_meets(&e, seq);
}

struct mv_files *in_files(struct pt_task *t)
{
	static const struct mv_ops ops = { .peek = pt_peek, .alloc = pt_alloc, .free = pt_free };
	struct mv_process p;
	struct mv_thread e;

	if (!read_thread(t, &e) || pt_peek(t, (uint64_t)e.process, &p, sizeof(p)) != sizeof(p))
		return NULL;
	return mv_files_fetch(&ops, t, (uint64_t)p.files);
}

uint64_t in_call_at(struct pt_task *t)
{
	return t->pt->inproc->images[t->variant].info.kernel;
}

void in_again(struct pt_task *t)
{
	t->inside->told_to_stop = false;
	in_answer(t, 0);
}

/* ---- how far it is ---- */

uint64_t in_set(const struct pt_task *t)
{
	return t->inside ? t->inside->set : 0;
}

bool in_progress(struct pt_task *t, uint64_t *moves, bool *behind)
{
	uint64_t head;

	if (!t->inside || !mv_set_progress(t->pt->run, t->inside->set, t->variant, &head, moves))
		return false;
	*behind = *moves && *moves <= head;
	return true;
}

bool in_standing(struct pt_task *t, struct mv_standing *out)
{
	struct mv_thread e;

	return t->inside && read_thread(t, &e) && mv_set_standing(t->pt->run, t->inside->set, t->variant, &e, out);
}

void in_absent(struct pt_task *t, const char *text)
{
	struct mv_call none = { 0 };

	mv_set_absent(t->pt->run, t->inside->set, t->variant, &none, text);
}

/* Siblings may have waited for the turn that it had. */
static void wake(uint32_t *word)
{
	if (word)
		syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void in_on_gone(struct pt_task *t, int sig)
{
	if (t->inside)
		wake(mv_set_gone(t->pt->run, t->inside->set, t->variant, sig));
}

void in_on_ended(struct pt_task *t)
{
	if (t->inside)
		wake(mv_set_ended(t->pt->run, t->inside->set, t->variant));
}
