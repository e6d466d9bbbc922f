/*
 * Loops that wait for another thread: with sched_yield, with other calls, with looks at the clock, and without any call, where
 * the one who waits has to be set free.
 */
#include "turns.h"

static atomic_int flag;
static pthread_spinlock_t spin;

static void *raise_flag(void *arg)
{
	for (int i = 0; i < 3; i++)
		getppid();
	atomic_store(&flag, 1);
	return arg;
}

static void *count(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++) {
		pthread_spin_lock(&spin);
		flag++;
		pthread_spin_unlock(&spin);
		if (i % 100 == 0)
			getppid();
	}
	return NULL;
}

static void with(const char *what, long (*call)(void), bool yield)
{
	pthread_t t;
	long calls = 0;

	flag = 0;
	t = begin(raise_flag, 5);
	while (!atomic_load(&flag)) {
		if (yield)
			sched_yield();
		else if (call)
			call();
		calls++;
	}
	if (call || yield)
		tell(&calls, sizeof(calls));	/* a free one counts as fast as it can */
	printf("%s: %ld\n", what, end(t));
}

static long nothing(void)
{
	return getppid();
}

static long map(void)
{
	return munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
}

static long look(void)
{
	struct timespec now;

	return clock_gettime(CLOCK_MONOTONIC, &now);
}

static void quietly(void)
{
	pthread_t t;

	flag = 0;
	t = begin(raise_flag, 6);
	while (!atomic_load(&flag))
		;
	printf("no call at all: %ld\n", end(t));
}

int main(void)
{
	with("yield", NULL, true);
	with("getppid", nothing, false);
	with("mmap", map, false);
	with("clock_gettime", look, false);
	quietly();
	with("counting", NULL, false);
	flag = 0;
	NEED(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0);
	together(4, count);
	SHOW(flag);
	return 0;
}
