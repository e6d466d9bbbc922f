/* A program gives memory back in an order that follows from its addresses; what it takes next is where it is in all variants. */
#include "check.h"

#define BLOCKS 24
#define SIZE (256ul << 10)

static unsigned hash(const void *p)
{
	return (unsigned)((uintptr_t)p % 1000003 % 97);
}

static int by_hash(const void *a, const void *b)
{
	unsigned x = hash(*(void *const *)a), y = hash(*(void *const *)b);

	return x < y ? -1 : x > y;
}

static char *take(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(p != MAP_FAILED);
	p[0] = p[size - 1] = 1;
	return p;
}

/* At a multiple of its size, as allocators do it: how much is given back at each end follows from where it is. */
static char *take_aligned(size_t size)
{
	char *p = take(2 * size), *at = (char *)(((uintptr_t)p + size - 1) & ~(size - 1));

	if (at != p)
		NEED(munmap(p, (size_t)(at - p)) == 0);
	NEED(munmap(at + size, (size_t)(p + size - at)) == 0);
	return at;
}

int main(void)
{
	char *blocks[BLOCKS], *big;
	int sum = 0;

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < BLOCKS; i++)
			blocks[i] = i % 3 ? take(SIZE) : take_aligned(SIZE);
		qsort(blocks, BLOCKS, sizeof(*blocks), by_hash);
		for (int i = 0; i < BLOCKS / 2; i++)
			NEED(munmap(blocks[i], SIZE) == 0);
		/* Now something else lies in holes that are not the same everywhere. */
		big = take_aligned(2 * SIZE);
		big[0] = 1;
		sum += big[0];
		for (int i = BLOCKS / 2; i < BLOCKS; i++)
			NEED(munmap(blocks[i], SIZE) == 0);
		NEED(munmap(big, 2 * SIZE) == 0);
	}
	SHOW(sum);
	OUTCOME(munmap(blocks[0], SIZE));	/* nothing is there */
	OUTCOME(munmap(blocks[0] + 1, SIZE));
	return 0;
}
