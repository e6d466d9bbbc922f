/*
 * What a process of the leader's has in the kernel, and how its twin gets it: see pt_carryable() for what is looked at, pt_carry() for
 * what is done.  Calls are put into both; how a thread was stopped does not matter, as neither goes on from there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include "carry.h"
#include "engine/fds.h"
#include "inject.h"
#include "supervisor/procmaps.h"

#define EPOLL_SET "anon_inode:[eventpoll]"
#define SIGNALFD "anon_inode:[signalfd]"
#define IOPRIO_WHO_PROCESS 1

/* As the kernel's sched_attr, whose header does not go with libc's. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

struct carrier {
	struct pt_task *from, *to;
	uint64_t insn[2];		/* a system call instruction in from; in to */
	uint64_t page[2];		/* memory for operands */
	char *why;
};

enum { FROM, TO };

static struct pt_task *side(const struct carrier *c, int which)
{
	return which == FROM ? c->from : c->to;
}

/* Make a call there.  An error of ours is one of the call's. */
static int64_t make(struct carrier *c, int which, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct mv_inject_call call = { .nr = nr, .args = { a0, a1, a2, a3, (uint64_t)-1, 0 } };
	struct mv_error err = { 0 };
	int64_t result = 0;
	int r = mv_inject_call(side(c, which)->tid, "a process", c->insn[which], &call, &result, &err);

	pt_forget_pages(c->to->pt);
	return r ? r : result;
}

static bool failed(struct carrier *c, const char *what, int64_t result)
{
	return pt_cannot(c->why, "%s: %s", what, strerror((int)-result));
}

struct giving {
	struct pt_task *to;
	int file, n;
	bool cloexec;
};

static int give(void *ctx)
{
	struct giving *g = ctx;
	int n = g->n;

	return pt_hand_over(g->to, g->file, &n, g->cloexec) == PT_IMPORT_SERVED ? 0 : -1;
}

/* It belongs to the open file, which all processes may share; but not to any that is about to be gone. */
static bool carry_owner(struct carrier *c, int file, const struct pt_open_fd *d)
{
	struct f_owner_ex owner = { 0 };
	struct pt_task *t = fcntl(file, F_GETOWN_EX, &owner) || !owner.pid ? NULL : pt_owner(c->from->pt, &owner);
	int64_t r;

	if (!t || t->variant != c->from->variant)
		return true;
	owner.pid = (pid_t)t->id;
	if (pt_poke(c->to, c->page[TO], &owner, sizeof(owner)) != sizeof(owner))
		return failed(c, "memory for operands", -EFAULT);
	r = make(c, TO, SYS_fcntl, (uint64_t)d->n, F_SETOWN_EX, c->page[TO], 0);
	return !r || failed(c, "the owner of a descriptor (F_SETOWN)", r);
}

static bool carry_file(struct carrier *c, const struct pt_open_fd *d)
{
	struct giving g = { .to = c->to, .file = pt_take_fd(c->from, d->n), .n = d->n, .cloexec = d->cloexec };
	struct mv_inject_call call = {
		.nr = PT_IMPORT_NR, .args = { 0, 0, 0, 0, 0, c->to->pt->cookie }, .meanwhile = give, .ctx = &g,
	};
	struct mv_error err = { 0 };
	int64_t result = 0;
	int r;

	if (g.file < 0)
		return pt_cannot(c->why, "descriptor %d (%s): %s", d->n, d->what, strerror(errno));
	bool good;

	r = mv_inject_call(c->to->tid, "a process", c->insn[TO], &call, &result, &err);
	if (!r && result < 0)
		r = (int)result;
	good = !r && carry_owner(c, g.file, d);
	close(g.file);
	return good || !r || pt_cannot(c->why, "descriptor %d (%s): %s", d->n, d->what, strerror(-r));
}

static bool carry_files(struct carrier *c)
{
	struct pt_open_fds fds;
	bool good = pt_open_both(c->from->process->tgid, c->to->process->tgid, &fds, c->why);

	for (unsigned i = 0; good && i < fds.count; i++)
		if (!fds.v[i].own)
			good = carry_file(c, &fds.v[i]);
	free(fds.v);
	return good;
}

/*
 * An epoll set is carried with all that is registered in it; but the kernel gives back the former leader's data, and watches signalfds
 * of the process that has registered them.
 */
static bool register_again(struct carrier *c, const struct mv_files *files, int set, int n, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events };
	char what[PT_FD_LINK];
	uint64_t own;
	int64_t r;

	pt_fd_link(c->to->process->tgid, n, what);
	if (!mv_epoll_data(files, mv_fd_get(files, set)->epoll, n, &own))
		return pt_cannot(c->why, "epoll set %d, in which another process has registered descriptor %d", set, n);
	if (own == data && strcmp(what, SIGNALFD))
		return true;
	event.data.u64 = own;
	if (pt_poke(c->to, c->page[TO], &event, sizeof(event)) != sizeof(event))
		return failed(c, "memory for operands", -EFAULT);
	r = make(c, TO, SYS_epoll_ctl, (uint64_t)set, EPOLL_CTL_DEL, (uint64_t)n, c->page[TO]);
	if (!r)
		r = make(c, TO, SYS_epoll_ctl, (uint64_t)set, EPOLL_CTL_ADD, (uint64_t)n, c->page[TO]);
	if (r)
		return pt_cannot(c->why, "epoll set %d, where descriptor %d is registered: %s", set, n, strerror((int)-r));
	return true;
}

