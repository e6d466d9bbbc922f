/* /proc/self/maps and what reads it: the stack, the heap and the code are where the program finds them. */
/* test: layouts */
#include <elf.h>
#include <pthread.h>
#include <sys/auxv.h>
#include "check.h"

static bool mapped(const void *p, const char *perms, const char *name)
{
	uintptr_t start;

	return is_mapped(p, perms, name, &start);
}

int main(void)
{
	static int variable;
	pthread_attr_t attr;
	void *stack;
	size_t size;
	int local;

	NEED(pthread_getattr_np(pthread_self(), &attr) == 0);
	NEED(pthread_attr_getstack(&attr, &stack, &size) == 0);
	SHOW((char *)&local >= (char *)stack && (char *)&local < (char *)stack + size);
	SHOW(mapped(&local, "rw-", NULL));
	SHOW(mapped((void *)(uintptr_t)main, "r-x", "proc_maps"));
	SHOW(mapped(&variable, "rw-", NULL));
	SHOW(mapped((void *)(uintptr_t)printf, "r-x", "libc"));
	SHOW(mapped(malloc(10), "rw-", NULL));
	SHOW(getauxval(AT_PAGESZ));
	SHOW(getauxval(AT_ENTRY) > getauxval(AT_PHDR));
	SHOW(mapped((void *)getauxval(AT_PHDR), "r--", "proc_maps"));
	SHOW(mapped((void *)getauxval(AT_RANDOM), "rw-", NULL));
	puts(strrchr((char *)getauxval(AT_EXECFN), '/'));
	SHOW(getauxval(AT_UID) == getuid());
	SHOW(getauxval(AT_SECURE));
	return 0;
}
