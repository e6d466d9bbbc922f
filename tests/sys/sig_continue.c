/* SIGCONT, which makes a traced program stop once more, comes beside signals with handlers: those still come at a call, in all variants at the same. */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include "check.h"

#define ROUNDS 2000

static volatile sig_atomic_t count;

static void handler(int sig)
{
	(void)sig;
	count++;
}

static int send_all(pid_t parent)
{
	for (int i = 0; i < ROUNDS; i++) {
		NEED(!kill(parent, SIGUSR1));
		NEED(!kill(parent, SIGCONT));
	}
	return 0;
}

/* Something between two looks, and no call. */
static void pass_time(void)
{
	for (volatile int i = 0; i < 300; i++)
		;
}

int main(void)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	int null = open("/dev/null", O_WRONLY), status = -1, looks[3];
	pid_t parent = getpid(), child;

	NEED(null >= 0 && !sigaction(SIGUSR1, &sa, NULL));
	NEED((child = fork()) >= 0);
	if (!child)
		_exit(send_all(parent));
	while (waitpid(child, &status, WNOHANG) != child) {
		for (int i = 0; i < 3; i++) {
			looks[i] = count;
			pass_time();
		}
		NEED(write(null, looks, sizeof(looks)) == sizeof(looks));
	}
	SHOW(status);
	return 0;
}
