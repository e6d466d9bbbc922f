/* Addresses of all kinds go out: as they are in memory behind other bytes, in digits, or as the argument of a call. */
#include "slice.h"

int main(int argc, char **argv)
{
	void *addresses[] = { (void *)(uintptr_t)main, malloc(100), (void *)stack_address(), (void *)(uintptr_t)strtol };
	char out[200] = "abc";
	size_t n = 3 + sizeof(addresses);

	if (argc != 2)
		return 2;
	memcpy(out + 3, addresses, sizeof(addresses));
	if (!strcmp(argv[1], "digits"))
		n = (size_t)snprintf(out, sizeof(out), "id %015lu, at %012lx, %#zx\n", (unsigned long)addresses[1],
				     (unsigned long)addresses[2], sizeof(out));
	if (!strcmp(argv[1], "argument"))
		return lseek(0, (off_t)addresses[2], SEEK_SET) < 0;
	return write(1, out, n) != (ssize_t)n;
}
