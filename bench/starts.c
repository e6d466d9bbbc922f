/*
 * The floor under starts: a program and as many copies as there are followers, each copy in a PID and IPC namespace of its own with an
 * init, all traced through their forks and execs, under a filter, on one CPU.  The tracer sees what mvarmor cannot do without (a new
 * process and its first stop, the calls that make one or execute, the exec, signals) and does nothing at such a stop.  Nothing
 * is compared, moved, mapped or handed over.
 *
 *	starts VARIANTS PROGRAM [ARGUMENT...]	the copies write to /dev/null
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS (PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | \
		 PTRACE_O_EXITKILL)

static void fail(const char *what)
{
	perror(what);
	exit(125);
}

static void stay_on_one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void filter(void)
{
	static const int stops[] = { SYS_execve, SYS_clone, SYS_clone3, SYS_vfork, SYS_fork };
	struct sock_filter code[16] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog prog = { 2, code };

	for (unsigned i = 0; i < sizeof(stops) / sizeof(*stops); i++) {
		code[prog.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)stops[i], 0, 1);
		code[prog.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	code[prog.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog))
		fail("seccomp");
}

static _Noreturn void variant(char **argv)
{
	filter();
	execvp(argv[0], argv);
	fail(argv[0]);
	_exit(127);
}

/* In a namespace of its own: reap what ends there, until the program has ended. */
static _Noreturn void init(char **argv)
{
	pid_t program = fork();
	int status;

	if (!program) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, STDOUT_FILENO);
		variant(argv);
	}
	while (waitpid(-1, &status, 0) != program)
		;
	_exit(0);
}

static void start(unsigned which, char **argv)
{
	int go[2];
	char byte = 'g';
	pid_t pid;

	if (pipe2(go, O_CLOEXEC))
		fail("pipe");
	pid = which ? (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWIPC | SIGCHLD, 0, 0, 0, 0) : fork();
	if (pid < 0)
		fail("clone");
	if (!pid) {
		if (read(go[0], &byte, 1) != 1)
			_exit(125);
		if (which)
			init(argv);
		variant(argv);
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, OPTIONS) || write(go[1], &byte, 1) != 1)
		fail("PTRACE_SEIZE");
	close(go[0]);
	close(go[1]);
}

int main(int argc, char **argv)
{
	unsigned variants = argc > 2 ? (unsigned)atoi(argv[1]) : 0;
	int status;
	pid_t pid;

	if (!variants) {
		fprintf(stderr, "usage: starts VARIANTS PROGRAM [ARGUMENT...]\n");
		return 125;
	}
	stay_on_one_cpu();
	for (unsigned i = 0; i < variants; i++)
		start(i, argv + 2);
	while ((pid = waitpid(-1, &status, __WALL)) > 0)
		if (WIFSTOPPED(status))
			ptrace(PTRACE_CONT, pid, 0, (long)(status >> 16 ? 0 : WSTOPSIG(status)));
	return errno == ECHILD ? 0 : 125;
}
