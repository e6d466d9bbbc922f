/* The program itself dies by SIGSEGV, in all variants alike. */
/* test: n1 */
#include "check.h"

int main(void)
{
	puts("about to fault");
	*(volatile int *)(uintptr_t)0 = 1;
	return 0;
}
