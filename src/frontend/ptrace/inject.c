/*
 * Stops are what this costs, so it takes as few as it can: where a seccomp filter stops the process at each call, the stop
 * before a call is enough (no entry and exit stops).  Without one every call of the agent is an entry and an exit; signals
 * (int3, SIGSTOP) would be cheaper but change what the program inherited: a forced signal resets a blocked or ignored
 * disposition.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "frontend/ptrace/inject.h"

#define SYSCALL_LEN 2
#define ERESTARTSYS (-512)
#define EVENT(e) (SIGTRAP | (e) << 8)

enum stop { STOP_SYSCALL, STOP_SECCOMP, STOP_FAULT };

struct injection {
	pid_t pid;
	const char *program;	/* for messages */
	const struct mv_boot_plan *plan;
	struct mv_error *err;
	int (*meanwhile)(void *ctx);	/* done while the process runs to its next stop */
	void *ctx;
	bool seccomp;		/* a filter stops it at its calls */
	bool sigstop;		/* the one signal that cannot be blocked came */
};

static int fail(struct injection *in, const char *what)
{
	return mv_error_set(in->err, errno, "boot of %s: %s process %d", in->program, what, (int)in->pid);
}

static int get_regs(struct injection *in, struct user_regs_struct *regs)
{
	return ptrace(PTRACE_GETREGS, in->pid, NULL, regs) ? fail(in, "cannot read the registers of") : 0;
}

static int set_regs(struct injection *in, const struct user_regs_struct *regs)
{
	return ptrace(PTRACE_SETREGS, in->pid, NULL, regs) ? fail(in, "cannot set the registers of") : 0;
}

/*
 * Resume and wait for the next stop that says something: enum stop, or -errno.  Its end is left for the caller to reap.
 */
static int run_to_stop(struct injection *in, enum __ptrace_request how)
{
	siginfo_t si;

	for (;;) {
		if (ptrace(how, in->pid, NULL, NULL))
			return fail(in, "cannot resume");
		if (in->meanwhile && in->meanwhile(in->ctx))
			return fail(in, "cannot serve");
		while (waitid(P_PID, (id_t)in->pid, &si, WEXITED | WSTOPPED | WNOWAIT | __WALL))
			if (errno != EINTR)
				return fail(in, "cannot wait for");
		if (si.si_code != CLD_TRAPPED || si.si_status == EVENT(PTRACE_EVENT_EXIT))
			return mv_error_set(in->err, ESRCH, "boot of %s: process %d was killed", in->program,
					    (int)in->pid);
		waitpid(in->pid, NULL, __WALL | WNOHANG);
		if (si.si_status == (SIGTRAP | 0x80))
			return STOP_SYSCALL;
		if (si.si_status == EVENT(PTRACE_EVENT_SECCOMP)) {
			in->seccomp = true;
			return STOP_SECCOMP;
		}
		if (si.si_status == SIGSTOP)
			in->sigstop = true;
		else if (si.si_status >> 8 == 0)
			return STOP_FAULT;
	}
}

/*
 * Make the process call mmap.  A resumed PTRACE_EVENT_EXEC first reaches the end of execve, which overwrites rax: we are
 * there if the syscall instruction has not been executed yet.
 */
