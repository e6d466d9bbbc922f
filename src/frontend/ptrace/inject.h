/*
 * Carries out a boot plan in a process that is stopped under ptrace: maps the agent, runs it, writes the new stack.
 */
#ifndef MV_FRONTEND_PTRACE_INJECT_H
#define MV_FRONTEND_PTRACE_INJECT_H

#include <sys/types.h>
#include <sys/user.h>
#include "base/error.h"
#include "supervisor/boot.h"

/*
 * pid is stopped in any ptrace stop outside a system call or in PTRACE_EVENT_EXEC, and has one thread;
 * PTRACE_O_TRACESYSGOOD is set.  regs: the registers of that stop; on success those the program now starts with (they are
 * set already; pid is stopped, and the caller resumes it without a signal).
 *
 * Waits for pid's stops itself, and for nothing else.  A seccomp filter may stop pid with PTRACE_EVENT_SECCOMP, at all of
 * its calls or at none; it must not deny them.  Signals that arrive meanwhile stay pending.  A PTRACE_INTERRUPT
 * sent before is lost.
 *
 * With plan->extra pid is left at the entry of its last call, which a filter must stop: it is made when pid is resumed.  The
 * registers are then the program's but for rdi and rsi, which are the call's, and rax, its result.
 *
 * 0, or -errno with *err filled.  -ESRCH: pid is being killed; the caller's next wait tells.  After any other error pid is
 * in no state to go on.
 */
int mv_inject_agent(pid_t pid, const struct mv_boot_plan *plan, struct user_regs_struct *regs, struct mv_error *err);

/*
 * One system call, made by a thread at a seccomp stop, whose call is not made then.  Nothing else is waited for; signals must be
 * blocked.
 */
struct mv_inject_call {
	uint64_t nr;
	uint64_t args[6];
	int (*meanwhile)(void *ctx);	/* not NULL: called once the call has begun; non-zero, with errno, if that failed */
	void *ctx;
};

/*
 * program is for messages.  insn is the address of a system call instruction in pid.  Registers are those of before afterwards.
 * 0 and the kernel's *result, or -errno as mv_inject_agent().
 */
int mv_inject_call(pid_t pid, const char *program, uint64_t insn, const struct mv_inject_call *call, int64_t *result,
		   struct mv_error *err);

#endif
