/*
 * Calls that a seccomp filter of the program's ends by SIGSYS.  The kernel raises it as only it can, past the thread's mask and
 * actions, for a number that our own filter refuses.
 */
#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include "pt.h"

#define BY_FILTER 1	/* SYS_SECCOMP of the kernel's headers, which glibc's do not have */

void pt_refuse(struct pt_task *t, bool fatal, uint32_t nr, int data)
{
	memset(&t->inject, 0, sizeof(t->inject));
	t->inject.si_signo = SIGSYS;
	t->inject.si_code = BY_FILTER;
	t->inject.si_errno = data;
	t->inject.si_syscall = (int)nr;
	t->inject.si_arch = AUDIT_ARCH_X86_64;
	t->refused = true;
	t->regs.orig_rax = fatal ? PT_KILL_NR : PT_TRAP_NR;
	if (pt_set_regs(t))
		pt_resume(t, PTRACE_CONT, 0);
}

void pt_refused(struct pt_task *t, const struct user_regs_struct *program)
{
	t->refused = false;
	t->regs = *program;
	t->regs.rax = (uint32_t)t->inject.si_syscall;
	t->regs.orig_rax = (uint64_t)-1;
	t->inject.si_call_addr = (void *)(uintptr_t)t->regs.rip;
	ptrace(PTRACE_SETSIGINFO, t->tid, 0, &t->inject);
	if (pt_set_regs(t))
		pt_resume(t, PTRACE_CONT, SIGSYS);
}
