/* The three calls of the vsyscall page, which programs of before 2012 have built in, also under signals. */
#include "check.h"

static const long page = (long)0xffffffffff600000;

static int vgettimeofday(struct timeval *tv, struct timezone *tz)
{
	return ((int (*)(struct timeval *, struct timezone *))page)(tv, tz);
}

static long vtime(long *t)
{
	return ((long (*)(long *))(page + 0x400))(t);
}

static long vgetcpu(unsigned *cpu, unsigned *node)
{
	return ((long (*)(unsigned *, unsigned *, void *))(page + 0x800))(cpu, node, NULL);
}

static bool there(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;

	NEED(maps);
	while (fgets(line, sizeof(line), maps))
		found |= strstr(line, "xp ") && strstr(line, "[vsyscall]");
	fclose(maps);
	return found;
}

static volatile sig_atomic_t ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

/* The number differs from run to run; all variants must ask for the same name. */
static void tell(const char *what, unsigned long long number)
{
	char name[64];

	snprintf(name, sizeof(name), "%s-%llx", what, number);
	if (access(name, F_OK) == 0)
		printf("%s is there\n", name);
}

static void under_signals(void)
{
	struct itimerval it = { { 0, 3000 }, { 0, 3000 } };
	struct timeval now, last = { 0, 0 };
	int odd = 0;

	on_signal(SIGALRM, tick, SA_RESTART);
	NEED(setitimer(ITIMER_REAL, &it, NULL) == 0);
	for (int i = 0; i < 2000 || ticks < 20; i++) {
		odd += vgettimeofday(&now, NULL) != 0 || timercmp(&now, &last, <);
		last = now;
	}
	memset(&it, 0, sizeof(it));
	NEED(setitimer(ITIMER_REAL, &it, NULL) == 0);
	SHOW(odd);
	SHOW(ticks >= 20);
	tell("usec", (unsigned long long)last.tv_usec);
}

static int bad_pointer(void)
{
	vtime((long *)16);
	return 0;
}

int main(void)
{
	struct timeval tv = { 0, 0 };
	struct timezone tz = { -1, -1 };
	unsigned cpu = ~0u, node = ~0u;
	long t = 0;

	if (!there()) {
		puts("the kernel has no vsyscall page");
		return 77;
	}
	SHOW(vgettimeofday(&tv, &tz));
	SHOW(labs(tv.tv_sec - time(NULL)) <= 1);
	SHOW(tz.tz_minuteswest);
	tell("usec", (unsigned long long)tv.tv_usec);
	SHOW(vgettimeofday(NULL, NULL));
	SHOW(vtime(&t) == t);
	SHOW(labs(vtime(NULL) - time(NULL)) <= 1);
	SHOW(vgetcpu(&cpu, &node));
	SHOW(cpu < 4096 && node < 4096);
	tell("cpu", cpu);
	under_signals();
	reap("bad pointer", spawn(bad_pointer));
	return 0;
}
