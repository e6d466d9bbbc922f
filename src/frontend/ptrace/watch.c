/*
 * Watching the clock: signals that were held too long, and followers that do not come.
 *
 * A follower may be late for good reasons: it computes as long as the leader did, on a machine with too few CPUs.  It has
 * lost its way when there is something for it to read, it has not got on for the deadline, and it either sleeps or has
 * used more CPU time than the leader in all until then, by the deadline.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "pt.h"

#define SLOW_MS 250

static void every(unsigned ms)
{
	struct itimerval t = { .it_interval = { 0, ms * 1000 }, .it_value = { 0, ms * 1000 } };

	setitimer(ITIMER_REAL, &t, NULL);
}

void pt_tick_start(struct pt *pt)
{
	pt->ticking_fast = false;
	every(SLOW_MS);
}

void pt_tick_fast(struct pt *pt)
{
	if (!pt->ticking_fast)
		every(PT_HOLD_MS);
	pt->ticking_fast = true;
}

static long ms_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - then->tv_sec) * 1000 + (now.tv_nsec - then->tv_nsec) / 1000000;
}

/* CPU time of a thread in ms. */
static uint64_t cpu_time(pid_t tid)
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

static bool held_too_long(struct pt_task *t)
{
	if (t->at == PT_RUNNING && !t->interrupting && ms_since(&t->held->since) >= PT_HOLD_MS) {
		t->interrupting = true;
		ptrace(PTRACE_INTERRUPT, t->tid, 0, 0);
	}
	return true;
}

static void check_follower(struct pt_task *t, unsigned deadline)
{
	uint64_t moves = mv_thread_moves(t->thread), cpu;
	struct pt_task *leader;
	bool sleeps;

	if (moves != t->seen_moves || !mv_thread_behind(t->thread)) {
		t->seen_moves = moves;
		t->waiting = false;
		return;
	}
	if (!t->waiting) {
		/* What the leader has used until now is more than it needed to get to the record that waits. */
		leader = pt_task_twin(t->pt, 0, mv_thread_tid(t->thread));
		t->cpu_limit = (leader ? cpu_time(leader->tid) : cpu_time(t->tid) + deadline) + deadline;
		t->waiting = true;
		t->last_cpu = UINT64_MAX;
		clock_gettime(CLOCK_MONOTONIC, &t->seen);
		return;
	}
	if (ms_since(&t->seen) < (long)deadline)
		return;
	cpu = cpu_time(t->tid);
	sleeps = cpu == t->last_cpu;
	t->last_cpu = cpu;
	if (sleeps || cpu > t->cpu_limit)
		mv_thread_absent(t->thread, sleeps ? "it sleeps" : "it has used more CPU time than the leader needed");
}

void pt_tick(struct pt *pt)
{
	unsigned deadline = pt->session->options->deadline_ms;
	bool held = false;

	for (struct pt_task *t = pt->tasks; t; t = t->hh.next) {
		if (!t->thread)
			continue;
		if (t->held)
			held |= held_too_long(t);
		if (t->variant && deadline)
			check_follower(t, deadline);
	}
	if (!held && pt->ticking_fast)
		pt_tick_start(pt);
}
