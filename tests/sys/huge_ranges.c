/* Ranges up to and over the end of the address space: the kernel refuses to unmap them, and nothing is lost. */
#include <sys/mman.h>
#include "check.h"

#define PAGE 4096ul
#define END ((1ul << 47) - PAGE)

static char kept[2 * PAGE] __attribute__((aligned(4096))) = "kept";

static void unmaps(unsigned long from, unsigned long len)
{
	SHOW(munmap((void *)from, len) ? errno : 0);
	NEED(!strcmp(kept, "kept"));
}

static void advises(unsigned long from, unsigned long len)
{
	SHOW(madvise((void *)from, len, MADV_WILLNEED) ? errno : 0);
}

int main(void)
{
	static const unsigned long lens[] = { -1ul, -PAGE, -2 * PAGE, 1ul << 63, END + 1, END + PAGE, END + 2 * PAGE };
	unsigned long at = (unsigned long)kept;

	for (unsigned i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		unmaps(0, lens[i]);
		unmaps(at, lens[i]);
		unmaps(at + 1, lens[i]);
		advises(at, lens[i]);
		advises(0, lens[i]);
	}
	unmaps(END, PAGE);
	unmaps(END - PAGE, 2 * PAGE);
	unmaps(0, 0);
	return 0;
}
