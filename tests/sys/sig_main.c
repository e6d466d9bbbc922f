/* Signals from outside go to the first thread as long as it takes them, also when another one sleeps and that one is busy. */
#include <pthread.h>
#include "check.h"

enum { SIGNALS = 50 };

static volatile sig_atomic_t came, elsewhere;
static int rest[2];

static void arrive(int sig)
{
	(void)sig;
	elsewhere += gettid() != getpid();
	came = 1;
}

static void *sleep_long(void *arg)
{
	char c;

	while (read(rest[0], &c, 1) != 1)
		;
	return arg;
}

int main(void)
{
	pthread_t t;
	pid_t sender;
	int seen = 0, go[2];

	on_signal(SIGUSR1, arrive, SA_RESTART);
	NEED(pipe(rest) == 0 && pipe(go) == 0 && pthread_create(&t, NULL, sleep_long, NULL) == 0);
	sender = fork();
	NEED(sender >= 0);
	if (!sender) {
		char c;

		close(go[1]);
		while (read(go[0], &c, 1) == 1) {
			sleep_ms(1);
			kill(getppid(), SIGUSR1);
		}
		_exit(0);
	}
	for (; seen < SIGNALS; seen++) {
		NEED(write(go[1], "", 1) == 1);
		while (!came)
			getuid();
		came = 0;
	}
	close(go[1]);
	NEED(waitpid(sender, NULL, 0) == sender && write(rest[1], "", 1) == 1 && pthread_join(t, NULL) == 0);
	SHOW(seen);
	SHOW(elsewhere);
	return 0;
}
