/*
 * Mappings at fixed addresses near the C library's text, wherever nothing is that the program knows of: calls go on, also in
 * children, under signals, and when the mappings are gone.
 */
/* test: layouts corners */
#include <dlfcn.h>
#include "check.h"

#define SIZE (1980ul << 20)
#define NEAR (64ul << 20)
#define PAGE 4096ul

static struct { uintptr_t start, end; } mappings[256];
static unsigned nmappings;

static void read_maps(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	NEED(maps);
	for (; fgets(line, sizeof(line), maps); nmappings++)
		NEED(nmappings < 256 && sscanf(line, "%lx-%lx", &mappings[nmappings].start, &mappings[nmappings].end) == 2);
	fclose(maps);
}

static bool is_free(uintptr_t start)
{
	for (unsigned i = 0; i < nmappings; i++)
		if (mappings[i].start < start + SIZE && mappings[i].end > start)
			return false;
	return true;
}

/* Below the text; where something lies there, further below.  All variants make the same calls, whatever is where. */
static char *place(void)
{
	uintptr_t text = (uintptr_t)dlsym(RTLD_DEFAULT, "getppid") & ~((1ul << 20) - 1), start = text - NEAR - SIZE;

	while (!is_free(start))
		start -= SIZE;
	return (char *)start;
}

static volatile sig_atomic_t ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

static int calls_work(void)
{
	pid_t parent = getppid();
	int wrong = 0;

	for (int i = 0; i < 1000; i++) {
		wrong += getppid() != parent;
		wrong += syscall(SYS_getppid) != parent;
		wrong += access("/", F_OK) != 0;
		wrong += lseek(-1, 0, SEEK_CUR) != -1 || errno != EBADF;
	}
	return wrong;
}

/*
 * What is mapped there is the program's: nobody writes to it.  All pages that somebody has touched, and some others: half a
 * million faults take ten seconds on some virtual machines.
 */
static bool untouched(const char *start)
{
	static unsigned char there[SIZE / PAGE];
	uint64_t sum = 0;

	NEED(mincore((void *)(uintptr_t)start, SIZE, there) == 0);
	for (size_t page = 0; page < SIZE / PAGE; page++) {
		if (page % 16 && !(there[page] & 1))
			continue;
		for (size_t i = 0; i < PAGE; i += 16)
			sum |= *(const uint64_t *)(const void *)(start + page * PAGE + i);
	}
	return sum == 0;
}

int main(void)
{
	char *start;

	read_maps();
	start = place();
	on_signal(SIGUSR1, tick, 0);
	SHOW(calls_work());
	NEED(mmap(start, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == start);
	SHOW(calls_work());
	reap("child", spawn(calls_work));
	raise(SIGUSR1);
	SHOW(ticks);
	NEED(mprotect(start, SIZE, PROT_READ | PROT_WRITE) == 0);
	SHOW(calls_work());
	SHOW(untouched(start));
	NEED(munmap(start, SIZE) == 0);
	SHOW(calls_work());
	reap("child", spawn(calls_work));
	return 0;
}
