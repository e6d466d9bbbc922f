/* A leak: the address of a local variable goes to standard output, always with as many digits. */
#include "slice.h"

int main(void)
{
	printf("address %016lx\n", (unsigned long)stack_address());
	return 0;
}
