/* When a program maps memory of its own, how much and what it gives back depends on addresses, as with caches hashed by them. */
#include <sys/mman.h>
#include "check.h"

#define PAGE 4096ul
#define BLOCKS 24

static void *map(size_t len)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(p != MAP_FAILED);
	p[len - 1] = 1;
	return p;
}

/* Blocks that some variants have and others have not, of sizes of their own; some of them grow and move. */
static void work(uintptr_t *seed)
{
	size_t len[BLOCKS] = { 0 };
	char *block[BLOCKS];

	for (unsigned i = 0; i < BLOCKS; i++) {
		struct timespec now;

		if (i % 6 == 5)
			printf(".");
		*seed = *seed * 6364136223846793005u + 1442695040888963407u;
		if (!(*seed >> 40 & 3))
			continue;
		len[i] = (1 + (*seed >> 48) % 700) * PAGE;
		block[i] = map(len[i]);
		if (*seed >> 43 & 1)
			NEED(!clock_gettime(*seed >> 44 & 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_THREAD_CPUTIME_ID, &now));
		if (*seed >> 45 & 1) {
			block[i] = mremap(block[i], len[i], len[i] + 9 * PAGE, MREMAP_MAYMOVE);
			NEED(block[i] != MAP_FAILED);
			NEED(block[i][len[i] - 1] == 1);
			len[i] += 9 * PAGE;
		}
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		NEED(!len[i] || !munmap(block[i], len[i]));
}

int main(void)
{
	uintptr_t seed = (uintptr_t)&seed;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	NEED(!setvbuf(stdout, NULL, _IONBF, 0));
	for (unsigned round = 0; round < 8; round++) {
		char *all = map(8 * PAGE), *moved;

		work(&seed);
		NEED(write(null, "x", 1) == 1);
		/* What all have is compared by its place among what all have. */
		NEED(!mprotect(all + 2 * PAGE, PAGE, PROT_READ));
		NEED(!mprotect(all + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE));
		moved = mremap(all, 8 * PAGE, 600 * PAGE, MREMAP_MAYMOVE);
		NEED(moved != MAP_FAILED);
		NEED(!mprotect(moved + 5 * PAGE, PAGE, PROT_NONE));
		NEED(!munmap(moved, 600 * PAGE));
	}
	printf("\n");
	return 0;
}
