/* Addresses in a pipe that this process has made: one "place" in all variants, one "elsewhere" in each, or the same place to "others". */
#include "slice.h"

int main(int argc, char **argv)
{
	char *block = malloc(100000), message[5003] = "";
	uintptr_t address = (uintptr_t)block;
	int ends[2];

	if (argc != 2 || pipe(ends))
		return 2;
	if (!strcmp(argv[1], "elsewhere"))
		address += slice();
	if (!strcmp(argv[1], "others"))
		ends[1] = STDOUT_FILENO;
	memcpy(message + 4990, &address, sizeof(address));
	return write(ends[1], message, sizeof(message)) != sizeof(message);
}
