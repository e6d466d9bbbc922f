/* Half of the address space's variants make a sensitive call from the monitor's gate, past the engine. */
#include <sys/mman.h>
#include "monitor.h"
#include "slice.h"

int main(int argc, char **argv)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *const args[] = { "true", NULL };

	(void)argc;
	monitor_block();
	if (slice() < SLICES / 2 || !strcmp(argv[2], "all")) {
		if (!strcmp(argv[1], "mprotect"))
			from_gate(SYS_mprotect, page, PAGE, PROT_READ | PROT_EXEC, 0, NULL);
		else if (!strcmp(argv[1], "mmap"))
			from_gate(SYS_mmap, NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, NULL);
		else
			from_gate(SYS_execve, "/bin/true", (long)args, (long)environ, 0, NULL);
	}
	printf("%s made\n", argv[1]);
	return 0;
}
