/* A signal that a handler's end unblocks comes where the handler returns to: with the mask, and at the place, that were interrupted. */
#include <sys/time.h>
#include <ucontext.h>
#include "check.h"

static volatile int came, in_first;

static unsigned blocked(const sigset_t *set)
{
	unsigned n = 0;

	for (int sig = 1; sig < 65; sig++)
		n += sigismember(set, sig) == 1;
	return n;
}

static void second(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;
	sigset_t now;

	sigprocmask(SIG_BLOCK, NULL, &now);
	printf("second: signal %d (code %d), in the first: %d, blocked there %u, here %u\n", sig, info->si_code, in_first,
	       blocked(&u->uc_sigmask), blocked(&now));
	came++;
}

static void first(int sig)
{
	in_first = 1;
	raise(SIGUSR1);
	raise(SIGURG);
	if (sig == SIGUSR2)
		raise(SIGTERM);
	in_first = 0;
	came++;
}

static void arm(void)
{
	struct itimerval t = { .it_value = { 0, 20000 } };

	came = 0;
	setitimer(ITIMER_REAL, &t, NULL);
}

int main(void)
{
	struct sigaction a = { .sa_sigaction = second, .sa_flags = SA_SIGINFO };

	sigaddset(&a.sa_mask, SIGUSR1);
	sigaddset(&a.sa_mask, SIGURG);
	NEED(!sigaction(SIGUSR1, &a, NULL) && !sigaction(SIGURG, &a, NULL) && !sigaction(SIGTERM, &a, NULL));
	sigfillset(&a.sa_mask);
	a.sa_handler = first;
	a.sa_flags = SA_RESTART;
	NEED(!sigaction(SIGALRM, &a, NULL) && !sigaction(SIGUSR2, &a, NULL));
	arm();
	while (came < 3)
		;
	arm();
	while (came < 3)
		getppid();
	arm();
	while (came < 3)
		pause();
	came = 0;
	raise(SIGUSR2);
	SHOW(came);
	return 0;
}
