/* Two timers end while the program computes, a little before its next call: both signals come, each once and as itself. */
#include "check.h"

enum { ROUNDS = 60, FIRST = 11, SECOND = 22 };

static volatile sig_atomic_t first, second, wrong;
static int pipe_end;

static void arrive(int sig, siginfo_t *info, void *context)
{
	(void)context;
	wrong += info->si_code != SI_TIMER || info->si_value.sival_int != (sig == SIGUSR1 ? FIRST : SECOND);
	if (sig == SIGUSR1)
		first++;
	else
		second++;
	wrong += write(pipe_end, sig == SIGUSR1 ? "1" : "2", 1) != 1;
}

static timer_t make(int sig, int value)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig, .sigev_value.sival_int = value };
	struct sigaction a = { .sa_sigaction = arrive, .sa_flags = SA_SIGINFO | SA_RESTART };
	timer_t t;

	NEED(sigaction(sig, &a, NULL) == 0 && timer_create(CLOCK_MONOTONIC, &e, &t) == 0);
	return t;
}

int main(void)
{
	struct itimerspec once = { .it_value = { 0, 300000 } };
	timer_t a = make(SIGUSR1, FIRST), b = make(SIGUSR2, SECOND);
	volatile unsigned long spin = 0;
	int fds[2];
	char c;

	NEED(pipe(fds) == 0);
	pipe_end = fds[1];
	for (int i = 0; i < ROUNDS; i++) {
		NEED(timer_settime(a, 0, &once, NULL) == 0 && timer_settime(b, 0, &once, NULL) == 0);
		/* About as long as a signal may wait for a call. */
		for (unsigned long n = 0; n < 8000000ul + (unsigned long)i % 20 * 400000ul; n++)
			spin++;
		NEED(getppid() > 0);
		while (first <= i || second <= i)
			sleep_ms(1);
		for (int j = 0; j < 2; j++)
			wrong += read(fds[0], &c, 1) != 1;
	}
	SHOW(first);
	SHOW(second);
	SHOW(wrong);
	return 0;
}
