/* Signals a process sends to itself arrive before the call returns, with the siginfo of their kind. */
#include "check.h"

static volatile sig_atomic_t count, code, value, sender;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	count++;
	code = info->si_code;
	value = info->si_value.sival_int;
	sender = info->si_pid == getpid();
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO }, old;
	union sigval v = { .sival_int = 4711 };

	NEED(sigaction(SIGUSR1, &sa, NULL) == 0);
	NEED(sigaction(SIGRTMIN + 3, &sa, NULL) == 0);
	raise(SIGUSR1);
	SHOW(count);
	SHOW(code == SI_TKILL);
	SHOW(sender);
	kill(getpid(), SIGUSR1);
	SHOW(count);
	SHOW(code == SI_USER);
	sigqueue(getpid(), SIGRTMIN + 3, v);
	SHOW(count);
	SHOW(code == SI_QUEUE);
	SHOW(value);
	NEED(sigaction(SIGUSR1, NULL, &old) == 0);
	SHOW(old.sa_sigaction == handler);
	SHOW(old.sa_flags == SA_SIGINFO);
	sa.sa_flags = SA_SIGINFO | (int)SA_RESETHAND;
	NEED(sigaction(SIGUSR2, &sa, NULL) == 0);
	raise(SIGUSR2);
	NEED(sigaction(SIGUSR2, NULL, &old) == 0);
	SHOW(old.sa_handler == SIG_DFL);
	OUTCOME(sigaction(SIGKILL, &sa, NULL));
	OUTCOME(kill(getpid(), 99));
	OUTCOME(kill(getpid(), 0));
	for (int i = 0; i < 200; i++)
		raise(SIGRTMIN + 3);
	SHOW(count);
	return 0;
}
