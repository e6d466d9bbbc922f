/* How much memory a thread's allocator takes of what it has reserved depends on an address, as in brk_by_address. */
#include <malloc.h>
#include <pthread.h>
#include "check.h"

#define BLOCKS 40

static void *thread(void *arg)
{
	uintptr_t seed = (uintptr_t)&seed;

	for (unsigned round = 0; round < 20; round++) {
		char *blocks[BLOCKS];
		struct timespec now;

		for (unsigned i = 0; i < BLOCKS; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			blocks[i] = malloc(1000 + (seed >> 40) % (2000 * (round + 1)));
			NEED(blocks[i]);
			blocks[i][999] = (char)i;
			if (i % 10 == 5)
				NEED(!clock_gettime(CLOCK_MONOTONIC, &now));
		}
		for (unsigned i = 0; i < BLOCKS; i++) {
			NEED(blocks[i][999] == (char)i);
			free(blocks[i]);
		}
		/* All variants have seen the same clock. */
		NEED(write(*(int *)arg, &now, sizeof(now)) == sizeof(now));
	}
	return arg;
}

int main(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	pthread_t t;
	void *page;

	NEED(fd >= 0);
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);	/* else glibc asks once whether it may */
	NEED(pthread_create(&t, NULL, thread, &fd) == 0);
	NEED(pthread_join(t, NULL) == 0);

	page = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(page != MAP_FAILED);
	OUTCOME(mprotect(page, 4096, PROT_READ | PROT_WRITE));
	OUTCOME(mprotect(page, 8192, PROT_READ | PROT_EXEC));
	OUTCOME(mprotect(page, 1, 64));
	OUTCOME(munmap(page, 8192));
	return 0;
}
