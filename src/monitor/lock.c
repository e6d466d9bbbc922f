/*
 * Waiting: for the monitor's lock, for other threads of the run.
 */
#include "monitor/monitor.h"

#define NR_FUTEX 202
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129

static void pause(void)
{
	__builtin_ia32_pause();
}

/* 0 = free, 1 = held, 2 = held and waited for */
void mon_lock(void)
{
	uint32_t is = 0;

	if (__atomic_compare_exchange_n(&mon.lock, &is, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(&mon.lock, 2, __ATOMIC_ACQUIRE))
		mon_kernel(NR_FUTEX, (uint64_t)&mon.lock, FUTEX_WAIT_PRIVATE, 2, 0, 0);
}

void mon_unlock(void)
{
	if (__atomic_exchange_n(&mon.lock, 0, __ATOMIC_RELEASE) == 2)
		mon_kernel(NR_FUTEX, (uint64_t)&mon.lock, FUTEX_WAKE_PRIVATE, 1, 0, 0);
}

void mon_wait_word(uint32_t *word, uint32_t while_value)
{
	for (unsigned i = 0; __atomic_load_n(word, __ATOMIC_ACQUIRE) == while_value; i++) {
		if (i < 100)
			pause();
		else
			mon_kernel(NR_FUTEX, (uint64_t)word, FUTEX_WAIT_PRIVATE, while_value, 0, 0);
	}
}

void mon_wait(struct mon_thread *m, unsigned *rounds)
{
	struct { int64_t sec, nsec; } nap = { 0, 50000 };

	(void)m;
	mon_unlock();
	if (++*rounds < mon.spin)
		pause();
	else
		mon_kernel(35, (uint64_t)&nap, 0, 0, 0, 0);	/* nanosleep */
	mon_lock();
}
