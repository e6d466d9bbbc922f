#include "launch.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/log.h"
#include "engine/hash.h"
#include "engine/mm.h"
#include "engine/table.h"
#include "inject.h"
#include "supervisor/boot.h"
#include "supervisor/builds.h"

/* Exit codes of a child that could not be prepared; the supervisor turns them into messages. */
enum { CHILD_NO_SUPERVISOR = 110, CHILD_NO_PLACEHOLDER, CHILD_NO_FILTER, CHILD_NO_TSC, CHILD_NO_PERSONALITY };

#define PT_OPTIONS (PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
		    PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)

int pt_launch_socket(int pair[2])
{
	int on = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -1;
	return setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
}

/* ---- in the child ---- */

/* What a follower inherits are placeholders: it never reads or writes anything itself. */
static bool replace_inherited(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	bool good = dir;

	while (good && (e = readdir(dir))) {
		int fd = atoi(e->d_name), flags = e->d_name[0] == '.' ? -1 : fcntl(fd, F_GETFD);
		int holder;

		if (flags < 0 || flags & FD_CLOEXEC || fd == dirfd(dir))
			continue;
		holder = eventfd(0, EFD_CLOEXEC);
		good = holder >= 0 && dup2(holder, fd) == fd;
		close(holder);
	}
	if (dir)
		closedir(dir);
	return good;
}

/* Every call stops for the supervisor, but those which each variant makes for itself outside of the stream. */
bool pt_filter(struct pt *pt, unsigned variant)
{
	static const struct { uint32_t nr, action; } ours[] = {
		{ PT_IMPORT_NR, SECCOMP_RET_USER_NOTIF }, { PT_TRAP_NR, SECCOMP_RET_TRAP }, { PT_KILL_NR, SECCOMP_RET_KILL_PROCESS },
	};
	uint64_t cookie = pt->cookie;
	struct sock_filter code[256];
	unsigned n = 0;
	struct sock_fprog prog = { .filter = code };
	unsigned long flags = variant ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;

#define EMIT(...) code[n++] = (struct sock_filter)__VA_ARGS__
#define LOAD(field) EMIT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offsetof(struct seccomp_data, field))))
#define LOAD_HIGH(field) EMIT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offsetof(struct seccomp_data, field) + 4)))
#define RETURN(v) EMIT(BPF_STMT(BPF_RET | BPF_K, (v)))
	LOAD(arch);
	EMIT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
	RETURN(SECCOMP_RET_TRACE | 1);
	LOAD(nr);
	for (unsigned i = 0; i < sizeof(ours) / sizeof(*ours); i++) {
		EMIT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ours[i].nr, 0, 6));
		LOAD(args[5]);
		EMIT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)cookie, 0, 3));
		LOAD_HIGH(args[5]);
		EMIT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(cookie >> 32), 0, 1));
		RETURN(ours[i].action);
		LOAD(nr);
	}
	for (unsigned nr = 0; nr < MV_TABLE_SIZE && n < sizeof(code) / sizeof(*code) - 3; nr++) {
		/* A hook takes it into the stream in processes with several threads. */
		if (mv_table[nr].cls != MV_CLASS_LOCAL || mv_table[nr].nsubs || nr == SYS_restart_syscall ||
		    (mv_table[nr].hook && pt->session->options->turns))
			continue;
		EMIT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1));
		RETURN(SECCOMP_RET_ALLOW);
	}
	RETURN(SECCOMP_RET_TRACE);
	prog.len = (unsigned short)n;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog) >= 0)
		return true;
	if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return false;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog) >= 0;
}

