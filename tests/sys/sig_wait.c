/* sigwait, sigwaitinfo, sigtimedwait; a signal sent by a child. */
#include "check.h"

int main(void)
{
	sigset_t set;
	siginfo_t info;
	int sig = 0;
	struct timespec brief = { 0, 30000000 };
	pid_t pid, me = getpid();

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	OUTCOME(sigtimedwait(&set, &info, &brief));
	raise(SIGUSR2);
	SHOW(sigwait(&set, &sig));
	SHOW(sig == SIGUSR2);
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		sleep_ms(50);
		_exit(kill(me, SIGUSR1));
	}
	SHOW(sigwaitinfo(&set, &info) == SIGUSR1);
	SHOW(info.si_pid == pid);
	SHOW(info.si_code == SI_USER);
	reap("child", pid);
	brief.tv_nsec = 0;
	OUTCOME(sigtimedwait(&set, NULL, &brief));
	return 0;
}
