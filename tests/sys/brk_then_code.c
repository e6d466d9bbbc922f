/* A heap grows by lengths that depend on an address, and memory for code is mapped in between, as a compiler at run time does. */
#include <sys/mman.h>
#include "check.h"

int main(void)
{
	uintptr_t seed = (uintptr_t)&seed;
	const unsigned char give_7[] = { 0xb8, 7, 0, 0, 0, 0xc3 };
	long sum = 0;

	for (unsigned round = 0; round < 40; round++) {
		char *code;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		for (uintptr_t i = 0; i < round % 4; i++)
			NEED(sbrk((intptr_t)(1 + (seed >> 40) % 30) * 4096) != (void *)-1);
		code = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		NEED(code != MAP_FAILED);
		memcpy(code, give_7, sizeof(give_7));
		NEED(!mprotect(code, 8192, PROT_READ | PROT_EXEC));
		sum += ((int (*)(void))(uintptr_t)code)();
	}
	SHOW(sum);
	return 0;
}
