/* Text goes away, or becomes other text, after calls were made from it: its own page, a library's, the page a call is in. */
#include <dlfcn.h>
#include <link.h>
#include "own_calls.h"

static pid_t parent;

static void warm(void)
{
	for (int i = 0; i < 300; i++)
		NEED(own_getppid() == parent && own_short() == parent && getppid() == parent);
}

static int unmapped_by_copy(void)
{
	char *copy = copy_of_page(PROT_READ | PROT_EXEC);
	own_call_fn *call = (own_call_fn *)in_copy(copy, (const void *)own_call);
	int wrong = 0;

	parent = getppid();
	warm();
	SHOW(call(SYS_munmap, (const void *)own_getppid, PAGE, 0, 0));
	for (int i = 0; i < 300; i++)
		wrong += call(SYS_getppid, NULL, 0, 0, 0) != parent;
	SHOW(wrong);
	own_getppid();
	return 0;
}

static int unmaps_itself(void)
{
	parent = getppid();
	warm();
	own_call(SYS_munmap, (const void *)own_getppid, PAGE, 0, 0);
	return 0;
}

/* Other code at the same place: a trap at what was inside of a call site before is the program's. */
static volatile sig_atomic_t traps;

static void trapped(int sig)
{
	(void)sig;
	traps++;
}

static int replaced(void)
{
	static const unsigned char answer[] = { 0x48, 0xc7, 0xc0, 42, 0, 0, 0, 0xc3 };	/* mov $42, %rax; ret */
	unsigned char *page = (unsigned char *)own_getppid;

	parent = getppid();
	warm();
	on_signal(SIGTRAP, trapped, 0);
	NEED(mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page);
	memset(page, 0xcc, PAGE / 2);
	/* Traps all through what were two functions, each behind the last, then an answer. */
	memcpy(page + 128, answer, sizeof(answer));
	NEED(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0);
	SHOW(own_getppid());
	SHOW(traps);
	for (int i = 0; i < 200; i++)
		NEED(getppid() == parent);
	NEED(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
	memcpy(page, answer, sizeof(answer));
	NEED(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0);
	SHOW(own_getppid());
	return 0;
}

/* All of a library with calls in it is taken away at once, what lies between its segments too. */
static int library(void)
{
	void *lib = dlopen("libresolv.so.2", RTLD_NOW);
	struct link_map *map = NULL;

	parent = getppid();
	NEED(lib && dlinfo(lib, RTLD_DI_LINKMAP, &map) == 0);
	warm();
	NEED(dlclose(lib) == 0);
	lib = dlopen("libresolv.so.2", RTLD_NOW);
	NEED(lib);
	warm();
	SHOW(dlsym(lib, "ns_initparse") != NULL);
	return 0;
}

int main(void)
{
	reap("unmapped by a copy", spawn(unmapped_by_copy));
	reap("unmaps itself", spawn(unmaps_itself));
	reap("replaced", spawn(replaced));
	reap("library", spawn(library));
	return 0;
}
