/* What exec keeps of signal state: ignored stays, handlers go, the mask and pending signals stay. */
#include "check.h"

static void handler(int sig)
{
	(void)sig;
}

int main(int argc, char **argv)
{
	struct sigaction sa;
	sigset_t set;

	if (argc == 1) {
		on_signal(SIGUSR1, handler, 0);
		signal(SIGUSR2, SIG_IGN);
		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
		raise(SIGTERM);
		execl(argv[0], argv[0], "again", NULL);
		return 98;
	}
	sigaction(SIGUSR1, NULL, &sa);
	SHOW(sa.sa_handler == SIG_DFL);
	sigaction(SIGUSR2, NULL, &sa);
	SHOW(sa.sa_handler == SIG_IGN);
	sigprocmask(SIG_BLOCK, NULL, &set);
	SHOW(sigismember(&set, SIGTERM));
	sigpending(&set);
	SHOW(sigismember(&set, SIGTERM));
	signal(SIGTERM, SIG_IGN);
	sigpending(&set);
	SHOW(sigismember(&set, SIGTERM));
	return 0;
}
