/* What is sent is taken for a format: to answer with (r), or for a line of a log that nobody reads (w). */
#include "victim.h"

static long is_admin;
static char line[4096];

int main(void)
{
	char kind, text[256] = "";
	int n;

	ready("%ld", 0);
	read_all(&kind, 1);
	receive(text);
	n = snprintf(line, sizeof(line), text, 1, 2, 3, 4, 5);
	if (kind == 'r' && n > 0 && write(1, line, (size_t)n) < 0)
		return 1;
	if (is_admin)
		win();
	say("\nserved\n");
	return 0;
}
