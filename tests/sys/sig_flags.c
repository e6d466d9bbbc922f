/* What sa_flags do: SA_RESETHAND, SA_NODEFER, SA_ONSTACK, SA_NOCLDSTOP, SA_NOCLDWAIT, masks; fork, exec and exit in handlers. */
#include "check.h"

static volatile sig_atomic_t depth, deepest, count, on_stack;
static char stack[64 * 1024];

static void nested(int sig)
{
	depth++;
	count++;
	if (depth > deepest)
		deepest = depth;
	if (count < 4)
		raise(sig);
	depth--;
}

static void simple(int sig)
{
	char c;

	(void)sig;
	count++;
	on_stack = &c >= stack && &c < stack + sizeof(stack);
}

static void both(int sig)
{
	count = 10 * count + (sig == SIGUSR1 ? 1 : 2);
	if (sig == SIGUSR1)
		raise(SIGUSR2);
	count = 10 * count + (sig == SIGUSR1 ? 3 : 4);
}

static void flags(void)
{
	struct sigaction sa = { .sa_handler = nested, .sa_flags = SA_NODEFER }, old;
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };

	NEED(sigaction(SIGUSR1, &sa, NULL) == 0);
	raise(SIGUSR1);
	SHOW(count);
	SHOW(deepest);
	count = deepest = 0;
	sa.sa_flags = 0;
	NEED(sigaction(SIGUSR1, &sa, NULL) == 0);
	raise(SIGUSR1);
	SHOW(count);
	SHOW(deepest);
	count = 0;
	sa.sa_handler = simple;
	sa.sa_flags = (int)SA_RESETHAND;
	NEED(sigaction(SIGUSR1, &sa, NULL) == 0);
	raise(SIGUSR1);
	SHOW(sigaction(SIGUSR1, NULL, &old));
	SHOW(old.sa_handler == SIG_DFL);
	SHOW(count);
	NEED(sigaltstack(&ss, NULL) == 0);
	sa.sa_flags = SA_ONSTACK;
	NEED(sigaction(SIGUSR1, &sa, NULL) == 0);
	raise(SIGUSR1);
	SHOW(on_stack);
	sa.sa_flags = 0;
	NEED(sigaction(SIGUSR1, &sa, NULL) == 0);
	raise(SIGUSR1);
	SHOW(on_stack);
	count = 0;
	sa.sa_handler = both;
	sigaddset(&sa.sa_mask, SIGUSR2);
	NEED(sigaction(SIGUSR1, &sa, NULL) == 0 && sigaction(SIGUSR2, &sa, NULL) == 0);
	raise(SIGUSR1);
	SHOW(count);
}

static int stops(void)
{
	raise(SIGSTOP);
	return 3;
}

static void children(void)
{
	struct sigaction sa = { .sa_handler = simple, .sa_flags = SA_NOCLDSTOP };
	sigset_t set, old;
	int status;
	pid_t pid;

	count = 0;
	NEED(sigaction(SIGCHLD, &sa, NULL) == 0);
	pid = spawn(stops);
	NEED(waitpid(pid, &status, WUNTRACED) == pid);
	show_status("child", status);
	SHOW(count);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	NEED(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	kill(pid, SIGCONT);
	while (!count)
		sigsuspend(&old);
	SHOW(count);
	reap("child", pid);
	sa.sa_flags = SA_NOCLDWAIT;
	NEED(sigaction(SIGCHLD, &sa, NULL) == 0);
	pid = fork();
	if (pid == 0)
		_exit(5);
	OUTCOME(waitpid(pid, &status, 0));
	sa.sa_handler = SIG_IGN;
	sa.sa_flags = 0;
	NEED(sigaction(SIGCHLD, &sa, NULL) == 0 && sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	pid = fork();
	if (pid == 0)
		_exit(5);
	OUTCOME(wait(NULL));
	signal(SIGCHLD, SIG_DFL);
}

static void forks(int sig)
{
	int status;
	pid_t pid = fork();

	(void)sig;
	if (pid == 0)
		_exit(6);
	NEED(pid > 0 && waitpid(pid, &status, 0) == pid);
	count = WEXITSTATUS(status);
}

static void executes(int sig)
{
	(void)sig;
	execl("/proc/self/exe", "sig_flags", "again", NULL);
}

static void leaves(int sig)
{
	(void)sig;
	_exit(8);
}

static int in_handler(void (*handler)(int))
{
	on_signal(SIGALRM, handler, 0);
	alarm(1);
	pause();
	SHOW(count);
	return 0;
}

int main(int argc, char **argv)
{
	void (*const handlers[])(int) = { forks, executes, leaves };

	if (argc > 1) {
		sigset_t set;

		sigprocmask(0, NULL, &set);
		printf("%s: SIGALRM is %s\n", argv[1], sigismember(&set, SIGALRM) ? "blocked" : "open");
		return 4;
	}
	flags();
	children();
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(in_handler(handlers[i]));
		reap("handler", pid);
	}
	return 0;
}
