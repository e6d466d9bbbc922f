/* A file named by an address. */
#include <fcntl.h>
#include "slice.h"

int main(void)
{
	char name[64];

	snprintf(name, sizeof(name), "file-%016lx", (unsigned long)stack_address());
	return open(name, O_RDWR | O_CREAT, 0600) < 0;
}
