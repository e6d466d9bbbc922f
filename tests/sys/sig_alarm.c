/* SIGALRM in the middle of sleeping and reading, with and without SA_RESTART. */
/* test: n1 */
#include "check.h"

static volatile sig_atomic_t ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

static void arm(long ms)
{
	struct itimerval it = { .it_value = { 0, ms * 1000 } };

	NEED(setitimer(ITIMER_REAL, &it, NULL) == 0);
}

int main(void)
{
	struct timespec ts = { 5, 0 }, rest = { 0, 0 };
	int fds[2];
	char c = 0;

	on_signal(SIGALRM, tick, 0);
	arm(50);
	OUTCOME(nanosleep(&ts, &rest));
	SHOW(rest.tv_sec == 4);
	SHOW(ticks);

	on_signal(SIGALRM, tick, SA_RESTART);
	arm(50);
	OUTCOME(nanosleep(&ts, &rest));
	SHOW(ticks);

	NEED(pipe(fds) == 0);
	on_signal(SIGALRM, tick, 0);
	arm(50);
	OUTCOME(read(fds[0], &c, 1));
	SHOW(ticks);

	pid_t pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		sleep_ms(300);
		send_byte(fds[1]);
		_exit(0);
	}
	on_signal(SIGALRM, tick, SA_RESTART);
	arm(50);
	SHOW(read(fds[0], &c, 1));
	SHOW(ticks);
	reap("writer", pid);
	alarm(100);
	SHOW(alarm(0));
	return 0;
}
