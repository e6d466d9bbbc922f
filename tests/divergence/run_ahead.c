/*
 * A variant in the lower half of the address space is late, and its write differs from the others'.  The others make as many
 * more writes as the argument says, of other lengths, and wait for it at an exec.
 */
#include <fcntl.h>
#include "slice.h"

int main(int argc, char **argv)
{
	int more = argc > 1 ? atoi(argv[1]) : 0;
	int low = slice() < SLICES / 2;
	char bytes[100] = "same";

	dup2(open("/dev/null", O_WRONLY), 99);
	if (low) {
		bytes[0] = 'S';
		for (volatile long i = 0; i < 200 * 1000 * 1000; i++)
			;
	}
	syscall(SYS_write, 99, bytes, 4);
	bytes[0] = 's';
	for (int i = 0; i < more; i++)
		syscall(SYS_write, 99, bytes, 5 + i);
	execl("/bin/true", "true", NULL);
	return 1;
}
