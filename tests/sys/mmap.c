/* mmap, munmap, mprotect, madvise: contents, holes, errors, fixed placement over one's own mapping. */
/* test: layouts heap */
#include "check.h"

int main(void)
{
	size_t page = 4096;
	char *p = mmap(NULL, 16 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;
	unsigned char vec[16];

	NEED(p != MAP_FAILED);
	SHOW(((uintptr_t)p & (page - 1)) == 0);
	memset(p, 1, 16 * page);
	SHOW(munmap(p + 4 * page, 4 * page));
	OUTCOME(mprotect(p, 16 * page, PROT_READ));
	SHOW(mmap(p + 4 * page, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	     p + 4 * page);
	SHOW(p[4 * page]);
	SHOW(p[3 * page]);
	OUTCOME(mmap(p + 4 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	SHOW(mmap(p + 6 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == p + 6 * page);
	SHOW(mprotect(p + 4 * page, page, PROT_NONE));
	OUTCOME(write(STDERR_FILENO, p + 4 * page, 1));
	SHOW(madvise(p, page, MADV_DONTNEED));
	SHOW(mprotect(p, page, PROT_READ | PROT_WRITE));
	SHOW(p[0]);
	SHOW(madvise(p + 8 * page, page, MADV_WILLNEED));
	SHOW(mincore(p + 8 * page, page, vec));
	OUTCOME(msync(p + 7 * page, page, MS_SYNC));
	OUTCOME(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	OUTCOME(mmap(NULL, page, PROT_READ, MAP_PRIVATE, 99, 0));
	OUTCOME(mmap(NULL, page, PROT_READ, MAP_ANONYMOUS, -1, 0));
	OUTCOME(munmap(p + 1, page));
	OUTCOME(munmap(p, 0));
	OUTCOME(mprotect(p + 1, page, PROT_READ));
	SHOW(munmap(p, 16 * page));
	SHOW(munmap(p, 16 * page));
	q = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	SHOW(q != MAP_FAILED);
	q = mmap(NULL, 1UL << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	NEED(q != MAP_FAILED);
	SHOW(mprotect(q + (1UL << 29), page, PROT_READ | PROT_WRITE));
	q[1UL << 29] = 7;
	SHOW(munmap(q, 1UL << 30));
	SHOW(mlock(vec, sizeof(vec)) <= 0);
	/* Code made at run time. */
	q = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(q, "\xb8\x2a\x00\x00\x00\xc3", 6);
	SHOW(mprotect(q, page, PROT_READ | PROT_EXEC));
	SHOW(((int (*)(void))(uintptr_t)q)());
	return 0;
}
