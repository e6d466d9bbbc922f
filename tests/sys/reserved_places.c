/* A table with an element for each piece of the address space, reserved as a whole, of which only what is needed is mapped. */
#include "check.h"

#define PIECE_SHIFT 22
#define TABLE_SIZE ((size_t)1 << (47 - PIECE_SHIFT))
#define PAGE 4096ul

static unsigned char *table;

/* Map the table's page for p, unless it is there. */
static unsigned char *element(const void *p)
{
	static uintptr_t pages[64];
	static int n;
	unsigned char *e = table + ((uintptr_t)p >> PIECE_SHIFT);
	uintptr_t page = (uintptr_t)e & ~(PAGE - 1);

	for (int i = 0; i < n; i++)
		if (pages[i] == page)
			return e;
	NEED(n < 64);
	NEED(mmap((void *)page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (void *)page);
	pages[n++] = page;
	return e;
}

int main(void)
{
	char *blocks[8], *counts;
	size_t used;

	table = mmap(NULL, TABLE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	NEED(table != MAP_FAILED);
	for (int i = 0; i < 8; i++) {
		blocks[i] = mmap(NULL, 4 << PIECE_SHIFT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		NEED(blocks[i] != MAP_FAILED);
		*element(blocks[i]) = (unsigned char)(i + 1);
	}
	for (int i = 0; i < 8; i++)
		SHOW(*element(blocks[i]));
	SHOW(*element(&table) == 0);

	/* What has been mapped is compared as ever, and can be changed. */
	unsigned char *page = (unsigned char *)((uintptr_t)element(blocks[0]) & ~(PAGE - 1));

	OUTCOME(mprotect(page, PAGE, PROT_READ));
	SHOW(*element(blocks[0]));
	OUTCOME(munmap(page, PAGE));

	/* From the start of another table up to the place that an address leads to: the length follows from the address, too. */
	counts = mmap(NULL, TABLE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	NEED(counts != MAP_FAILED);
	used = (((uintptr_t)blocks[3] >> PIECE_SHIFT) + PAGE) & ~(PAGE - 1);
	SHOW(mmap(counts, used, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == counts);
	counts[used - 1] = 7;
	SHOW(counts[used - 1] + counts[0]);
	OUTCOME(munmap(counts, TABLE_SIZE));
	OUTCOME(munmap(table, TABLE_SIZE));
	return 0;
}
