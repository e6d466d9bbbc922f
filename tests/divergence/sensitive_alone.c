/*
 * A call from the monitor's gate, past the engine: WHO NUMBER ARGUMENT...  WHO is all; some, variants in half of the address
 * space; or again, those too, when all have made the call as they should.  ARGUMENT is a number, page, parent, true or args.
 */
#include <sys/mman.h>
#include "monitor.h"
#include "slice.h"

static char *page;

static long argument(const char *word)
{
	static char *const args[] = { "true", NULL };

	if (!word)
		return 0;
	if (!strcmp(word, "page"))
		return (long)page;
	if (!strcmp(word, "parent"))
		return getppid();
	if (!strcmp(word, "args"))
		return (long)args;
	return strcmp(word, "true") ? (long)strtoul(word, NULL, 0) : (long)"/bin/true";
}

int main(int argc, char **argv)
{
	long nr, a[5] = { 0 };

	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	monitor_block();
	if (argc < 3)
		return 99;
	nr = argument(argv[2]);
	for (int i = 3; i < argc && i < 8; i++)
		a[i - 3] = argument(argv[i]);
	if (!strcmp(argv[1], "again"))
		syscall(nr, a[0], a[1], a[2], a[3], a[4]);
	if (slice() < SLICES / 2 || !strcmp(argv[1], "all"))
		from_gate(nr, (void *)a[0], a[1], a[2], a[3], (void *)a[4]);
	puts("made");
	return 0;
}
