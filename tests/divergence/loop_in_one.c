/* The variant in the lowest slice of all loops without a call, as soon as the others have gone on. */
#include "slice.h"

int main(void)
{
	for (unsigned i = 0; i < SLICES; i++) {
		while (slice() == i)
			;
		syscall(SYS_getppid);
	}
	return 0;
}
