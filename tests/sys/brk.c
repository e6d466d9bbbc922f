/* brk and sbrk: growth, contents, shrinking, refusal, and malloc on top. */
/* test: layouts */
#include "check.h"

int main(void)
{
	char *start = sbrk(0), *p;
	long now = syscall(SYS_brk, 0);

	SHOW(now == (long)start);
	p = sbrk(100000);
	SHOW(p == start);
	memset(p, 3, 100000);
	SHOW((char *)sbrk(0) - start);
	SHOW(brk(start + 10));
	SHOW((char *)sbrk(0) - start);
	SHOW(brk(start + 500000));
	SHOW(p[5]);
	SHOW(p[400000]);
	SHOW(brk(start));
	SHOW(syscall(SYS_brk, 1) == (long)start);
	OUTCOME(brk((void *)(uintptr_t)-4096));
	void *blocks[100];
	for (int i = 0; i < 100; i++) {
		blocks[i] = malloc((size_t)i * 1000 + 1);
		memset(blocks[i], i, (size_t)i * 1000 + 1);
	}
	int wrong = 0;
	for (int i = 0; i < 100; i++) {
		wrong += ((char *)blocks[i])[i * 1000] != i;
		free(blocks[i]);
	}
	SHOW(wrong);
	return 0;
}
