/*
 * Children of a process of the leader's that was killed while it made them, and has told nobody of them.  They have no twins and never
 * will have: they go, as if their parent had been killed a moment before.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pt.h"

#define LIMIT_MS 500	/* in which the event of a creation does not come, and there is no parent that it could come from */

static bool makes_child(const struct mv_call *c)
{
	return c->nr == SYS_clone || c->nr == SYS_clone3 || c->nr == SYS_fork || c->nr == SYS_vfork;
}

/* twin waits for the result of a clone. */
static void end_youngest(const struct pt_task *twin)
{
	struct pt_task *child = NULL;

	for (struct pt_task *t = twin->pt->tasks; t; t = t->hh.next)
		if (pt_leads(t) && t->maker == twin->id && (!child || t->birth > child->birth))
			child = t;
	if (child && !pt_task_twin(twin->pt, twin->variant, child->id))
		pt_process_kill(child->process);
}

void pt_orphans(struct pt *pt, const struct pt_process *p)
{
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next) {
		struct mv_standing s;

		if (t->process == p && pt->mode->standing(t, &s) && s.read && s.fetches && makes_child(&s.call))
			end_youngest(t);
	}
}

static pid_t parent(pid_t tid)
{
	char path[64], text[512], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	p = strrchr(text, ')');
	return p && p[1] && p[2] ? atoi(p + 3) : 0;
}

/* Those that we have not been told of have not begun. */
bool pt_orphans_tick(struct pt *pt)
{
	bool any = false;

	for (struct pt_stray *s = pt->strays; s; s = s->hh.next) {
		if (pt_task_find(pt, parent(s->tid)))
			continue;
		any = true;
		if (!s->orphan)
			pt_now(&s->since);
		else if (pt_ms_since(&s->since) >= LIMIT_MS)
			kill(s->tid, SIGKILL);
		s->orphan = true;
	}
	return any;
}
