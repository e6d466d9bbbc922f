/*
 * Where followers run while calls that all variants meet at come thick and fast.  Each such call is a hand-over to the
 * followers and one back.  Where every variant has a CPU of its own both are a short spin.  Where they have not (a server's
 * client runs here, too) they are sleeps, and who is woken waits for a CPU that somebody else has, while his own idles.
 * Then it is faster to have a follower on its leader's CPU: a hand-over is one switch, and the others keep their CPU.
 *
 * Which it is shows by trial: for one window the followers join their leaders, or part from them, and where more meetings came
 * to pass they stay.  A trial that changed nothing makes the next one come later.  Leaders are left alone, so the program
 * sees nothing of it.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include "inproc.h"

#define WINDOW_MS 90		/* the shortest time over which meetings are counted */
#define OFTEN 2			/* meetings a millisecond from which on it matters ... */
#define SELDOM 1		/* ... and below which it does not */
#define BETTER 1.1		/* so much faster is worth a change */
#define PATIENCE_MS 1000	/* from one trial to the next ... */
#define PATIENCE_MAX_MS 32000	/* ... when nothing has changed for long */

/* The CPU a thread runs on, or ran on last; -1 = unknown. */
static int runs_on(pid_t tid)
{
	char path[64], text[1024], *p;
	FILE *f;
	size_t n;
	int cpu;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	p = strrchr(text, ')');
	/* It is field 39; the name is the second. */
	for (unsigned field = 2; p && field < 39; field++)
		p = strchr(p + 1, ' ');
	return p && sscanf(p, " %d", &cpu) == 1 ? cpu : -1;
}

static void join(struct pt *pt)
{
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next) {
		int cpu = pt_leads(t) ? runs_on(t->tid) : -1;
		cpu_set_t one;

		if (cpu < 0 || cpu >= CPU_SETSIZE)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		for (unsigned v = 0; v < pt->nvariants; v++) {
			struct pt_task *twin = v == t->variant ? NULL : pt_task_twin(pt, v, t->id);

			if (twin)
				sched_setaffinity(twin->tid, sizeof(one), &one);
		}
	}
}

static void part(struct pt *pt)
{
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next)
		if (!pt_leads(t))
			sched_setaffinity(t->tid, sizeof(pt->cpus), &pt->cpus);
}

static enum in_do settle(struct in_company *c, long now, enum in_together state, long patience, enum in_do what)
{
	c->state = state;
	c->patience = patience < PATIENCE_MAX_MS ? patience : PATIENCE_MAX_MS;
	c->settled = now;
	return what;
}

/* Nothing has been gained by a trial: as before. */
static enum in_do undo(struct in_company *c, long now)
{
	bool joined = c->state == IN_JOINING;
	long patience = c->patience ? c->patience * 2 : PATIENCE_MS;

	return settle(c, now, joined ? IN_APART : IN_JOINED, patience, joined ? IN_PART : IN_JOIN);
}

enum in_do in_company_next(struct in_company *c, long now, double rate)
{
	bool due = now - c->settled >= c->patience;

	switch (c->state) {
	case IN_APART:
		if (rate < OFTEN || !due)
			break;
		c->rate = rate;
		c->state = IN_JOINING;
		return IN_JOIN;
	case IN_JOINED:
		if (rate < SELDOM)
			return settle(c, now, IN_APART, 0, IN_PART);
		if (!due)
			return IN_JOIN;		/* leaders move, and there are new threads */
		c->rate = rate;
		c->state = IN_PARTING;
		return IN_PART;
	case IN_JOINING:
		return rate > c->rate * BETTER ? settle(c, now, IN_JOINED, PATIENCE_MS, IN_JOIN) : undo(c, now);
	case IN_PARTING:
		return rate > c->rate * BETTER ? settle(c, now, IN_APART, PATIENCE_MS, IN_STAY) : undo(c, now);
	}
	return IN_STAY;
}

void in_company_tick(struct pt *pt)
{
	struct in_company *c = &pt->inproc->company;
	uint64_t meetings = mv_run_meetings(pt->run);
	long ms = pt_ms_since(&c->counted), now = c->counted.tv_sec * 1000 + c->counted.tv_nsec / 1000000 + ms;

	if (ms < WINDOW_MS || pt->gathered || CPU_COUNT(&pt->cpus) < 2)
		return;
	switch (in_company_next(c, now, (double)(meetings - c->meetings) / (double)ms)) {
	case IN_JOIN:
		join(pt);
		break;
	case IN_PART:
		part(pt);
		break;
	case IN_STAY:
		break;
	}
	c->meetings = meetings;
	pt_now(&c->counted);
}
