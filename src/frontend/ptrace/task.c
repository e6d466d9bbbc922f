/*
 * The tables of threads and processes.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/log.h"
#include "pt.h"

struct pt_task *pt_task_find(struct pt *pt, pid_t tid)
{
	struct pt_task *t;

	HASH_FIND_INT(pt->tasks, &tid, t);
	return t;
}

struct pt_task *pt_task_twin(struct pt *pt, unsigned variant, uint32_t tid)
{
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next)
		if (t->variant == variant && t->id == tid)
			return t;
	return NULL;
}

/* tgid of a process that is known already, or a new one. */
struct pt_task *pt_task_new(struct pt *pt, pid_t tid, pid_t tgid, unsigned variant)
{
	struct pt_task *t = calloc(1, sizeof(*t)), *other = tid == tgid ? NULL : pt_task_find(pt, tgid);

	if (!t)
		return NULL;
	if (other) {
		t->process = other->process;
	} else {
		for (other = pt->tasks; other; other = other->hh.next)
			if (other->process->tgid == tgid && tid != tgid)
				t->process = other->process;
		if (!t->process) {
			t->process = calloc(1, sizeof(*t->process));
			if (!t->process) {
				free(t);
				return NULL;
			}
			t->process->tgid = tgid;
			t->process->variant = variant;
			t->process->pidfd = -1;
		}
	}
	t->process->threads++;
	t->tid = tid;
	t->pt = pt;
	t->variant = variant;
	t->held_tail = &t->held;
	pt->live[variant]++;
	HASH_ADD_INT(pt->tasks, tid, t);
	mv_log(MV_LOG_PROCESS, "variant %u: thread %d of process %d appears", variant, tid, tgid);
	return t;
}

static void free_all(struct pt_held *h)
{
	while (h) {
		struct pt_held *next = h->next;

		free(h);
		h = next;
	}
}

void pt_task_free(struct pt_task *t)
{
	struct pt *pt = t->pt;

	free_all(t->held);
	free_all(t->requeued);
	if (pt->variants[t->variant].cloning == t)
		pt->variants[t->variant].cloning = NULL;
	if (!--t->process->threads) {
		pt->outliving -= t->process->outlives;
		if (t->process->pidfd >= 0)
			close(t->process->pidfd);
		in_process_free(t->process);
		free(t->process);
	}
	in_task_free(t->inside);
	HASH_DEL(pt->tasks, t);
	pt->live[t->variant]--;
	free(t);
}

void pt_process_kill(struct pt_process *p)
{
	p->expected_death = true;
	syscall(SYS_kill, p->tgid, SIGKILL);
}

void pt_doom(struct pt *pt, unsigned variant, uint32_t tgid)
{
	struct pt_doomed *d = calloc(1, sizeof(*d));

	if (!d) {
		pt_fail(pt, ENOMEM, "cannot remember a dead process");
		return;
	}
	d->variant = variant;
	d->tgid = tgid;
	d->next = pt->doomed;
	pt->doomed = d;
}

bool pt_doomed(struct pt *pt, unsigned variant, uint32_t tgid)
{
	for (struct pt_doomed **p = &pt->doomed, *d; (d = *p); p = &d->next) {
		if (d->variant != variant || d->tgid != tgid)
			continue;
		*p = d->next;
		free(d);
		return true;
	}
	return false;
}

void pt_stray_add(struct pt *pt, pid_t tid)
{
	struct pt_stray *s = calloc(1, sizeof(*s));

	if (!s) {
		pt_fail(pt, ENOMEM, "cannot follow a new thread");
		return;
	}
	s->tid = tid;
	HASH_ADD_INT(pt->strays, tid, s);
}

bool pt_stray_take(struct pt *pt, pid_t tid)
{
	struct pt_stray *s;

	HASH_FIND_INT(pt->strays, &tid, s);
	if (!s)
		return false;
	HASH_DEL(pt->strays, s);
	free(s);
	return true;
}
