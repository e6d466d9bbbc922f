/* printf's own notation of code and heap addresses, whose length may differ. */
#include "slice.h"

int main(void)
{
	printf("%p %p\n", (void *)(uintptr_t)main, malloc(100));
	return 0;
}