_Noreturn void pt_launch_child(struct pt *pt, unsigned variant, int sock)
{
	const struct mv_run_options *o = pt->session->options;
	char go = 'h', **argv, **envp;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(sock, &go, 1) != 1 || read(sock, &go, 1) != 1 || go != 'g')
		_exit(CHILD_NO_SUPERVISOR);
	prctl(PR_SET_PDEATHSIG, 0);
	if (o->layout == MV_LAYOUT_SAME && personality((unsigned long)personality(0xffffffff) | ADDR_NO_RANDOMIZE) < 0)
		_exit(CHILD_NO_PERSONALITY);
	if (variant && !replace_inherited())
		_exit(CHILD_NO_PLACEHOLDER);
	/* Those of the variants before: find_listener() takes the first it finds. */
	for (unsigned v = 1; v < variant; v++)
		close(pt->variants[v].listener);
	if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV))
		_exit(CHILD_NO_TSC);
	/* What find_listener() looks for is this variant's. */
	for (unsigned v = 0; v < variant; v++)
		close(pt->variants[v].listener);
	if (!pt->mode->filter(pt, variant))
		_exit(CHILD_NO_FILTER);
	argv = mv_build_argv(o, variant);
	envp = mv_build_envp(o, variant);
	if (argv && envp)
		execve(mv_build_path(o, pt->session->path, variant), argv, envp);
	_exit(127);
}

/* ---- in the supervisor ---- */

static const char *child_trouble(int code)
{
	switch (code) {
	case 120:
		return "too many open files (raise RLIMIT_NOFILE)";
	case 121:
		return "cannot map ids into a user namespace";
	case 122:
		return "cannot set /proc/sys/kernel/ns_last_pid (needs CONFIG_CHECKPOINT_RESTORE)";
	case 123:
		return "cannot fork in the PID namespace";
	case 124:
		return "the PID namespace did not give out the leader's pid";
	case CHILD_NO_PLACEHOLDER:
		return "cannot replace inherited descriptors (is /proc mounted? is one of them above RLIMIT_NOFILE?)";
	case CHILD_NO_FILTER:
		return "cannot install a seccomp filter";
	case CHILD_NO_TSC:
		return "cannot trap rdtsc (PR_SET_TSC)";
	default:
		return "its first process ended early";
	}
}

/* The child's first word, and from whom it comes in our PID namespace. */
static pid_t hello(int sock)
{
	char byte, control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	struct ucred cred;

	if (recvmsg(sock, &m, 0) != 1)
		return -1;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SCM_CREDENTIALS)
		return -1;
	memcpy(&cred, CMSG_DATA(c), sizeof(cred));
	return cred.pid;
}

/* The descriptor that the filter's installation left in pid, as one of ours. */
static int find_listener(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), found = -1;
	char path[64];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (pidfd >= 0 && dir && found < 0 && (e = readdir(dir))) {
		char link[64];
		ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = 0;
		if (!strcmp(link, "anon_inode:seccomp notify"))
			found = (int)syscall(SYS_pidfd_getfd, pidfd, atoi(e->d_name), 0);
	}
	if (dir)
		closedir(dir);
	if (pidfd >= 0)
		close(pidfd);
	return found;
}

static int ended(unsigned variant, int status, struct mv_error *err)
{
	if (WIFEXITED(status))
		return mv_error_set(err, 0, "variant %u: %s", variant, child_trouble(WEXITSTATUS(status)));
	return mv_error_set(err, 0, "variant %u was killed by signal %d while it was starting", variant, WTERMSIG(status));
}

static int exec_failed(struct pt *pt, unsigned variant, int e, struct mv_error *err)
{
	mv_error_set(err, e, "cannot run %s", mv_build_path(pt->session->options, pt->session->path, variant));
	if (err)
		err->status = e == ENOENT || e == ENOTDIR ? 127 : 126;
	return -e;
}

