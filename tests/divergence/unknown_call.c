/* A call that no kernel has: nothing of it may run, and nothing after it. */
#include "slice.h"

int main(void)
{
	puts("before");
	fflush(stdout);
	syscall(511, 1, 2, 3);
	puts("after");
	return 0;
}
