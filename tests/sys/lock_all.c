/* All memory is locked, now and later: it takes no more memory than the program's, and the flags are judged. */
#include "check.h"

#define SIZE (4ul << 20)

static long resident_mib(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	NEED(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	fclose(f);
	return kib / 1024;
}

static int resident_pages(const char *p)
{
	static unsigned char there[SIZE / 4096];
	int n = 0;

	NEED(mincore((void *)p, SIZE, there) == 0);
	for (unsigned i = 0; i < sizeof(there); i++)
		n += there[i] & 1;
	return n;
}

static char *map(void)
{
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(p != MAP_FAILED);
	return p;
}

int main(void)
{
	if (geteuid()) {
		puts("needs root, whose memory may be locked without a limit");
		return 77;
	}
	OUTCOME(mlockall(0));
	OUTCOME(mlockall(MCL_ONFAULT));
	OUTCOME(mlockall(MCL_CURRENT | 64));
	OUTCOME(mlockall(MCL_CURRENT));
	SHOW(resident_mib() < 100);
	SHOW(resident_pages(map()));
	OUTCOME(mlockall(MCL_CURRENT | MCL_FUTURE));
	SHOW(resident_pages(map()));
	OUTCOME(mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
	SHOW(resident_pages(map()));
	OUTCOME(munlockall());
	SHOW(resident_pages(map()));
	SHOW(resident_mib() < 100);
	return 0;
}
