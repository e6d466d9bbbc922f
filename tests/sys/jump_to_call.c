/* Calls are made by jumps to `syscall` instructions: of the program's own code, and of the C library, whose bytes are searched. */
#include <dlfcn.h>
#include "own_calls.h"

/* The first `syscall` behind where a function of the C library begins. */
static const unsigned char *find_call(const char *name)
{
	const unsigned char *p = dlsym(RTLD_DEFAULT, name);

	NEED(p);
	for (int i = 0; i < 64; i++)
		if (p[i] == 0x0f && p[i + 1] == 0x05)
			return p + i;
	return NULL;
}

int main(void)
{
	const unsigned char *early = find_call("getppid"), *late;
	pid_t parent = getppid();
	int wrong = 0;

	for (int i = 0; i < 500; i++) {
		wrong += own_getppid() != parent;
		wrong += jump_to(own_insn, SYS_getppid) != parent;
		wrong += own_short() != parent;
		wrong += jump_to(own_short_insn, SYS_getppid) != parent;
		wrong += own_call(SYS_getppid, NULL, 0, 0, 0) != parent;
		wrong += getppid() != parent;
	}
	SHOW(wrong);
	/* An address learned before is good after; a search may find less when the program is rewritten. */
	SHOW(early != NULL);
	SHOW(jump_to(early, SYS_getppid) == parent);
	SHOW(jump_to(early, SYS_getuid) == getuid());
	late = find_call("getppid");
	SHOW(!late || jump_to(late, SYS_getppid) == parent);
	return 0;
}