/* Lead a seized child through its last preparations into the program. */
static int into_program(struct pt *pt, unsigned variant, pid_t pid, struct mv_error *err)
{
	struct pt_variant *v = &pt->variants[variant];
	struct user_regs_struct regs;
	int status;

	for (;;) {
		int request = PTRACE_CONT, sig = 0;

		if (waitpid(pid, &status, __WALL) < 0)
			return mv_error_set(err, errno, "cannot wait for variant %u", variant);
		if (!WIFSTOPPED(status))
			return ended(variant, status, err);
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
			/* Not before: what waits would come to our handlers. */
			if (ptrace(PTRACE_SETSIGMASK, pid, (void *)sizeof(uint64_t), &pt->mask) && errno != ESRCH)
				return mv_error_set(err, errno, "cannot set the signal mask of variant %u", variant);
			return 0;
		}
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
			bool listener = variant || pt->mode->engine_inside;

			if (listener && v->listener < 0)
				v->listener = find_listener(pid);
			if (listener && v->listener < 0)
				return mv_error_set(err, 0, "variant %u has no seccomp notification descriptor", variant);
			request = PTRACE_SYSCALL;
		} else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			if (ptrace(PTRACE_GETREGS, pid, 0, &regs))
				return mv_error_set(err, errno, "cannot read registers of variant %u", variant);
			if ((int64_t)regs.orig_rax == SYS_execve && (int64_t)regs.rax < 0)
				return exec_failed(pt, variant, (int)-(int64_t)regs.rax, err);
			request = PTRACE_SYSCALL;
		} else if (status >> 16 != PTRACE_EVENT_STOP) {
			sig = WSTOPSIG(status);
		}
		if (ptrace((enum __ptrace_request)request, pid, 0, (void *)(long)sig) && errno != ESRCH)
			return mv_error_set(err, errno, "cannot continue variant %u", variant);
	}
}

/*
 * Canary and pointer guard of a variant.  Only a run that is to be repeated takes them from the layout's sequence: what
 * leaks of them must not tell where things lie.  What is common to all is different in every program that is executed.
 */
static void new_random(struct pt_task *t, struct mv_layout *layout, struct mv_boot_random *random)
{
	const struct pt *pt = t->pt;
	uint64_t which[2] = { t->id, t->execs++ }, r[2];
	struct mv_hash h;

	mv_hash_init(&h, pt->secret);
	mv_hash_update(&h, which, sizeof(which));
	mv_hash_final(&h, r);
	memcpy(random->common, r, sizeof(r));
	if (pt->session->options->same_at_random) {
		memcpy(random->own, random->common, sizeof(random->own));
		return;
	}
	if (!pt->session->options->have_seed && getrandom(random->own, sizeof(random->own), 0) == sizeof(random->own))
		return;
	r[0] = mv_layout_random(layout);
	r[1] = mv_layout_random(layout);
	memcpy(random->own, r, sizeof(r));
}

bool pt_lay_out(struct pt_task *t, struct mv_layout *layout, const struct mv_boot_extra *extra, struct mv_boot_plan *plan,
		bool *gone)
{
	struct pt *pt = t->pt;
	enum mv_vdso vdso = pt->mode->engine_inside ? MV_VDSO_MONITOR : MV_VDSO_SYSCALL;
	const struct mv_run_options *o = pt->session->options;
	struct mv_error err = { 0 };
	struct mv_boot_random random;

	*gone = !pt_get_regs(t);	/* killed: its end will be reported */
	if (*gone)
		return false;
	new_random(t, layout, &random);
	if (mv_boot_plan(t->tid, &t->regs, layout, &random, vdso, o->preload, extra, plan, &err))
		goto fail;
	if (mv_inject_agent(t->tid, plan, &t->regs, &err)) {
		mv_boot_plan_free(plan);
		*gone = err.code == ESRCH;
		if (*gone)
			return false;
		goto fail;
	}
	pt_stand_in_program(t, plan);
	if (plan->program_fixed && pt_leads(t) && !(pt->notices & 1)) {
		pt->notices |= 1;
		mv_log(MV_LOG_NOTICE, "%s is not position independent: it lies at the same addresses in all variants",
		       plan->program);
	}
	if (o->preload && !plan->preloaded && pt_leads(t) && !(pt->notices & 2)) {
		pt->notices |= 2;
		mv_log(MV_LOG_NOTICE, "%s runs without %s%s%s: it is static, set-user-id, or cannot see %s", plan->program,
		       o->parallel ? "an order of its threads' locks" : "", o->parallel && o->heap != MV_HEAP_OFF ? " and " : "",
		       o->heap != MV_HEAP_OFF ? "the diversifying heap" : "", o->preload);
	}
	mv_log(MV_LOG_BOOT, "variant %u: process %d runs %s, entry %#lx", t->variant, t->tid, plan->program, plan->entry);
	return true;
fail:
	if (err.status == 126)
		pt_fail(pt, 0, "%s", err.text);
	else
		pt_fail(pt, 0, "cannot lay out process %d of variant %u: %s", t->tid, t->variant, err.text);
	if (pt->err && err.status)
		pt->err->status = err.status;
	return false;
}

