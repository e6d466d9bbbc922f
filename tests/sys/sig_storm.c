/*
 * test: timeout=120
 * Ten thousand signals a second: of real-time signals each one arrives, once, in order and with what it carries, while files
 * and pipes are used and calls are interrupted; ordinary ones may merge, but the last one comes.
 */
#include "check.h"

#define SIGNALS 2000
#define BATCH 100

static volatile int next, odd, usr, hup;

static void numbered(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	odd += info->si_value.sival_int != next || info->si_code != SI_QUEUE;
	next++;
}

static void ordinary(int sig, siginfo_t *info, void *context)
{
	(void)context;
	(void)info;
	if (sig == SIGHUP)
		hup++;
	else
		usr++;
}

static pid_t parent;

/* A hundred every ten milliseconds; the parent must have room for them in its queue. */
static int sender(void)
{
	struct timespec begin, now;
	long late;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < SIGNALS; i++) {
		while (sigqueue(parent, SIGRTMIN + 3, (union sigval){ .sival_int = i }) < 0)
			if (errno != EAGAIN)
				return 1;
			else
				sleep_ms(1);
		if (i % 10 == 0)
			kill(parent, SIGUSR1);
		if (i % BATCH)
			continue;
		clock_gettime(CLOCK_MONOTONIC, &now);
		late = (now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000;
		if (late < i / 10)
			sleep_ms(i / 10 - late);
	}
	return kill(parent, SIGHUP);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = numbered, .sa_flags = SA_SIGINFO | SA_RESTART };
	int fds[2], file = open("file", O_RDWR | O_CREAT, 0600), bad = 0;
	struct timespec brief = { 0, 100000 };
	char c = 'x';
	pid_t pid;

	NEED(file >= 0 && pipe(fds) == 0);
	parent = getpid();
	NEED(sigaction(SIGRTMIN + 3, &sa, NULL) == 0);
	sa.sa_sigaction = ordinary;
	NEED(sigaction(SIGUSR1, &sa, NULL) == 0 && sigaction(SIGHUP, &sa, NULL) == 0);
	pid = spawn(sender);
	for (int i = 0; next < SIGNALS || !hup; i++) {
		bad += write(fds[1], &c, 1) != 1;
		bad += read(fds[0], &c, 1) != 1 || c != 'x';
		bad += pwrite(file, &c, 1, i % 1000) != 1;
		if (i % 16 == 0)
			nanosleep(&brief, NULL);
	}
	reap("sender", pid);
	SHOW(next);
	SHOW(odd);
	SHOW(hup);
	SHOW(usr > 0 && usr <= SIGNALS / 10);
	SHOW(bad);
	return 0;
}
