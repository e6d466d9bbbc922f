/* Small calls about the system, the scheduler and identity. */
#include <sched.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include "check.h"

int main(void)
{
	struct utsname u;
	struct sysinfo si;
	struct sched_param sp;
	cpu_set_t cpus;
	unsigned cpu;
	gid_t groups[64];
	uid_t r, e, s;
	struct tms t;

	NEED(uname(&u) == 0);
	puts(u.sysname);
	puts(u.machine);
	NEED(sysinfo(&si) == 0);
	SHOW(si.totalram > 0);
	NEED(sched_getaffinity(0, sizeof(cpus), &cpus) == 0);
	SHOW(CPU_COUNT(&cpus) == get_nprocs());
	NEED(getcpu(&cpu, NULL) == 0);
	SHOW(cpu < 1024);
	SHOW(sched_yield());
	SHOW(sched_getscheduler(0));
	SHOW(sched_getparam(0, &sp));
	SHOW(getgroups(64, groups) >= 0);
	NEED(getresuid(&r, &e, &s) == 0);
	SHOW(r == getuid() && e == geteuid());
	SHOW(setuid(getuid()));
	SHOW(setgid(getgid()));
	SHOW(times(&t) > 0);
	SHOW(sysconf(_SC_PAGESIZE));
	SHOW(getpagesize());
	return 0;
}
