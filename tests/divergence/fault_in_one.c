/* The variant in the lowest slice of all dereferences NULL while the others go on. */
#include "slice.h"

int main(void)
{
	int *volatile null = NULL;

	for (unsigned i = 0; i < SLICES; i++) {
		if (slice() == i)
			*null = 1;
		syscall(SYS_getppid);
	}
	return 0;
}
