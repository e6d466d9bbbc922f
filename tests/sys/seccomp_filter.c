/* Filters of the program's own: what each action does to a call, and who else is bound by them. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include "check.h"

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF(n, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (n), 0, (skip))
#define RETURN(v) BPF_STMT(BPF_RET | BPF_K, (v))

static int install(struct sock_filter *code, unsigned n, unsigned flags)
{
	struct sock_fprog prog = { .len = (unsigned short)n, .filter = code };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

/* One call, all others allowed. */
static int refuse(long nr, unsigned action, unsigned flags)
{
	struct sock_filter code[] = {
		LOAD(arch), IF(AUDIT_ARCH_X86_64, 3), LOAD(nr), IF((unsigned)nr, 1), RETURN(action), RETURN(SECCOMP_RET_ALLOW),
	};

	return install(code, 6, flags);
}

static volatile sig_atomic_t trapped_nr, trapped_data, trapped_code, address_near;

static void on_sys(int sig, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	trapped_nr = info->si_syscall;
	trapped_data = info->si_errno;
	trapped_code = info->si_code;
	address_near = (greg_t)(uintptr_t)info->si_call_addr == c->uc_mcontext.gregs[REG_RIP] &&
		       c->uc_mcontext.gregs[REG_RAX] == info->si_syscall && sig == SIGSYS;
	c->uc_mcontext.gregs[REG_RAX] = -EUNATCH;
}

static void actions(void)
{
	struct sigaction a = { .sa_sigaction = on_sys, .sa_flags = SA_SIGINFO };
	struct utsname u;

	NEED(!sigaction(SIGSYS, &a, NULL));
	SHOW(refuse(SYS_getuid, SECCOMP_RET_ERRNO | 77, 0));
	SHOW(syscall(SYS_getuid));
	SHOW(errno);
	SHOW(refuse(SYS_geteuid, SECCOMP_RET_ERRNO | 0, 0));
	SHOW(syscall(SYS_geteuid));
	SHOW(refuse(SYS_sysinfo, SECCOMP_RET_ERRNO | 65535, 0));
	SHOW(syscall(SYS_sysinfo, NULL));
	SHOW(refuse(SYS_getgid, SECCOMP_RET_TRACE | 1, 0));
	SHOW(syscall(SYS_getgid));
	SHOW(errno);
	SHOW(refuse(SYS_getsid, SECCOMP_RET_LOG, SECCOMP_FILTER_FLAG_LOG));
	SHOW(syscall(SYS_getsid, 0) > 0);
	SHOW(refuse(SYS_uname, SECCOMP_RET_TRAP | 21, 0));
	SHOW(syscall(SYS_uname, &u));
	SHOW(errno);
	SHOW(trapped_nr);
	SHOW(trapped_data);
	SHOW(trapped_code);
	SHOW(address_near);
	/* Of two the stricter one; of two equals the newer. */
	SHOW(refuse(SYS_getgid, SECCOMP_RET_TRAP | 3, 0));
	SHOW(syscall(SYS_getgid));
	SHOW(trapped_data);
	SHOW(refuse(SYS_sysinfo, SECCOMP_RET_ERRNO | 5, 0));
	SHOW(syscall(SYS_sysinfo, NULL));
	SHOW(errno);
	SHOW(prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
	/* Numbers that are no call of any kernel's. */
	SHOW(refuse(3000, SECCOMP_RET_ERRNO | 33, 0));
	SHOW(syscall(3000, 1, 2, 3));
	SHOW(errno);
}

static void by_argument(void)
{
	struct sock_filter code[] = {
		LOAD(nr), IF(SYS_getpriority, 8),
		LOAD(args[0]), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 5), BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LDX | BPF_MEM, 3),
		LOAD(args[1]), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_X, 0, 0, 1), RETURN(SECCOMP_RET_ERRNO | 40), RETURN(SECCOMP_RET_ERRNO | 41),
		RETURN(SECCOMP_RET_ALLOW),
	};

	SHOW(install(code, sizeof(code) / sizeof(*code), 0));
	SHOW(syscall(SYS_getpriority, 1, 7));
	SHOW(errno);
	SHOW(syscall(SYS_getpriority, 1, 6));
	SHOW(errno);
}

