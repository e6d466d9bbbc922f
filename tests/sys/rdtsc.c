/* The time stamp counter moves on, and the random low bits of it are the same in all variants when printed as a parity. */
#include <x86intrin.h>
#include "check.h"

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
	/* The name differs from run to run; all variants must ask for the same one. */
	snprintf(name, sizeof(name), "t%llx", (unsigned long long)last);
	OUTCOME(access(name, F_OK));
	return 0;
}
