/*
 * Processes and threads that the program makes, and programs that it executes.
 */
#include <errno.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include "inproc.h"

/* Before a clone; the other thread of this variant that is about to use the namespace's counter goes first. */
void in_before_clone(struct pt_task *t)
{
	struct pt_variant *v = &t->pt->variants[t->variant];
	struct mv_error err;

	if (in_heads_write(t->pt, t->variant, t->regs.r10, &err)) {
		pt_fail(t->pt, 0, "%s", err.text);
		return;
	}
	t->inside->child_set = t->regs.rdx;
	t->inside->child_head = t->regs.r10;
	t->inside->child_flags = t->regs.r8;
	if (t->inside->child_flags & CLONE_THREAD)
		in_rewrite_at(t, true);
	t->child_tid = (uint32_t)t->regs.rsi;
	if (pt_leads(t)) {
		in_answer(t, 0);
		return;
	}
	t->parked = v->cloning && v->cloning != t;
	if (t->parked)
		return;
	v->cloning = t;
	if (pt_namespace_next(t->pt, t->variant, t->child_tid))
		in_answer(t, 0);
	else
		pt_fail(t->pt, 0, "the PID namespace of variant %u does not answer", t->variant);
}

void in_retry(struct pt *pt)
{
	struct pt_task *t, *next;

	HASH_ITER(hh, pt->tasks, t, next) {
		if (t->parked && !pt_leads(t) && !pt_task_is_out(t) && !pt->variants[t->variant].cloning)
			in_before_clone(t);
	}
}

void in_on_clone(struct pt_task *t, pid_t child)
{
	struct pt *pt = t->pt;
	struct pt_ids ids = pt_ids(child);
	uint32_t tid = pt_child_id(t, child, &ids);
	bool thread = ids.group == t->process->tgid;
	struct pt_task *c;

	t->inside->sensitive = false;
	if (pt->variants[t->variant].cloning == t)
		pt->variants[t->variant].cloning = NULL;
	if (!pt_leads(t) && (uint32_t)ids.own != tid) {
		pt_fail(pt, 0, "variant %u: a new process did not get the leader's number %u", t->variant, tid);
		return;
	}
	c = pt_task_new(pt, child, thread ? t->process->tgid : child, t->variant);
	if (!c || !in_task_new(c, t->inside->child_set)) {
		pt_fail(pt, ENOMEM, "cannot follow a new process");
		return;
	}
	c->id = tid;
	c->maker = t->id;
	c->birth = ++pt->births;
	c->inside->head = t->inside->child_head;
	t->child_tid = 0;
	t->inside->child_set = t->inside->child_head = 0;
	c->started = pt_stray_take(pt, child);
	if (pt_doomed(pt, t->variant, tid))
		pt_outlive(c);
	c->inside->brk = t->inside->brk;
	in_process_fork(t, c, t->inside->child_flags & CLONE_VM);
	c->inside->masked = t->inside->masked;
	if (c->variant && t->inside->child_flags & CLONE_NEWNS)
		c->inside->agreed_on = IN_MOVES;
	c->inside->own_mask = t->inside->own_mask;
	if (c->started)
		in_first_stop(c);
	pt_resume(t, PTRACE_CONT, 0);
}

int64_t in_freeze(struct pt_task *t, uint64_t from, uint64_t size)
{
	struct in_task *i = t->inside;

	free(i->frozen);
	i->frozen = NULL;
	i->frozen_size = size;
	if (!size)
		return 0;
	i->frozen = size < (64u << 20) ? malloc(size) : NULL;
	if (!i->frozen)
		return -ENOMEM;
	return pt_peek(t, from, i->frozen, size) == size ? 0 : -EFAULT;
}

int64_t in_may_exec(struct pt_task *t, uint64_t from)
{
	struct mv_call call;

	return pt_peek(t, from, &call, sizeof(call)) == sizeof(call) ? pt_may_exec(t, &call) : -EFAULT;
}

void in_on_exec(struct pt_task *t)
{
	struct in_task *i = t->inside;

	if (!i->frozen) {
		pt_fail(t->pt, 0, "variant %u executed a program past its monitor", t->variant);
		return;
	}
	i->pseudo = i->agreed = i->under_mask = i->stepping = i->sensitive = false;
	i->head = 0;
	t->interrupting = false;
	if (in_boot(t))
		pt_resume(t, PTRACE_CONT, 0);
}