static void bad_filters(void)
{
	struct sock_filter out[] = { BPF_JUMP(BPF_JMP | BPF_JA, 7, 0, 0), RETURN(0) };
	struct sock_filter no_end[] = { LOAD(nr) };
	struct sock_filter unwritten[] = { BPF_STMT(BPF_LD | BPF_MEM, 2), RETURN(0) };
	struct sock_filter unaligned[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 3), RETURN(0) };
	struct sock_filter bytes[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RETURN(0) };
	struct sock_filter divides[] = { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0) };

	SHOW(install(out, 2, 0));
	SHOW(errno);
	SHOW(install(no_end, 1, 0));
	SHOW(install(unwritten, 2, 0));
	SHOW(install(unaligned, 2, 0));
	SHOW(install(bytes, 2, 0));
	SHOW(install(divides, 2, 0));
	SHOW(install(out, 0, 0));
	SHOW(errno);
	SHOW(install(NULL, 2, 0));
	SHOW(errno);
	SHOW(refuse(SYS_getuid, SECCOMP_RET_ALLOW, 1u << 20));
	SHOW(errno);
	SHOW(prctl(PR_SET_SECCOMP, 17, 0, 0, 0));
	SHOW(errno);
}

static int killed_by(unsigned action, bool blocked)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct sigaction a = { .sa_sigaction = on_sys, .sa_flags = SA_SIGINFO };
		sigset_t all;

		sigaction(SIGSYS, &a, NULL);
		sigfillset(&all);
		if (blocked)
			sigprocmask(SIG_BLOCK, &all, NULL);
		refuse(SYS_getppid, action, 0);
		getppid();
		_exit(5);
	}
	NEED(pid > 0 && waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void *uses(void *arg)
{
	(void)arg;
	return (void *)syscall(SYS_getpgid, 0);
}

static void *waits(void *arg)
{
	char byte;

	NEED(read(*(int *)arg, &byte, 1) == 1);
	return (void *)(syscall(SYS_getpgid, 0) == -1 ? (long)errno : 0);
}

static void threads(void)
{
	pthread_t early, late;
	void *result;
	int pipe_fds[2];

	NEED(!pipe(pipe_fds) && !pthread_create(&early, NULL, waits, &pipe_fds[0]));
	SHOW(refuse(SYS_getpgid, SECCOMP_RET_ERRNO | 9, SECCOMP_FILTER_FLAG_TSYNC));
	NEED(write(pipe_fds[1], "x", 1) == 1 && !pthread_join(early, &result));
	SHOW((long)result);
	NEED(!pthread_create(&late, NULL, uses, NULL) && !pthread_join(late, &result));
	SHOW((long)result);
}

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	if (argc > 1) {		/* after an exec */
		SHOW(syscall(SYS_getuid));
		SHOW(trapped_nr);
		return 0;
	}
	SHOW(prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
	SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	bad_filters();
	SHOW(killed_by(SECCOMP_RET_KILL_PROCESS, false));
	SHOW(killed_by(SECCOMP_RET_KILL_THREAD, true));
	SHOW(killed_by(SECCOMP_RET_TRAP, true));
	SHOW(killed_by(SECCOMP_RET_TRAP, false));
	by_argument();
	threads();
	fflush(stdout);
	pid = fork();
	if (!pid) {
		actions();
		fflush(stdout);
		refuse(SYS_getuid, SECCOMP_RET_ERRNO | 99, 0);
		execl(argv[0], argv[0], "again", (char *)NULL);
		_exit(6);
	}
	NEED(pid > 0 && waitpid(pid, &status, 0) == pid);
	SHOW(WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status));
	SHOW(syscall(SYS_getuid) >= 0);
	return 0;
}
