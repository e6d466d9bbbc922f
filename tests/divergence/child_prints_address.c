/* A grandchild leaks an address while its ancestors wait. */
#include <sys/wait.h>
#include "slice.h"

int main(void)
{
	for (int i = 0; i < 2; i++) {
		if (fork() > 0) {
			wait(NULL);
			pause();
		}
	}
	printf("address %016lx\n", (unsigned long)stack_address());
	return 0;
}
