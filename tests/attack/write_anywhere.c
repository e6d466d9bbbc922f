/*
 * A just-in-time compiler in small, with a page that is writable and executable.  A request stores a lump of bytes at a place that
 * the client names: an address (A), or a distance from the page's beginning (R).
 */
#include <sys/mman.h>
#include "victim.h"

int main(void)
{
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };	/* mov $42, %eax; ret */
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t where;
	int (*run)(void);
	char kind;

	if (page == MAP_FAILED)
		return 1;
	memcpy(page, code, sizeof(code));
	memcpy(page + 2048, "the page of the compiler", 24);
	memcpy(&run, &page, sizeof(run));
	ready("%ld", 0);
	read_all(&kind, 1);
	read_all(&where, sizeof(where));
	receive(kind == 'A' ? (char *)(uintptr_t)where : page + where);
	if (run() == 42)
		say("served\n");
	return 0;
}
