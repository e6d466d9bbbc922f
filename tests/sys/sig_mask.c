/* Blocked signals wait and come when they are unblocked, each standard one once, real-time ones all and in order. */
/* test: n1 */
#include "check.h"

static int order[16], n;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	order[n++] = sig >= SIGRTMIN ? 100 + info->si_value.sival_int : sig;
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	sigset_t set, old, pending;

	sigfillset(&sa.sa_mask);
	NEED(sigaction(SIGUSR1, &sa, NULL) == 0);
	NEED(sigaction(SIGUSR2, &sa, NULL) == 0);
	NEED(sigaction(SIGRTMIN, &sa, NULL) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	NEED(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	raise(SIGUSR1);
	raise(SIGUSR1);
	for (int i = 0; i < 3; i++)
		sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i });
	SHOW(n);
	sigpending(&pending);
	SHOW(sigismember(&pending, SIGUSR1));
	SHOW(sigismember(&pending, SIGUSR2));
	raise(SIGUSR2);
	SHOW(n);
	NEED(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	SHOW(n);
	for (int i = 0; i < n; i++)
		printf("%d ", order[i]);
	puts("");
	sigpending(&pending);
	SHOW(sigismember(&pending, SIGUSR1));

	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	raise(SIGUSR1);
	n = 0;
	SHOW(sigsuspend(&old));
	SHOW(errno == EINTR);
	SHOW(n);
	NEED(sigprocmask(SIG_SETMASK, NULL, &pending) == 0);
	SHOW(sigismember(&pending, SIGUSR1));
	OUTCOME(sigprocmask(77, &set, NULL));
	return 0;
}
