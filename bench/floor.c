/*
 * The floor under the ptrace front-end: nanoseconds per getppid of a leader and its followers when a tracer lets them stop as
 * often as mvarmor does, and does nothing else.  The leader stops before and after each call, a follower before it, which
 * is skipped with the leader's result; all run on one CPU.
 *
 *	floor CALLS VARIANTS stops	only stops; followers make the call
 *	floor CALLS VARIANTS requests	with the ptrace requests that cannot be spared: what is called, what came of it, the skip
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX 8
#define REG(name) offsetof(struct user_regs_struct, name)

struct variant {
	pid_t pid;
	bool waits;	/* follower: before a call that the leader has not made */
	long calls;
};

static void stay_on_one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static _Noreturn void call_for_ever(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(*code), code };

	if (ptrace(PTRACE_TRACEME, 0, 0, 0) || raise(SIGSTOP) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog))
		_exit(1);
	for (;;)
		syscall(SYS_getppid);
}

static pid_t start(void)
{
	long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	pid_t pid = fork();
	int status;

	if (!pid)
		call_for_ever();
	if (pid < 0 || waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status) || ptrace(PTRACE_SETOPTIONS, pid, 0, options)) {
		perror("floor");
		exit(1);
	}
	return pid;
}

static void look(pid_t pid)
{
	struct __ptrace_syscall_info info;

	ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
}

static void skip(pid_t pid)
{
	ptrace(PTRACE_POKEUSER, pid, REG(rax), 1);
	ptrace(PTRACE_POKEUSER, pid, REG(orig_rax), -1);
}

/* Let a follower go on if the leader has made its call. */
static void follow(struct variant *v, const struct variant *leader, bool requests)
{
	v->waits = v->calls == leader->calls;
	if (v->waits)
		return;
	v->calls++;
	if (requests)
		skip(v->pid);
	ptrace(PTRACE_CONT, v->pid, 0, 0);
}

static void lead(struct variant *v, size_t n, bool entry, bool requests)
{
	if (entry) {
		ptrace(PTRACE_SYSCALL, v->pid, 0, 0);
		return;
	}
	v->calls++;
	ptrace(PTRACE_CONT, v->pid, 0, 0);
	for (size_t i = 1; i < n; i++)
		if (v[i].waits)
			follow(&v[i], v, requests);
}

/* Handle stops until the leader has made so many calls. */
static void trace(struct variant *v, size_t n, long calls, bool requests)
{
	while (v->calls < calls) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);
		bool entry = status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8);

		if (pid < 0 || !WIFSTOPPED(status)) {
			fprintf(stderr, "floor: a variant ended\n");
			exit(1);
		}
		if (requests)
			look(pid);
		for (size_t i = 1; i < n; i++)
			if (v[i].pid == pid)
				follow(&v[i], v, requests);
		if (v->pid == pid)
			lead(v, n, entry, requests);
	}
}

int main(int argc, char **argv)
{
	long calls = argc > 1 ? atol(argv[1]) : 0, variants = argc > 2 ? atol(argv[2]) : 0;
	bool requests = argc > 3 && !strcmp(argv[3], "requests");
	struct sigaction child = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP };
	struct timespec from, to;
	struct variant v[MAX] = { 0 };

	if (argc != 4 || calls <= 0 || variants < 1 || variants > MAX || (!requests && strcmp(argv[3], "stops"))) {
		fprintf(stderr, "usage: floor CALLS VARIANTS stops|requests\n");
		return 2;
	}
	stay_on_one_cpu();
	sigaction(SIGCHLD, &child, NULL);
	for (long i = 0; i < variants; i++)
		v[i].pid = start();
	for (long i = 0; i < variants; i++)
		ptrace(PTRACE_CONT, v[i].pid, 0, 0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	trace(v, (size_t)variants, calls, requests);
	clock_gettime(CLOCK_MONOTONIC, &to);
	for (long i = 0; i < variants; i++) {
		kill(v[i].pid, SIGKILL);
		waitpid(v[i].pid, NULL, __WALL);
	}
	printf("%.1f\n", ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / (double)calls);
	return 0;
}
