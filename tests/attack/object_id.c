/* Clients are told an object's number, which is its address. */
#include "victim.h"

int main(void)
{
	static long object;
	long *id = &object;
	char request;

	ready("%ld", 0);
	read_all(&request, 1);
	if (write(1, &id, sizeof(id)) != sizeof(id))
		return 1;
	say("\nserved\n");
	return 0;
}
