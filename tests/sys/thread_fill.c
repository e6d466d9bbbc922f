/*
 * test: timeout=120
 * A thread works in a small loop, or in one instruction, for longer than a wait would be given, while another one waits for
 * its turn: it may finish before anyone has looked at it, in one variant and not in the other.
 */
#include "turns.h"

static unsigned char memory[1 << 16];

static void *brief(void *arg)
{
	for (int i = 0; i < 20; i++)
		sleep_ms(50);
	return arg;
}

static void count(unsigned long n)
{
	__asm__ volatile ("1: dec %0; jnz 1b" : "+r" (n) : : "cc");
}

static void fill(unsigned long n)
{
	while (n--) {
		void *to = memory;
		unsigned long left = sizeof(memory);

		__asm__ volatile ("rep stosb" : "+D" (to), "+c" (left) : "a" (n) : "memory");
	}
}

int main(void)
{
	pthread_t t = begin(brief, 0);

	for (int i = 0; i < 3; i++) {
		count(900000000);
		fill(100000);
		SHOW(getppid() > 0);
	}
	NEED(pthread_join(t, NULL) == 0);
	SHOW(memory[0]);
	return 0;
}
