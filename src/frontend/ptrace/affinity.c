/*
 * Where the variants and the supervisor run.  A system call is a chain: the leader stops, the supervisor wakes, the leader
 * goes on, a follower stops ...  Across CPUs every link wakes an idle CPU, which takes 50 us on virtual machines; on one
 * CPU it is a switch of 7 us.  So while calls come thick and fast all run on one CPU, and while the program computes they
 * run where the kernel puts them.  The program does not see it: sched_getaffinity shows what it would show natively.
 */
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pt.h"

#define TOGETHER 800	/* stops in a tick from which on all run on one CPU ... */
#define APART 200	/* ... and below which they are let go */

void pt_affinity_start(struct pt *pt)
{
	pt->spread = sched_getaffinity(0, sizeof(pt->cpus), &pt->cpus) || CPU_COUNT(&pt->cpus) < 2;
}

/* All threads but one. */
static void place(struct pt *pt, const cpu_set_t *cpus, pid_t but)
{
	sched_setaffinity(0, sizeof(*cpus), cpus);
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next)
		if (t->tid != but)
			sched_setaffinity(t->tid, sizeof(*cpus), cpus);
}

void pt_affinity_tick(struct pt *pt)
{
	unsigned stops = pt->stops;
	unsigned cpu;

	pt->stops = 0;
	if (pt->gathered && (stops < APART || pt->spread)) {
		pt->gathered = false;
		place(pt, &pt->cpus, 0);
	} else if (!pt->gathered && stops >= TOGETHER && !pt->spread && !syscall(SYS_getcpu, &cpu, NULL, NULL)) {
		cpu_set_t one;

		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		pt->gathered = true;
		place(pt, &one, 0);
	}
}

void pt_affinity_call(struct pt_task *t, int64_t result)
{
	struct pt *pt = t->pt;
	size_t n = result > 0 ? (size_t)result : 0;
	pid_t of = (pid_t)t->call.args[0];

	if (t->variant)
		return;
	/* A program that places its threads itself is left alone from then on. */
	if (t->call.nr == SYS_sched_setaffinity && !result) {
		if (pt->gathered)
			place(pt, &pt->cpus, of ? of : t->tid);
		pt->spread = true;
		pt->gathered = false;
	}
	if (t->call.nr == SYS_sched_getaffinity && n && pt->gathered && (!of || pt_task_find(pt, of)))
		pt_poke(t, t->call.args[2], &pt->cpus, n < sizeof(pt->cpus) ? n : sizeof(pt->cpus));
}
