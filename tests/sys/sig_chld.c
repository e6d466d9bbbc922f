/* SIGCHLD interrupts and tells who; ignored, children vanish. */
#include "check.h"

static volatile sig_atomic_t count, pid_seen, status_seen, code_seen;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	count++;
	pid_seen = info->si_pid;
	status_seen = info->si_status;
	code_seen = info->si_code;
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NOCLDSTOP };
	pid_t pid;
	int status;

	NEED(sigaction(SIGCHLD, &sa, NULL) == 0);
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		sleep_ms(200);
		_exit(9);
	}
	SHOW(pause());
	SHOW(count);
	SHOW(pid_seen == pid);
	SHOW(status_seen);
	SHOW(code_seen == CLD_EXITED);
	reap("child", pid);

	pid = fork();
	NEED(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	NEED(kill(pid, SIGKILL) == 0);
	while (waitpid(pid, &status, 0) < 0)
		NEED(errno == EINTR);
	show_status("killed", status);
	SHOW(count);
	SHOW(code_seen == CLD_KILLED);

	signal(SIGCHLD, SIG_IGN);
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0)
		_exit(1);
	OUTCOME(waitpid(pid, &status, 0));
	return 0;
}
