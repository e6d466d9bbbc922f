/*
 * An allocator that looks addresses up in a radix tree, as CPython's (a leaf per 16 GiB), Go's and tcmalloc's do, maps a node
 * when memory first lies in another part of the address space: how often and when must not depend on the variant.
 */
#include "check.h"

#define CHUNK (1UL << 30)
#define CHUNKS 48
#define NODE 135168

static void *map(size_t len, int prot)
{
	void *p = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	NEED(p != MAP_FAILED);
	return p;
}

int main(void)
{
	void *chunks[CHUNKS];

	for (int bits = 30; bits <= 36; bits++) {
		uintptr_t part = 0;
		int nodes = 0;

		for (int i = 0; i < CHUNKS; i++) {
			chunks[i] = map(CHUNK, PROT_NONE);
			if ((uintptr_t)chunks[i] >> bits != part)
				*(int *)map(NODE, PROT_READ | PROT_WRITE) = ++nodes;
			part = (uintptr_t)chunks[i] >> bits;
		}
		SHOW(nodes > 0);
		for (int i = 0; i < CHUNKS; i++)
			NEED(munmap(chunks[i], CHUNK) == 0);
	}
	return 0;
}
