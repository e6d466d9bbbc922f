/* clone with flags that libraries do not use: what is shared is shared, what the kernel refuses is refused, the rest is run. */
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include "check.h"

static volatile int shared;
static char stack[1 << 16] __attribute__((aligned(16)));

static int child(void *arg)
{
	shared = 7;
	if (arg)
		NEED(open("/dev/null", O_RDONLY) >= 0);
	return 9;
}

static pid_t make(unsigned flags, void *arg)
{
	return clone(child, stack + sizeof(stack), (int)flags, arg);
}

static void try(const char *what, unsigned flags, unsigned options)
{
	int status = -1;
	pid_t pid;

	shared = 0;
	pid = make(flags, NULL);
	if (pid < 0) {
		printf("%s: %s\n", what, strerrorname_np(errno));
		return;
	}
	NEED(waitpid(pid, &status, (int)options) == pid);
	printf("%s: shared %d, ", what, shared);
	show_status("child", status);
}

static volatile sig_atomic_t told;

static void tell(int sig)
{
	told = sig;
}

static int parents_child(void)
{
	return make(CLONE_PARENT | SIGCHLD, NULL) > 0 ? 0 : 1;
}

int main(void)
{
	int status;

	try("plain", SIGCHLD, 0);
	try("no signal", 0, __WALL);
	try("no signal, not waited for by wait", 0, __WCLONE);
	on_signal(SIGUSR1, tell, 0);
	try("another signal", SIGUSR1, __WALL);
	SHOW(told == SIGUSR1);
	try("memory", CLONE_VM | SIGCHLD, 0);
	try("memory, suspended parent", CLONE_VM | CLONE_VFORK | SIGCHLD, 0);
	try("suspended parent", CLONE_VFORK | SIGCHLD, 0);
	try("memory, handlers", CLONE_VM | CLONE_SIGHAND | SIGCHLD, 0);
	try("handlers alone", CLONE_SIGHAND | SIGCHLD, 0);
	try("thread alone", CLONE_THREAD | SIGCHLD, 0);
	try("thread without handlers", CLONE_THREAD | CLONE_VM, 0);
	try("untraced", CLONE_UNTRACED | SIGCHLD, 0);
	try("ptrace", CLONE_PTRACE | SIGCHLD, 0);
	try("io", CLONE_IO | SIGCHLD, 0);
	try("detached (nothing since 2.6)", CLONE_DETACHED | SIGCHLD, 0);

	/* The descriptor that the child opens is its parent's. */
	pid_t pid = make(CLONE_FILES | SIGCHLD, "open");

	NEED(pid > 0);
	reap("files", pid);
	OUTCOME(fcntl(3, F_GETFD));

	/* The child's child is ours. */
	reap("has made our child", spawn(parents_child));
	NEED(wait(&status) > 0);
	show_status("our child", status);
	OUTCOME(wait(NULL));
	return 0;
}
