/*
 * Where the variants and the supervisor run.  A system call is a chain: the leader stops, the supervisor wakes, the leader
 * goes on, a follower stops ...  Across CPUs every link wakes an idle CPU, which takes 50 us on virtual machines; on one
 * CPU it is a switch of 7 us.  So while calls come thick and fast all run on one CPU, and while the program computes they
 * run where the kernel puts them.  A run begins on one CPU: its start is calls.  The program does not see it:
 * sched_getaffinity shows what it would show natively.
 */
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pt.h"

#define TOGETHER 8	/* stops per ms from which on all run on one CPU ... */
#define APART 2		/* ... and below which they are let go */
#define WINDOW_MS 90	/* the shortest time over which stops are counted, but ... */
#define START_MS 15	/* ... at the start: a program that computes is soon let go */

/* All threads but one, and who helps them. */
static void place(struct pt *pt, const cpu_set_t *cpus, pid_t but)
{
	sched_setaffinity(0, sizeof(*cpus), cpus);
	for (unsigned v = 0; v < pt->nvariants; v++)
		if (pt->variants[v].init > 0)
			sched_setaffinity(pt->variants[v].init, sizeof(*cpus), cpus);
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next)
		if (t->tid != but)
			sched_setaffinity(t->tid, sizeof(*cpus), cpus);
}

static void gather(struct pt *pt)
{
	cpu_set_t one;
	unsigned cpu;

	if (syscall(SYS_getcpu, &cpu, NULL, NULL))
		return;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	pt->gathered = true;
	place(pt, &one, 0);
}

static void let_go(struct pt *pt, pid_t but)
{
	pt->gathered = false;
	place(pt, &pt->cpus, but);
}

void pt_affinity_start(struct pt *pt)
{
	pt->spread = sched_getaffinity(0, sizeof(pt->cpus), &pt->cpus) || CPU_COUNT(&pt->cpus) < 2;
	pt_now(&pt->counted);
	if (!pt->spread)
		gather(pt);
}

void pt_affinity_end(struct pt *pt)
{
	if (pt->gathered)
		let_go(pt, 0);
	pt->spread = true;
}

bool pt_affinity_settled(const struct pt *pt)
{
	return pt->windows >= 2;	/* the first is the loading of the program, which says nothing about what comes */
}

void pt_affinity_tick(struct pt *pt)
{
	long ms = pt_ms_since(&pt->counted), stops = pt->stops;

	if (ms < (pt_affinity_settled(pt) ? WINDOW_MS : START_MS))
		return;
	pt->windows++;
	pt->stops = 0;
	pt_now(&pt->counted);
	if (pt->gathered && stops < ms * APART)
		let_go(pt, 0);
	else if (!pt->gathered && !pt->spread && stops >= ms * TOGETHER)
		gather(pt);
}

void pt_affinity_call(struct pt_task *t, int64_t result)
{
	struct pt *pt = t->pt;
	size_t n = result > 0 ? (size_t)result : 0;
	pid_t of = (pid_t)t->call.args[0];

	if (!pt_leads(t))
		return;
	/* A program that places its threads itself is left alone from then on. */
	if (t->call.nr == SYS_sched_setaffinity && !result) {
		if (pt->gathered)
			let_go(pt, of ? of : t->tid);
		pt->spread = true;
	}
	if (t->call.nr == SYS_sched_getaffinity && n && pt->gathered && (!of || pt_task_find(pt, of)))
		pt_poke(t, t->call.args[2], &pt->cpus, n < sizeof(pt->cpus) ? n : sizeof(pt->cpus));
}
