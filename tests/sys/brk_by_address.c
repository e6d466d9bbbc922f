/* How much memory a program takes from the program break depends on an address, as with tables hashed by a seed drawn from one. */
#include <malloc.h>
#include "check.h"

#define BLOCKS 40

int main(void)
{
	uintptr_t seed = (uintptr_t)&seed;
	long wrong = 0, first = 0;

	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 64 << 10);
	for (unsigned round = 0; round < 20; round++) {
		char *blocks[BLOCKS];
		struct timespec now;

		for (unsigned i = 0; i < BLOCKS; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			blocks[i] = malloc(1000 + (seed >> 40) % 60000);
			NEED(blocks[i]);
			blocks[i][999] = (char)i;
			if (i % 10 == 5) {
				NEED(!clock_gettime(CLOCK_MONOTONIC, &now));
				if (!first)
					first = now.tv_nsec;
				printf("%d", now.tv_nsec < 0);
			}
		}
		for (unsigned i = 0; i < BLOCKS; i++) {
			wrong += blocks[i][999] != (char)i;
			free(blocks[i]);
		}
		/* All variants have seen the same clock. */
		NEED(write(open("/dev/null", O_WRONLY | O_CLOEXEC), &now, sizeof(now)) == sizeof(now));
	}
	SHOW(wrong);
	return 0;
}