static bool carry_epoll(struct carrier *c, const struct mv_files *files, int set)
{
	char *text = NULL, *save = NULL, name[32];
	bool good = true;
	size_t len;

	snprintf(name, sizeof(name), "fdinfo/%d", set);
	if (mv_proc_slurp(c->to->process->tgid, name, &text, &len, NULL))
		return pt_cannot(c->why, "epoll set %d, which pt_cannot be read", set);
	for (char *line = strtok_r(text, "\n", &save); good && line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long long data;
		unsigned events;
		int n;

		if (sscanf(line, "tfd: %d events: %x data: %llx", &n, &events, &data) == 3)
			good = register_again(c, files, set, n, events, data);
	}
	free(text);
	return good;
}

static bool carry_epolls(struct carrier *c)
{
	struct mv_files *files = c->to->pt->mode->files(c->to);
	struct pt_open_fds fds;
	bool good = files;

	if (!files)
		return pt_cannot(c->why, "the table of descriptors");
	pt_open_list(c->to->process->tgid, &fds);
	for (unsigned i = 0; good && i < fds.count; i++) {
		pt_fd_link(c->to->process->tgid, fds.v[i].n, fds.v[i].what);
		if (!strcmp(fds.v[i].what, EPOLL_SET))
			good = carry_epoll(c, files, fds.v[i].n);
	}
	free(fds.v);
	mv_files_unref(files);
	return good;
}

static bool carry_timers(struct carrier *c)
{
	for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
		struct itimerval left = { 0 };
		int64_t r = make(c, FROM, SYS_getitimer, (uint64_t)which, c->page[FROM], 0, 0);

		if (r || pt_peek(c->from, c->page[FROM], &left, sizeof(left)) != sizeof(left))
			return failed(c, "a timer (setitimer)", r ? r : -EFAULT);
		if (!left.it_value.tv_sec && !left.it_value.tv_usec)
			continue;
		if (pt_poke(c->to, c->page[TO], &left, sizeof(left)) != sizeof(left))
			return failed(c, "memory for operands", -EFAULT);
		r = make(c, TO, SYS_setitimer, (uint64_t)which, c->page[TO], 0, 0);
		if (r)
			return failed(c, "a timer (setitimer)", r);
	}
	return true;
}

static bool carry_death_signal(struct carrier *c)
{
	int64_t r = make(c, FROM, SYS_prctl, PR_GET_PDEATHSIG, c->page[FROM], 0, 0);
	int sig = 0;

	if (r || pt_peek(c->from, c->page[FROM], &sig, sizeof(sig)) != sizeof(sig))
		return failed(c, "the signal for its parent's death", r ? r : -EFAULT);
	r = sig ? make(c, TO, SYS_prctl, PR_SET_PDEATHSIG, (uint64_t)sig, 0, 0) : 0;
	return !r || failed(c, "the signal for its parent's death", r);
}

static bool carry_groups(struct carrier *c)
{
	pid_t from = c->from->process->tgid, to = c->to->process->tgid;
	struct pt_stat a, b;
	int64_t r = 0;

	if (!pt_read_stat(from, &a) || !pt_read_stat(to, &b))
		return failed(c, "its process group", -ESRCH);
	if (a.session == from && b.session != to)
		r = make(c, TO, SYS_setsid, 0, 0, 0, 0);
	else if (a.group == from && b.group != to)
		r = make(c, TO, SYS_setpgid, 0, 0, 0, 0);
	return r >= 0 || failed(c, "its process group", r);
}

/* Where and when it runs: from outside. */
static bool carry_scheduling(struct carrier *c)
{
	struct scheduling a = { .size = sizeof(a) }, b = { .size = sizeof(b) };
	long io = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, c->from->tid);
	cpu_set_t cpus;

	if (syscall(SYS_sched_getattr, c->from->tid, &a, sizeof(a), 0) || syscall(SYS_sched_getattr, c->to->tid, &b, sizeof(b), 0) ||
	    (memcmp(&a, &b, sizeof(a)) && syscall(SYS_sched_setattr, c->to->tid, &a, 0)))
		return failed(c, "its priority", -errno);
	if (sched_getaffinity(c->from->tid, sizeof(cpus), &cpus) || sched_setaffinity(c->to->tid, sizeof(cpus), &cpus))
		return failed(c, "its processors", -errno);
	if (io != syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, c->to->tid) &&
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, c->to->tid, io))
		return failed(c, "its priority of input and output", -errno);
	return true;
}

