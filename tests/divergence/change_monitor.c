/* A way to change the monitor's memory by calls from its own gate: which, the argument says. */
#include <linux/mman.h>
#include <sys/mman.h>
#include "monitor.h"

/* In the gap behind the image, which begins with the gate. */
#define GAP 0x3b0000
#define GAP_LEN 0x20000

int main(int argc, char **argv)
{
	char *block = (char *)((uintptr_t)monitor_block() & ~(PAGE - 1)), *text = (char *)((uintptr_t)gate_call() & ~(PAGE - 1));
	char *own = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const char *how = argc > 1 ? argv[1] : "";
	long r = 1;

	if (!strcmp(how, "munmap"))
		r = from_gate(SYS_munmap, block, PAGE, 0, 0, NULL);
	else if (!strcmp(how, "munmap_all"))
		r = from_gate(SYS_munmap, NULL, (long)((1ul << 47) - PAGE), 0, 0, NULL);
	else if (!strcmp(how, "mprotect"))
		r = from_gate(SYS_mprotect, text, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, 0, NULL);
	else if (!strcmp(how, "pkey_mprotect"))
		r = from_gate(SYS_pkey_mprotect, text, PAGE, PROT_READ | PROT_WRITE, -1, NULL);
	else if (!strcmp(how, "madvise"))
		r = from_gate(SYS_madvise, block, PAGE, MADV_DONTNEED, 0, NULL);
	else if (!strcmp(how, "mremap"))
		r = from_gate(SYS_mremap, block, PAGE, 2 * PAGE, MREMAP_MAYMOVE, NULL);
	else if (!strcmp(how, "mremap_onto"))
		r = from_gate(SYS_mremap, own, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, text);
	else if (!strcmp(how, "mmap_over"))
		r = from_gate(SYS_mmap, text, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, (void *)-1);
	else if (!strcmp(how, "mmap_gap"))	/* where the boot agent was, calls would not stop */
		r = from_gate(SYS_mmap, text + GAP, GAP_LEN, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, (void *)-1);
	else if (!strcmp(how, "mremap_gap"))
		r = from_gate(SYS_mremap, own, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, text + GAP);
	else if (!strcmp(how, "mmap_over_by_call"))
		r = syscall(SYS_mmap, text, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == -1 ? -1 : 0;
	printf("%s: %ld\n", how, r);
	return 0;
}
