/* A program started with a stack of 64 KiB. */
/* test: layouts */
#include <sys/resource.h>
#include "check.h"

static int recurse(int n)
{
	volatile char frame[100];

	frame[0] = 1;
	return n == 0 ? 0 : recurse(n - 1) + frame[0];
}

int main(int argc, char **argv)
{
	struct rlimit small = { 65536, 65536 };

	if (argc == 1) {
		NEED(setrlimit(RLIMIT_STACK, &small) == 0);
		execl(argv[0], argv[0], "again", NULL);
		return 98;
	}
	NEED(getrlimit(RLIMIT_STACK, &small) == 0);
	SHOW(small.rlim_cur);
	SHOW(recurse(150));
	return system("echo child too");
}
