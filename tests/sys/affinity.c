/* The CPUs a program may use stay what they were, however many calls it makes, and it may choose among them. */
#include <sched.h>
#include <sys/syscall.h>
#include "check.h"

int main(void)
{
	cpu_set_t before, after, one;

	NEED(sched_getaffinity(0, sizeof(before), &before) == 0);
	for (int i = 0; i < 10000; i++)
		syscall(SYS_getppid);
	NEED(sched_getaffinity(0, sizeof(after), &after) == 0);
	SHOW(CPU_EQUAL(&before, &after));
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE && !CPU_COUNT(&one); cpu++)
		if (CPU_ISSET(cpu, &before))
			CPU_SET(cpu, &one);
	SHOW(sched_setaffinity(0, sizeof(one), &one));
	for (int i = 0; i < 10000; i++)
		syscall(SYS_getppid);
	NEED(sched_getaffinity(0, sizeof(after), &after) == 0);
	SHOW(CPU_EQUAL(&one, &after));
	return 0;
}