static int map_agent(struct injection *in, struct user_regs_struct *start)
{
	const struct mv_boot_plan *plan = in->plan;
	struct user_regs_struct regs = *start;
	int stop, r;

	regs.rip = plan->syscall_insn;
	regs.orig_rax = (uint64_t)-1;
	regs.rax = SYS_mmap;
	regs.rdi = plan->agent;
	regs.rsi = plan->agent_len;
	regs.rdx = PROT_READ | PROT_EXEC;
	regs.r10 = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	regs.r8 = (uint64_t)-1;
	regs.r9 = 0;
	if ((r = set_regs(in, &regs)) || (stop = r = run_to_stop(in, PTRACE_SYSCALL)) < 0 || (r = get_regs(in, &regs)))
		return r;
	if (stop == STOP_SYSCALL && regs.rip == plan->syscall_insn) {
		start->rax = regs.rax;
		regs.rax = SYS_mmap;
		if ((r = set_regs(in, &regs)) || (stop = r = run_to_stop(in, PTRACE_SYSCALL)) < 0)
			return r;
	}
	/* Now at the entry of mmap. */
	if (stop == STOP_SYSCALL && (stop = run_to_stop(in, PTRACE_SYSCALL)) < 0)
		return stop;
	if (stop == STOP_SECCOMP && (stop = run_to_stop(in, PTRACE_SYSCALL)) < 0)
		return stop;
	if ((r = get_regs(in, &regs)))
		return r;
	if (stop != STOP_SYSCALL || regs.rip != plan->syscall_insn + SYSCALL_LEN)
		return mv_error_set(in->err, EPROTO, "boot of %s: process %d stopped at %#llx instead of mapping the agent",
				    in->program, (int)in->pid, regs.rip);
	if (regs.rax != plan->agent) {
		int code = regs.rax >= (uint64_t)-4095 ? (int)-regs.rax : EEXIST;

		return mv_error_set(in->err, code, "boot of %s: mmap of the agent at %#llx", plan->program,
				    (unsigned long long)plan->agent);
	}
	return 0;
}

static int agent_failed(struct injection *in, const struct user_regs_struct *regs)
{
	const struct mv_boot_plan *plan = in->plan;

	if (regs->rbx >= plan->nops || regs->rax < (uint64_t)-4095)
		return mv_error_set(in->err, EPROTO, "boot of %s: the agent faulted at %#llx", plan->program, regs->rip);
	return mv_error_set(in->err, (int)-regs->rax, "boot of %s: operation %llu, system call %llu(%#llx, %#llx)",
			    plan->program, regs->rbx, (unsigned long long)plan->ops[regs->rbx].nr,
			    (unsigned long long)plan->ops[regs->rbx].args[0],
			    (unsigned long long)plan->ops[regs->rbx].args[1]);
}

/* Whether the stop is in the call by which the agent unmaps itself. */
static bool at_last_call(const struct injection *in, const struct user_regs_struct *regs)
{
	return regs->orig_rax == SYS_munmap && regs->rdi == in->plan->agent;
}

static int run_agent(struct injection *in, const struct user_regs_struct *start)
{
	enum __ptrace_request how = in->seccomp ? PTRACE_CONT : PTRACE_SYSCALL;
	const struct mv_boot_extra *extra = in->plan->extra;
	struct user_regs_struct regs = *start;
	int stop, r;

	if (extra) {
		in->meanwhile = extra->meanwhile;
		in->ctx = extra->ctx;
	}

	regs.rip = in->plan->agent;
	regs.orig_rax = (uint64_t)-1;
	if ((r = set_regs(in, &regs)))
		return r;
	for (;;) {
		if ((stop = r = run_to_stop(in, how)) < 0 || (r = get_regs(in, &regs)))
			return r;
		if (stop == STOP_FAULT)
			return agent_failed(in, &regs);
		if (!at_last_call(in, &regs))
			continue;
		if (extra)
			return 0;
		how = PTRACE_SYSCALL;
		if (stop == STOP_SYSCALL && regs.rax != (uint64_t)-ENOSYS)
			break;		/* at its exit */
	}
	return regs.rax ? agent_failed(in, &regs) : 0;
}

static int write_memory(struct injection *in, int mem, uint64_t addr, const void *bytes, size_t len)
{
	ssize_t n = pwrite(mem, bytes, len, (off_t)addr);

	if (n == (ssize_t)len)
		return 0;
	if (n >= 0)
		errno = EIO;
	return fail(in, "cannot write the memory of");
}

static int inject(struct injection *in, struct user_regs_struct *regs, int mem)
{
	const struct mv_boot_plan *plan = in->plan;
	int r;

	if ((r = map_agent(in, regs)) || (r = write_memory(in, mem, plan->agent, plan->agent_bytes, plan->agent_len)) ||
	    (r = run_agent(in, regs)) ||
	    (r = write_memory(in, mem, plan->stack_addr, plan->stack_bytes, plan->stack_len)) ||
	    (plan->vdso_bytes && (r = write_memory(in, mem, plan->vdso_addr, plan->vdso_bytes, plan->vdso_len))))
		return r;
	regs->rip = plan->entry;
	regs->rsp = plan->sp;
	regs->orig_rax = (uint64_t)-1;
	if (plan->extra) {
		regs->orig_rax = SYS_munmap;
		regs->rdi = plan->agent;
		regs->rsi = plan->agent_len;
	}
	return set_regs(in, regs);
}

