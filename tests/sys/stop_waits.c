/* Stopped and continued in calls that wait for a limited time, nobody handles a signal: they go on for the rest of it. */
#include <linux/futex.h>
#include <semaphore.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include "check.h"

#define WAIT_MS 700
#define STOP_AFTER 150

static const struct timespec limit = { 0, WAIT_MS * 1000000L };

static long do_nanosleep(void) { return nanosleep(&limit, NULL); }
static long do_poll(void) { return poll(NULL, 0, WAIT_MS); }

static long do_clock_nanosleep(void)
{
	errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &limit, NULL);
	return errno ? -1 : 0;
}

static long do_select(void)
{
	struct timeval tv = { 0, WAIT_MS * 1000L };

	return select(0, NULL, NULL, NULL, &tv);
}

static long do_futex(void)
{
	int word = 0;

	return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &limit, NULL, 0);
}

static long do_sem_timedwait(void)
{
	struct timespec until;
	sem_t sem;

	sem_init(&sem, 0, 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += limit.tv_nsec;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	return sem_timedwait(&sem, &until);
}

static long do_timerfd(void)
{
	struct itimerspec its = { .it_value = limit };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t n;

	NEED(timerfd_settime(fd, 0, &its, NULL) == 0);
	return read(fd, &n, sizeof(n));
}

static const struct {
	const char *name;
	long (*call)(void);
} calls[] = {
#define CALL(name) { #name, do_##name }
	CALL(nanosleep), CALL(clock_nanosleep), CALL(poll), CALL(select), CALL(futex), CALL(sem_timedwait), CALL(timerfd),
};
#define NCALLS (sizeof(calls) / sizeof(calls[0]))

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void waiter(unsigned i, int out)
{
	long before = now_ms(), result = calls[i].call();
	int error = result < 0 ? errno : 0;

	dprintf(out, "%s: %ld %s%s\n", calls[i].name, result, strerrorname_np(error), now_ms() - before < WAIT_MS ? ", too early" : "");
	_exit(0);
}

int main(void)
{
	int out[NCALLS][2], status;
	pid_t pids[NCALLS];
	char line[100];

	for (unsigned i = 0; i < NCALLS; i++) {
		NEED(pipe(out[i]) == 0);
		pids[i] = fork();
		NEED(pids[i] >= 0);
		if (pids[i] == 0)
			waiter(i, out[i][1]);
	}
	for (unsigned round = 0; round < 2; round++) {
		sleep_ms(STOP_AFTER);
		for (unsigned i = 0; i < NCALLS; i++)
			NEED(kill(pids[i], SIGSTOP) == 0);
		for (unsigned i = 0; i < NCALLS; i++) {
			NEED(waitpid(pids[i], &status, WUNTRACED) == pids[i]);
			show_status(calls[i].name, status);
		}
		for (unsigned i = 0; i < NCALLS; i++)
			NEED(kill(pids[i], SIGCONT) == 0);
	}
	for (unsigned i = 0; i < NCALLS; i++) {
		ssize_t n = read(out[i][0], line, sizeof(line));

		NEED(n > 0);
		printf("%.*s", (int)n, line);
		reap(calls[i].name, pids[i]);
	}
	return 0;
}
