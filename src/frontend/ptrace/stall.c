/*
 * The log domain "stall": when a thread has work and does not get on, say of every thread where it stands and what it waits
 * for.  Nothing is decided here.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "pt.h"

#define STALL_MS 3000

static const char *const stops[] = {
	[PT_RUNNING] = "running", [PT_AT_ENTRY] = "at a call's entry", [PT_AT_EXIT] = "at a call's exit",
	[PT_AT_EVENT] = "at a clone", [PT_AT_EXEC] = "at an exec", [PT_AT_FAULT] = "at a fault",
	[PT_AT_SIGNAL] = "at a signal", [PT_AT_BOUNDARY] = "at a call's entry with a signal before it",
	[PT_AT_ASYNC] = "in user code with a signal",
};

/* One line of /proc/TID/NAME; "" if the thread is gone. */
static void proc_line(pid_t tid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	text[0] = 0;
	snprintf(path, sizeof(path), "/proc/%d/%s", tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
}

/* The kernel's letter for what the thread does, '?' if it is gone. */
static char kernel_state(pid_t tid)
{
	char text[512], *p;

	proc_line(tid, "stat", text, sizeof(text));
	p = strrchr(text, ')');
	return p && p[1] ? p[2] : '?';
}

/* Should it be getting on?  A thread that we think is running and the kernel has stopped is waiting for us. */
static bool has_work(struct pt_task *t, const struct mv_standing *s)
{
	if (!s->state || !t->started || (pt_leads(t) ? s->parked : s->consumed < s->written))
		return true;
	return t->at == PT_RUNNING && kernel_state(t->tid) == 't';
}

static void tell_flags(const struct pt_task *t, char *text, size_t size)
{
	const struct { bool is; const char *name; } flags[] = {
		{ !t->started, "not started" }, { t->parked, "parked" }, { t->injected, "sent into another call" },
		{ t->importing, "importing" }, { t->suspended, "suspended" }, { t->interrupting, "being interrupted" },
		{ t->interrupted != 0, "interrupted" }, { t->inject_sig != 0, "signal queued" }, { t->held, "signal held" },
		{ t->pt->variants[t->variant].cloning == t, "has the variant's next pid" },
		{ t->child_tid && t->at == PT_AT_ENTRY, "waits for the variant's next pid" },
		{ t->process->expected_death, "killed" }, { t->kept, "its stop not looked at" }, { t->rests, "at rest" },
	};
	size_t n = 0;

	text[0] = 0;
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (flags[i].is && n < size)
			n += (size_t)snprintf(text + n, size - n, ", %s", flags[i].name);
}

static void tell_thread(struct pt_task *t)
{
	struct mv_standing s;
	char flags[256], wchan[64], syscall[160];

	tell_flags(t, flags, sizeof(flags));
	proc_line(t->tid, "wchan", wchan, sizeof(wchan));
	proc_line(t->tid, "syscall", syscall, sizeof(syscall));
	if (!t->pt->mode->standing(t, &s))
		s = (struct mv_standing){ .state = "not known to the engine", .next = "none" };
	mv_log(MV_LOG_STALL, "stall: variant %u: thread %u (host %d of %d): %s%s; %s, %s(%#llx, %#llx, %#llx); "
	       "stream %llu written, %llu read, next %s; order %llu, turn %llu, exclusive %u; kernel %c %s %s",
	       t->variant, t->id, t->tid, t->process->tgid, stops[t->at], flags, s.state,
	       s.call.nr || s.written ? mv_call_name(&s.call) : "no call", (unsigned long long)s.call.args[0],
	       (unsigned long long)s.call.args[1], (unsigned long long)s.call.args[2], (unsigned long long)s.written,
	       (unsigned long long)s.consumed, s.next, (unsigned long long)s.ticket, (unsigned long long)s.turn, s.owner,
	       kernel_state(t->tid), wchan, syscall);
}

void pt_stall_tell(struct pt *pt)
{
	if (!mv_log_on(MV_LOG_STALL))
		return;
	mv_log(MV_LOG_STALL, "stall: of %u threads, %u more not claimed:", HASH_COUNT(pt->tasks), HASH_COUNT(pt->strays));
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next)
		tell_thread(t);
}

static void tell(struct pt *pt, const struct pt_task *stalled)
{
	mv_log(MV_LOG_STALL, "stall: host thread %d of variant %u has had work for %d s and made no step", stalled->tid,
	       stalled->variant, STALL_MS / 1000);
	pt_stall_tell(pt);
}

void pt_stall_tick(struct pt *pt)
{
	if (!mv_log_on(MV_LOG_STALL))
		return;
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next) {
		struct mv_standing s = { 0 };

		pt->mode->standing(t, &s);
		if (s.moves != t->stall.moves || !has_work(t, &s)) {
			t->stall.moves = s.moves;
			t->stall.state = PT_GETS_ON;
		} else if (t->stall.state == PT_GETS_ON) {
			t->stall.state = PT_STANDS;
			pt_now(&t->stall.since);
		} else if (t->stall.state == PT_STANDS && pt_ms_since(&t->stall.since) >= STALL_MS) {
			t->stall.state = PT_STANDS_TOLD;
			tell(pt, t);
		}
	}
}
