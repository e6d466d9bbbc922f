/* Blocks with alignments of more than a page that malloc takes from the program break move it alike in all variants. */
#include <malloc.h>
#include "check.h"

int main(void)
{
	char *start = sbrk(0);

	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	for (unsigned i = 0; i < 60; i++) {
		size_t align = (size_t)4096 << i % 9;
		void *p = NULL;

		NEED(!posix_memalign(&p, align, 5000 + i * 100));
		NEED((uintptr_t)p % align == 0);
	}
	SHOW((char *)sbrk(0) > start);
	return 0;
}
