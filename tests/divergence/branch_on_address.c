/* Each bit of an address decides which of two calls is made. */
#include "slice.h"

int main(void)
{
	uintptr_t address = stack_address();

	for (int bit = 4; bit < 47; bit++)
		syscall(address >> bit & 1 ? SYS_getuid : SYS_getgid);
	return 0;
}
