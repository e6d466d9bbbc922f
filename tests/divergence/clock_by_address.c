/* Each bit of an address decides which clock is asked about, through the vDSO. */
#include <time.h>
#include "slice.h"

__attribute__((noinline)) static int ask(uintptr_t bit)
{
	struct timespec ts;
	int r = clock_getres(bit ? CLOCK_REALTIME : CLOCK_MONOTONIC, &ts);

	__asm__ volatile("" : : "r"(&ts) : "memory");	/* no tail call: the function is to be in the backtrace */
	return r;
}

int main(void)
{
	uintptr_t address = stack_address();
	int r = 0;

	for (int bit = 4; bit < 47; bit++)
		r |= ask(address >> bit & 1);
	return r;
}