static int make_call(struct injection *in, const struct user_regs_struct *before, uint64_t insn, const struct mv_inject_call *call,
		     int64_t *result)
{
	struct user_regs_struct regs = *before, now;
	int stop, r;

	regs.rip = insn;
	regs.orig_rax = (uint64_t)-1;
	regs.rax = call->nr;
	regs.rdi = call->args[0];
	regs.rsi = call->args[1];
	regs.rdx = call->args[2];
	regs.r10 = call->args[3];
	regs.r8 = call->args[4];
	regs.r9 = call->args[5];
	if ((r = set_regs(in, &regs)) || (r = run_to_stop(in, PTRACE_SYSCALL)) < 0 || (r = get_regs(in, &now)))
		return r;
	/* The end of the call that it was stopped in. */
	if (now.rip == insn && ((r = set_regs(in, &regs)) || (r = run_to_stop(in, PTRACE_SYSCALL)) < 0))
		return r;
	in->meanwhile = call->meanwhile;
	in->ctx = call->ctx;
	if ((stop = r = run_to_stop(in, PTRACE_SYSCALL)) < 0)
		return r;
	in->meanwhile = NULL;
	if (stop == STOP_SECCOMP && (stop = r = run_to_stop(in, PTRACE_SYSCALL)) < 0)
		return r;
	if ((r = get_regs(in, &regs)))
		return r;
	if (stop != STOP_SYSCALL || regs.rip != insn + SYSCALL_LEN)
		return mv_error_set(in->err, EPROTO, "boot of %s: process %d stopped at %#llx in system call %llu", in->program,
				    (int)in->pid, regs.rip, (unsigned long long)call->nr);
	*result = (int64_t)regs.rax;
	return 0;
}

int mv_inject_call(pid_t pid, const char *program, uint64_t insn, const struct mv_inject_call *call, int64_t *result,
		   struct mv_error *err)
{
	struct injection in = { .pid = pid, .program = program, .err = err };
	struct user_regs_struct before;
	int r;

	if ((r = get_regs(&in, &before)))
		return r;
	do
		r = make_call(&in, &before, insn, call, result);
	while (!r && *result == ERESTARTSYS);	/* a stop has got it out of a wait */
	if (in.sigstop)
		syscall(SYS_tgkill, pid, pid, SIGSTOP);
	before.orig_rax = (uint64_t)-1;
	return r ? r : set_regs(&in, &before);
}

int mv_inject_agent(pid_t pid, const struct mv_boot_plan *plan, struct user_regs_struct *regs, struct mv_error *err)
{
	struct injection in = { .pid = pid, .program = plan->program, .plan = plan, .err = err };
	uint64_t all = ~(uint64_t)0, mask;
	char path[64];
	int mem, r;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	if (mem < 0)
		r = fail(&in, "cannot open the memory of");
	else if (ptrace(PTRACE_GETSIGMASK, pid, sizeof(mask), &mask) || ptrace(PTRACE_SETSIGMASK, pid, sizeof(all), &all))
		r = fail(&in, "cannot block the signals of");
	else
		r = inject(&in, regs, mem);
	if (!r && ptrace(PTRACE_SETSIGMASK, pid, sizeof(mask), &mask))
		r = fail(&in, "cannot restore the signals of");
	if (!r && in.sigstop)
		syscall(SYS_tgkill, pid, pid, SIGSTOP);
	if (mem >= 0)
		close(mem);
	if (r && ptrace(PTRACE_GETSIGMASK, pid, sizeof(mask), &mask) && errno == ESRCH)
		r = mv_error_set(err, ESRCH, "boot of %s: process %d was killed", plan->program, (int)pid);
	return r;
}
