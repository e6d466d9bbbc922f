/*
 * The vsyscall page, which very old programs call.  The kernel emulates its three calls when the fetch of an instruction
 * there faults.  Our filter stops the thread at them as at any call, but the rest is not alike: nothing stops it at the
 * exit, the kernel kills it if rip was changed at the stop, and a skipped call returns to its caller.
 */
#include <errno.h>
#include <sys/ptrace.h>
#include "pt.h"

#define PAGE 0xffffffffff600000u

bool pt_in_vsyscall(const struct pt_task *t)
{
	return t->ip >> 12 == PAGE >> 12;
}

void pt_vsyscall_run(struct pt_task *t)
{
	/* The exit stop that the kernel does not make: the thread stops before its next instruction. */
	t->emulated = true;
	ptrace(PTRACE_INTERRUPT, t->tid, 0, 0);
	pt_resume(t, PTRACE_CONT, 0);
}

bool pt_vsyscall_result(struct pt_task *t)
{
	if (!pt_get_regs(t))
		return false;
	t->result = t->regs.rip == t->ip ? -EFAULT : (int64_t)t->regs.rax;
	t->ip = t->regs.rip;
	return true;
}

void pt_vsyscall_roll_back(struct pt_task *t)
{
	t->regs = t->own;
	t->regs.orig_rax = (uint64_t)-1;
	t->rewind = true;
	pt_set_regs(t);
}

void pt_vsyscall_rewind(struct pt_task *t)
{
	if (!t->rewind)
		return;
	t->rewind = false;
	t->regs.rip = t->own.rip;
	t->regs.rsp = t->own.rsp;
	pt_set_regs(t);
}
