/* A process stops itself; the signal that comes while it is stopped is handled before its next instruction, in the default way or by kill of a group. */
#include "check.h"

static volatile sig_atomic_t got;

static void note(int sig)
{
	got += sig;
}

static int stops(void)
{
	on_signal(SIGHUP, note, 0);
	on_signal(SIGUSR1, note, 0);
	for (int i = 0; i < 3; i++) {
		got = 0;
		syscall(SYS_kill, i == 2 ? 0 : getpid(), i == 1 ? SIGTSTP : SIGSTOP);
		int seen = got;

		SHOW(seen);
	}
	return 0;
}

static void goes_on(pid_t pid, const int *signals)
{
	int status;

	NEED(waitpid(pid, &status, WUNTRACED) == pid);
	show_status("child", status);
	for (; *signals; signals++)
		NEED(kill(pid, *signals) == 0);
	NEED(kill(pid, SIGCONT) == 0);
}

static int in_group(void)
{
	NEED(setpgid(0, 0) == 0);
	return stops();
}

int main(void)
{
	pid_t pid = spawn(in_group);

	goes_on(pid, (const int []){ SIGHUP, 0 });
	goes_on(pid, (const int []){ 0 });
	goes_on(pid, (const int []){ SIGUSR1, SIGHUP, 0 });
	reap("child", pid);
	return 0;
}
