/* The program itself dies by SIGABRT. */
#include "check.h"

int main(void)
{
	puts("about to abort");
	abort();
}