bool pt_boot(struct pt_task *t)
{
	struct mv_mm *mm = mv_process_mm(mv_thread_process(t->thread));
	struct mv_brk *brk = mv_mm_brk(mm);
	struct mv_boot_plan plan;
	bool gone;

	if (!pt_lay_out(t, mv_mm_layout(mm), NULL, &plan, &gone))
		return gone;
	for (unsigned i = 0; i < plan.nmappings; i++)
		mv_mm_add(mm, plan.mappings[i].start, plan.mappings[i].len, plan.mappings[i].ordinal, plan.mappings[i].flags);
	brk->start = brk->cur = plan.brk_start;
	brk->limit = plan.brk_limit;
	mv_boot_plan_free(&plan);
	return true;
}

static uint64_t return_ip(void *task)
{
	const struct pt_task *t = task;

	return t->ip;
}

int pt_first(struct pt_task *t, struct mv_error *err)
{
	struct pt *pt = t->pt;
	static const struct mv_ops ops = {
		.peek = pt_peek, .poke = pt_poke, .alloc = pt_alloc, .free = pt_free, .export_fd = pt_export,
		.may_exec = pt_may_exec, .return_ip = return_ip, .pidfd_process = pt_pidfd_process,
	};

	t->thread = mv_thread_root(pt->run, t->variant, pt->root_tid, &ops, t);
	if (!t->thread)
		return mv_error_set(err, 0, "%s", mv_run_verdict(pt->run)->text);
	if (!pt_boot(t))
		return pt->err ? -1 : mv_error_set(err, 0, "cannot lay out variant %u", t->variant);
	return 0;
}

static int first_task(struct pt *pt, unsigned variant, pid_t pid, struct mv_error *err)
{
	struct pt_task *t = pt_task_new(pt, pid, pid, variant);

	if (!t)
		return mv_error_set(err, ENOMEM, "cannot start variant %u", variant);
	t->started = true;
	t->id = pt->root_tid;
	t->at = PT_AT_EXEC;
	return pt->mode->first(t, err);
}

int pt_launch_finish(struct pt *pt, unsigned variant, int sock, struct mv_error *err)
{
	struct pt_variant *v = &pt->variants[variant];
	pid_t pid = hello(sock);
	int status, result;

	if (pid < 0) {
		result = mv_error_set(err, 0, "variant %u did not start", variant);
		if (v->init > 0 && waitpid(v->init, &status, 0) == v->init) {
			v->init = 0;
			result = ended(variant, status, err);
		}
		close(sock);
		return result;
	}
	v->root = pid;
	if (!variant)
		pt->root_tid = (uint32_t)pid;
	if (ptrace(PTRACE_SEIZE, pid, 0, PT_OPTIONS)) {
		result = mv_error_set(err, errno, "cannot trace variant %u (is ptrace allowed here? see `mvarmor check`)", variant);
		kill(pid, SIGKILL);
		close(sock);
		return result;
	}
	if (write(sock, "g", 1) != 1) {
		close(sock);
		return mv_error_set(err, errno, "variant %u did not wait for its start", variant);
	}
	close(sock);
	result = into_program(pt, variant, pid, err);
	if (!result && mv_limits_restore(&pt->session->limits, pid))
		result = mv_error_set(err, errno, "cannot set the limits of variant %u", variant);
	return result ? result : first_task(pt, variant, pid, err);
}

int pt_launch(struct pt *pt, unsigned variant, struct mv_error *err)
{
	int sock[2];
	pid_t pid;

	if (variant)
		return pt_namespace_start(pt, variant, err);
	if (pt_launch_socket(sock))
		return mv_error_set(err, errno, "cannot make a socket pair for the leader");
	pid = fork();
	if (!pid) {
		close(sock[0]);
		pt_launch_child(pt, 0, sock[1]);
	}
	close(sock[1]);
	if (pid < 0) {
		close(sock[0]);
		return mv_error_set(err, errno, "cannot fork");
	}
	return pt_launch_finish(pt, 0, sock[0], err);
}
