/* An index from outside is not checked: a number can be written anywhere near the table.  Built with lazy binding. */
#include "victim.h"

static long table[8] = { 1 };

int main(void)
{
	long request[2];

	ready("%ld", 0);
	read_all(request, sizeof(request));
	table[request[0]] = request[1];
	puts("served");
	return 0;
}