static bool map_page(struct carrier *c, int which)
{
	struct mv_inject_call call = {
		.nr = SYS_mmap,
		.args = { 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0 },
	};
	struct mv_error err = { 0 };
	int64_t result = 0;

	if (mv_inject_call(side(c, which)->tid, "a process", c->insn[which], &call, &result, &err) || (result < 0 && result >= -4095))
		return pt_cannot(c->why, "memory for operands: %s", err.text[0] ? err.text : strerror((int)-result));
	c->page[which] = (uint64_t)result;
	return true;
}

/* What is held for it, or pending (a timer goes on when its signal is taken), goes to its twin by way of the kernel.  All are blocked there. */
static bool carry_signals(struct carrier *c)
{
	const uint64_t all = ~0ull;
	struct timespec none = { 0, 0 };
	siginfo_t info;
	int64_t r;

	while (c->from->held && pt_take_held(c->from, 0, &info))
		pt_send_back(c->to, &info);
	if (pt_poke(c->from, c->page[FROM], &all, sizeof(all)) != sizeof(all) ||
	    pt_poke(c->from, c->page[FROM] + 8, &none, sizeof(none)) != sizeof(none))
		return failed(c, "memory for operands", -EFAULT);
	while ((r = make(c, FROM, SYS_rt_sigtimedwait, c->page[FROM], c->page[FROM] + 64, c->page[FROM] + 8, 8)) > 0) {
		if (pt_peek(c->from, c->page[FROM] + 64, &info, sizeof(info)) != sizeof(info))
			return failed(c, "a signal that is pending", -EFAULT);
		pt_send_back(c->to, &info);
	}
	return r == -EAGAIN || failed(c, "a signal that is pending", r);
}

/* Neither takes a signal meanwhile; mask is what the new leader's thread had blocked. */
static bool block_signals(struct carrier *c, uint64_t *mask)
{
	uint64_t all = ~0ull;

	return !ptrace(PTRACE_GETSIGMASK, c->to->tid, (void *)sizeof(*mask), mask) &&
	       !ptrace(PTRACE_SETSIGMASK, c->to->tid, (void *)sizeof(all), &all) &&
	       !ptrace(PTRACE_SETSIGMASK, c->from->tid, (void *)sizeof(all), &all);
}

static bool carry_thread(struct carrier *c)
{
	uint64_t mask;
	bool good;

	if (!block_signals(c, &mask))
		return pt_cannot(c->why, "what it knows: it is gone");
	good = carry_signals(c) && carry_scheduling(c);
	ptrace(PTRACE_SETSIGMASK, c->to->tid, (void *)sizeof(mask), &mask);
	return good;
}

static bool carry_threads(const struct carrier *c)
{
	bool good = true;

	for (struct pt_task *t = c->from->pt->tasks; t && good; t = t->hh.next) {
		struct carrier one = *c;

		if (t->process != c->from->process || t->ended)
			continue;
		one.from = t;
		one.to = pt_task_twin(t->pt, c->to->variant, t->id);
		good = carry_thread(&one);
	}
	return good;
}

static bool carry_process(struct carrier *c)
{
	uint64_t mask;
	bool good;

	c->insn[FROM] = c->from->pt->mode->call_at(c->from);
	c->insn[TO] = c->to->pt->mode->call_at(c->to);
	if (!c->insn[FROM] || !c->insn[TO])
		return pt_cannot(c->why, "what it knows: there is no place to make calls from");
	if (!block_signals(c, &mask))
		return pt_cannot(c->why, "what it knows: it is gone");
	good = map_page(c, FROM) && map_page(c, TO) && carry_files(c) && carry_epolls(c) && carry_threads(c) && carry_timers(c) &&
	       carry_death_signal(c) && carry_groups(c);
	if (good && make(c, TO, SYS_munmap, c->page[TO], 4096, 0, 0))
		good = pt_cannot(c->why, "memory for operands");
	ptrace(PTRACE_SETSIGMASK, c->to->tid, (void *)sizeof(mask), &mask);
	return good;
}

struct pt_task *pt_next_process(struct pt *pt, struct pt_task *after)
{
	for (struct pt_task *t = after ? after->hh.next : pt->tasks; t; t = t->hh.next) {
		struct pt_task *before = pt->tasks;

		if (!pt_leads(t) || t->ended)
			continue;
		while (before != t && (before->process != t->process || before->ended))
			before = before->hh.next;
		if (before == t)
			return t;
	}
	return NULL;
}

bool pt_carry(struct pt *pt, unsigned variant, char why[PT_WHY])
{
	bool good = true;

	for (struct pt_task *p = pt_next_process(pt, NULL); p && good; p = pt_next_process(pt, p)) {
		struct carrier c = { .from = p, .to = pt_task_twin(pt, variant, p->id), .why = why };

		good = carry_process(&c);
	}
	pt_forget_pages(pt);
	return good;
}
