/* mremap: growing in place or not, shrinking, fixed targets, errors. */
/* test: layouts */
#include "check.h"

int main(void)
{
	size_t page = 4096;
	char *p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q, *wall;

	NEED(p != MAP_FAILED);
	for (int i = 0; i < 4; i++)
		p[i * (int)page] = (char)('a' + i);
	q = mremap(p, 4 * page, 2 * page, 0);
	SHOW(q == p);
	wall = mmap(p + 2 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	NEED(wall == p + 2 * page);
	OUTCOME(mremap(p, 2 * page, 8 * page, 0));
	q = mremap(p, 2 * page, 8 * page, MREMAP_MAYMOVE);
	NEED(q != MAP_FAILED);
	SHOW(q != p);
	SHOW(q[0]);
	SHOW(q[page]);
	SHOW(q[7 * page]);
	p = mmap(NULL, 8 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SHOW(mremap(q, 8 * page, 4 * page, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
	SHOW(p[page]);
	OUTCOME(mremap(q, 8 * page, 4 * page, MREMAP_MAYMOVE));
	OUTCOME(mremap(p + 1, page, page, 0));
	for (int i = 1; i < 40; i++) {
		p = realloc(i == 1 ? NULL : p, (size_t)i * 300000);
		NEED(p);
		p[i * 300000 - 1] = (char)i;
		NEED(i == 1 || p[(i - 1) * 300000 - 1] == i - 1);
	}
	free(p);
	puts("realloc done");
	return 0;
}
