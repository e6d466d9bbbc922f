/*
 * Who is killed while it makes children has made those that are there: they live on, with twins, though the killed one's twin may
 * have been behind.
 * test: timeout=60
 */
#include "check.h"

#define ROUNDS 120

static void child(int fd)
{
	for (;;) {
		pid_t p = fork();

		if (p == 0) {
			NEED(write(fd, "a", 1) == 1);
			_exit(0);
		}
		waitpid(p, NULL, 0);
	}
}

/* All that have the pipe's other end have ended. */
static int round_of(int sig, int wanted)
{
	int p[2], status, n = 0;
	char c;
	pid_t a;

	NEED(pipe(p) == 0);
	a = fork();
	NEED(a >= 0);
	if (a == 0) {
		close(p[0]);
		child(p[1]);
	}
	close(p[1]);
	while (n < wanted && read(p[0], &c, 1) == 1)
		n++;
	NEED(kill(a, sig) == 0);
	NEED(waitpid(a, &status, 0) == a && WIFSIGNALED(status));
	while (read(p[0], &c, 1) == 1)
		n++;
	close(p[0]);
	NEED(n >= wanted);
	return WTERMSIG(status);
}

int main(void)
{
	static const int sigs[] = { SIGTERM, SIGHUP, SIGKILL };

	for (int i = 0; i < ROUNDS; i++)
		SHOW(round_of(sigs[i % 3], i % 4));
	return 0;
}
