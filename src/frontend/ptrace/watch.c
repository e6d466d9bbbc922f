/*
 * Watching the clock: signals that were held too long, followers that do not come, deadlocks between variants.
 *
 * A follower may be late for good reasons: it computes as long as the leader did, on a machine with too few CPUs.  It has
 * lost its way when there is something for it to read, it has not got on for the deadline, and it either sleeps or has
 * used more CPU time than the leader in all until then, by the deadline.
 *
 * Threads take locks in an order of their own in each variant; where that ends in a deadlock between variants, a look at
 * the clock that a follower waits with may go first.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "pt.h"

#define SLOW_MS 100
#define IDLE 20			/* who has used less than so many parts of the time does not compute */

static void every(unsigned ms)
{
	struct itimerval t = { .it_interval = { 0, ms * 1000 }, .it_value = { 0, ms * 1000 } };

	setitimer(ITIMER_REAL, &t, NULL);
}

static void tick_every(struct pt *pt, unsigned ms)
{
	if (pt->tick_ms != ms)
		every(ms);
	pt->tick_ms = ms;
}

void pt_tick_fast(struct pt *pt)
{
	unsigned ms = pt->outliving ? PT_OUTLIVE_MS : PT_HOLD_MS;

	if (!pt->tick_ms || pt->tick_ms > ms)
		tick_every(pt, ms);
}

uint64_t pt_cpu_time(pid_t tid)
{
	char path[64], text[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	return strtoull(text, NULL, 10) / 1000000;
}

static void stop(struct pt_task *t)
{
	if (t->at != PT_RUNNING || t->interrupting)
		return;
	t->interrupting = true;
	ptrace(PTRACE_INTERRUPT, t->tid, 0, 0);
}

/*
 * By its own time: the others can only be told between which calls it took the signal.  What is going to make a call soon must
 * get there, however long it is kept from the CPU.  One that sleeps is in a call outside of the stream, and may never come.
 */
static void look_at_held(struct pt_task *t)
{
	if (pt_state(t->tid) != 'S' && pt_cpu_time(t->tid) - t->held->cpu < PT_HOLD_MS)
		return;
	t->held_due = true;
	stop(t);
}

/* Its last call was to return with a signal, which has come at once or was taken by another thread. */
static void look_for_signal(struct pt_task *t)
{
	if (!mv_thread_in_call(t->thread))
		stop(t);
}

/*
 * It may wait for its turn, or for a lock, which a thread of its process has that computes.  That one is about to run whenever one
 * looks, or has run for some of the time; one that a timer wakes up now and then is another.
 */
static bool siblings_compute(struct pt_task *t, unsigned deadline)
{
	uint64_t cpu = 0, before = t->siblings_cpu;
	bool runs = false;

	if (t->process->threads < 2)
		return false;
	for (struct pt_task *s = t->pt->tasks; s; s = s->hh.next) {
		if (s->process != t->process || s == t)
			continue;
		cpu += pt_cpu_time(s->tid);
		runs |= pt_state(s->tid) == 'R';
	}
	t->siblings_cpu = cpu;
	return runs || cpu - before > deadline / IDLE;
}

/* One that waits for a CPU, or for a page, does not sleep; it may not have had any time between two ticks. */
static bool rests(const struct pt_task *t)
{
	char state = pt_state(t->tid);

	return state != 'R' && state != 'D';
}

static void check_follower(struct pt_task *t, unsigned deadline)
{
	struct pt_task *leader;
	uint64_t moves, cpu;
	bool sleeps, behind;

	if (!t->pt->mode->progress(t, &moves, &behind))
		return;
	if (moves != t->seen_moves || !behind) {
		t->seen_moves = moves;
		t->waiting = false;
		return;
	}
	if (!t->waiting) {
		/* What the leader has used until now is more than it needed to get to the record that waits. */
		leader = pt_task_twin(t->pt, t->pt->leader, t->id);
		t->cpu_limit = (leader ? pt_cpu_time(leader->tid) : pt_cpu_time(t->tid) + deadline) + deadline;
		t->waiting = true;
		t->last_cpu = UINT64_MAX;
		pt_now(&t->seen);
		return;
	}
	if (pt_ms_since(&t->seen) < (long)deadline)
		return;
	cpu = pt_cpu_time(t->tid);
	sleeps = cpu == t->last_cpu && rests(t);
	t->last_cpu = cpu;
	if (sleeps && siblings_compute(t, deadline)) {
		pt_now(&t->seen);
		return;
	}
	if (sleeps || cpu > t->cpu_limit)
		t->pt->mode->absent(t, sleeps ? "it sleeps" : "it has used more CPU time than the leader needed");
}

/*
 * A thread of the leader waits for its twin, which sleeps in a call of its own (a lock); a sibling of that twin, which may
 * hold the lock, looks at the clock and waits for the leader's sibling, which may wait for the lock: let it look.
 */
static void end_deadlock(struct pt_task *leader)
{
	for (unsigned v = 0; v < leader->pt->nvariants; v++) {
		struct pt_task *twin = v == leader->variant ? NULL : pt_task_twin(leader->pt, v, leader->id), *t, *next;

		if (!twin || twin->at != PT_RUNNING || mv_thread_in_call(twin->thread))
			continue;
		HASH_ITER(hh, leader->pt->tasks, t, next) {
			struct mv_step step = { 0 };

			if (t->process == twin->process && t->thread && t->parked && mv_go_early(t->thread, &step))
				pt_apply(t, &step);
		}
	}
}

static void look_for_deadlocks(struct pt *pt)
{
	struct pt_task *t, *next;

	HASH_ITER(hh, pt->tasks, t, next) {
		if (!pt_leads(t) || !t->thread || t->process->threads < 2)
			continue;
		if (!t->parked || !mv_thread_waits(t->thread))
			t->waited = false;
		else if (!t->waited)
			t->waited = true;	/* once may be chance: look again at the next tick */
		else
			end_deadlock(t);
	}
}

/* Of the end of a process's first thread the kernel tells when the last one has ended. */
static void look_for_zombie(struct pt_task *t)
{
	if (t->ended || t->tid != t->process->tgid || t->process->threads < 2 || pt_state(t->tid) != 'Z')
		return;
	t->ended = true;
	t->pt->mode->on_ended(t);
}

void pt_tick(struct pt *pt)
{
	unsigned deadline = pt->session->options->deadline_ms, spin;
	bool held = false;

	for (struct pt_task *t = pt->tasks; t; t = t->hh.next) {
		if (pt_is_out(pt, t->variant))
			continue;
		held |= t->held || t->due.on;
		look_for_zombie(t);
		if (t->held)
			look_at_held(t);
		else if (t->return_ip)
			look_for_signal(t);
		if (t->due.on && t->thread) {
			t->due.on = false;
			pt_nudge(t);
		}
		if (!pt_leads(t) && deadline)
			check_follower(t, deadline);
	}
	look_for_deadlocks(pt);
	pt_outlive_tick(pt);
	held |= pt_orphans_tick(pt);
	pt_stall_tick(pt);
	pt_affinity_tick(pt);
	spin = pt_spin_tick(pt);
	tick_every(pt, pt->outliving ? PT_OUTLIVE_MS : spin ? spin : held || !pt_affinity_settled(pt) ? PT_HOLD_MS : SLOW_MS);
}
