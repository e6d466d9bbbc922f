/* SIGSYS is the program's, whatever catches its calls: handled, blocked, pending, waited for, fatal. */
#include "check.h"

static volatile sig_atomic_t caught, code;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	caught++;
	code = info->si_code;
}

static bool is_pending(void)
{
	sigset_t set;

	NEED(sigpending(&set) == 0);
	return sigismember(&set, SIGSYS);
}

static bool is_blocked(void)
{
	sigset_t set;

	NEED(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
	return sigismember(&set, SIGSYS);
}

static int dies(void)
{
	signal(SIGSYS, SIG_DFL);
	raise(SIGSYS);
	return 0;
}

static int ignores(void)
{
	signal(SIGSYS, SIG_IGN);
	raise(SIGSYS);
	/* Calls go on: a trap that the program ignores would be fatal. */
	return getppid() > 0 ? 3 : 4;
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO }, old;
	sigset_t set, all;
	siginfo_t info;

	NEED(sigaction(SIGSYS, NULL, &old) == 0);
	SHOW(old.sa_handler == SIG_DFL);
	NEED(sigaction(SIGSYS, &sa, NULL) == 0);
	raise(SIGSYS);
	SHOW(caught);
	SHOW(code == SI_TKILL);
	kill(getpid(), SIGSYS);
	SHOW(caught);
	SHOW(code == SI_USER);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	sigfillset(&all);
	NEED(sigprocmask(SIG_BLOCK, &all, NULL) == 0);
	SHOW(is_blocked());
	/* Enough calls for call sites to be rewritten in between, should that depend on the signal. */
	for (int i = 0; i < 1000; i++)
		NEED(getppid() > 0);
	raise(SIGSYS);
	SHOW(is_pending());
	SHOW(caught);
	SHOW(sigwaitinfo(&set, &info));
	SHOW(info.si_signo);
	SHOW(is_pending());
	raise(SIGSYS);
	NEED(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	SHOW(caught);
	SHOW(is_blocked());
	NEED(sigaction(SIGSYS, NULL, &old) == 0);
	SHOW(old.sa_sigaction == handler);
	reap("default", spawn(dies));
	reap("ignored", spawn(ignores));
	return 0;
}
