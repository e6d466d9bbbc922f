/* The time stamp counter moves on, also under signals; its value is the same in all variants. */
#include <x86intrin.h>
#include "check.h"

static volatile sig_atomic_t ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

/* A loop that makes no call. */
static uint64_t under_signals(void)
{
	struct itimerval it = { { 0, 3000 }, { 0, 3000 } };
	uint64_t now = 0;

	on_signal(SIGALRM, tick, SA_RESTART);
	NEED(setitimer(ITIMER_REAL, &it, NULL) == 0);
	while (ticks < 20)
		now = __rdtsc();
	memset(&it, 0, sizeof(it));
	NEED(setitimer(ITIMER_REAL, &it, NULL) == 0);
	SHOW(ticks >= 20);
	return now;
}

int main(void)
{
	unsigned aux;
	uint64_t last = __rdtsc();
	int back = 0;
	char name[32];

	for (int i = 0; i < 1000; i++) {
		uint64_t now = i % 2 ? __rdtsc() : __rdtscp(&aux);

		back += now < last;
		last = now;
	}
	SHOW(back);
	last = under_signals();
	/* The name differs from run to run; all variants must ask for the same one. */
	snprintf(name, sizeof(name), "t%llx", (unsigned long long)last);
	OUTCOME(access(name, F_OK));
	return 0;
}
