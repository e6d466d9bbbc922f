/*
 * What a process of the leader's has in the kernel, and how its twin gets it: see pt_carryable() for what is looked at, pt_carry() for
 * what is done.  Calls are put into both; how a thread was stopped does not matter, as neither goes on from there.
 */
#include "carry.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include "engine/fds.h"
#include "inject.h"
#include "supervisor/procmaps.h"

#define MQUEUE_MAGIC 0x19800202
#define PROCFS_NAME 80
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

static bool cannot(char why[PT_WHY], const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool cannot(char why[PT_WHY], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, PT_WHY, format, ap);
	va_end(ap);
	return false;
}

/* ---- descriptors as /proc shows them ---- */

struct open_fd {
	int n;
	bool own;		/* the follower's is no stand-in for the leader's */
	bool cloexec;		/* in the follower */
	char what[PROCFS_NAME];	/* what the leader's link says */
};

struct open_fds {
	struct open_fd *v;
	unsigned count;
};

static void read_link(pid_t pid, int n, char out[PROCFS_NAME])
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, n);
	len = readlink(path, out, PROCFS_NAME - 1);
	out[len < 0 ? 0 : len] = 0;
}

static FILE *open_info(pid_t pid, int n)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, n);
	return fopen(path, "re");
}

static unsigned open_flags(pid_t pid, int n)
{
	FILE *f = open_info(pid, n);
	unsigned flags = 0;
	char line[200];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	if (f)
		fclose(f);
	return flags;
}

/* Stand-ins are sockets, pipes and the like: a file or a directory is one that was imported, or that every variant has for itself. */
static bool is_own(pid_t pid, int n)
{
	char path[64], link[PROCFS_NAME];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, n);
	read_link(pid, n, link);
	return !stat(path, &st) && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || strstr(link, "pidfd"));
}

static int by_number(const void *a, const void *b)
{
	return ((const struct open_fd *)a)->n - ((const struct open_fd *)b)->n;
}

static void list(pid_t pid, struct open_fds *out)
{
	unsigned room = 0;
	struct dirent *e;
	char path[64];
	DIR *dir;

	*out = (struct open_fds){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		if (out->count == room) {
			struct open_fd *more = realloc(out->v, (room = room ? room * 2 : 64) * sizeof(*more));

			if (!more)
				break;
			out->v = more;
		}
		out->v[out->count++] = (struct open_fd){ .n = atoi(e->d_name) };
	}
	if (dir)
		closedir(dir);
	if (out->count)
		qsort(out->v, out->count, sizeof(*out->v), by_number);
}

/* The leader's, with what the follower has in their places. */
static bool both(pid_t from, pid_t to, struct open_fds *out, char why[PT_WHY])
{
	struct open_fds other;
	unsigned same = 0;

	list(from, out);
	list(to, &other);
	while (same < out->count && same < other.count && out->v[same].n == other.v[same].n)
		same++;
	for (unsigned i = 0; i < out->count; i++) {
		struct open_fd *d = &out->v[i];

		read_link(from, d->n, d->what);
		d->own = is_own(to, d->n);
		d->cloexec = open_flags(to, d->n) & O_CLOEXEC;
	}
	if (same != out->count || same != other.count) {
		const struct open_fds *longer = same < out->count ? out : &other;

		cannot(why, "descriptor %d, which only one of them has", longer->v[same].n);
		free(other.v);
		return false;
	}
	free(other.v);
	return true;
}

static int take(struct pt_task *from, int n)
{
	if (from->process->pidfd < 0)
		from->process->pidfd = (int)syscall(SYS_pidfd_open, from->process->tgid, 0);
	return from->process->pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, from->process->pidfd, n, 0);
}

/* ---- what cannot be carried ---- */

static bool open_file(int file, const struct open_fd *d, char why[PT_WHY])
{
	struct f_owner_ex owner = { 0 };
	struct statfs fs;

	if (file < 0)
		return cannot(why, "descriptor %d (%s): %s", d->n, d->what, strerror(errno));
	if (fcntl(file, F_GETFL) & O_PATH)
		return d->own || cannot(why, "descriptor %d (%s), which is open as a path only", d->n, d->what);
	if (strstr(d->what, "pidfd") && !d->own)
		return cannot(why, "descriptor %d, which stands for a process", d->n);
	if (!strncmp(d->what, "/memfd:", 7))
		return cannot(why, "descriptor %d (%s): memory that others may have got", d->n, d->what);
	if (!fstatfs(file, &fs) && fs.f_type == MQUEUE_MAGIC)
		return cannot(why, "descriptor %d, a message queue", d->n);
	if (!fcntl(file, F_GETOWN_EX, &owner) && owner.pid)
		return cannot(why, "descriptor %d, whose owner gets signals (F_SETOWN)", d->n);
	if (fcntl(file, F_GETLEASE) > 0 && fcntl(file, F_GETLEASE) != F_UNLCK)
		return cannot(why, "descriptor %d, which has a lease", d->n);
	return true;
}

static bool descriptors(struct pt_task *from, pid_t to, char why[PT_WHY])
{
	struct open_fds fds;
	bool good = both(from->process->tgid, to, &fds, why);

	for (unsigned i = 0; good && i < fds.count; i++) {
		int file = take(from, fds.v[i].n);

		good = open_file(file, &fds.v[i], why);
		if (file >= 0)
			close(file);
	}
	free(fds.v);
	return good;
}

/* Locks that belong to the process and not to the open file. */
static bool locks(pid_t pid, char why[PT_WHY])
{
	FILE *f = fopen("/proc/locks", "re");
	char line[300], kind[16], word[16], how[16], id[64];
	bool good = f;
	int owner;

	if (!f)
		return cannot(why, "record locks: /proc/locks cannot be read");
	while (good && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %15s %15s %15s %d %63s", kind, word, how, &owner, id) != 5 || owner != pid)
			continue;
		if (!strcmp(kind, "POSIX"))
			good = cannot(why, "a record lock (fcntl F_SETLK) on file %s", id);
		else if (strcmp(kind, "FLOCK") && strcmp(kind, "OFDLCK"))
			good = cannot(why, "a lease on file %s", id);
	}
	fclose(f);
	return good;
}

/* A mapping of the same part of the same file that is shared, too. */
static bool has_shared(const struct mv_maps *maps, const struct mv_map *like)
{
	for (unsigned i = 0; i < maps->n; i++) {
		const struct mv_map *m = &maps->maps[i];

		if (m->perms[3] == 's' && m->offset == like->offset && !strcmp(m->name, like->name))
			return true;
	}
	return false;
}

static bool shared_map(const struct mv_map *m, const struct mv_maps *twins, char why[PT_WHY])
{
	if (!strncmp(m->name, "/dev/zero", 9))
		return true;		/* of this variant's processes, and nobody else's */
	if (!strncmp(m->name, "/memfd:", 7))
		return cannot(why, "shared memory (%s) that others may have got", m->name);
	if (!strncmp(m->name, "/SYSV", 5))
		return cannot(why, "shared memory of System V");
	if (m->perms[1] == 'w' || !has_shared(twins, m))
		return cannot(why, "a shared mapping of %s", m->name[0] ? m->name : "a file");
	return true;
}

static bool mappings(pid_t from, pid_t to, char why[PT_WHY])
{
	struct mv_maps maps = { 0 }, twins = { 0 };
	bool good = !mv_maps_read(from, &maps, NULL) && !mv_maps_read(to, &twins, NULL);

	if (!good)
		cannot(why, "the mappings, which cannot be read");
	for (unsigned i = 0; good && i < maps.n; i++)
		if (maps.maps[i].perms[3] == 's' && strncmp(maps.maps[i].name, "/memfd:mvarmor-", 15))
			good = shared_map(&maps.maps[i], &twins, why);
	mv_maps_free(&maps);
	mv_maps_free(&twins);
	return good;
}

static bool timers(pid_t pid, char why[PT_WHY])
{
	char *text = NULL;
	size_t len;
	bool none = !mv_proc_slurp(pid, "timers", &text, &len, NULL) && !len;

	free(text);
	return none || cannot(why, "a timer (timer_create)");
}

static bool pending(struct pt_task *from, struct pt_task *to, char why[PT_WHY])
{
	struct pt_sigsets a, b;
	uint64_t echo = 1ull << (SIGCHLD - 1);

	if (!pt_sigsets(from->tid, &a) || !pt_sigsets(to->tid, &b))
		return cannot(why, "pending signals, which cannot be read");
	if (b.pending & ~(a.pending | echo))
		return cannot(why, "signals: one is pending in a follower only");
	return true;
}

struct stat_line { int parent, group, session, terminal; };

static bool read_stat(pid_t pid, struct stat_line *s)
{
	char *text = NULL;
	size_t len;
	bool good = !mv_proc_slurp(pid, "stat", &text, &len, NULL) && strrchr(text, ')') &&
		    sscanf(strrchr(text, ')') + 1, " %*c %d %d %d %d", &s->parent, &s->group, &s->session, &s->terminal) == 4;

	free(text);
	return good;
}

/* Until it has its own, the first leader's process is in our group and session, another's in those of its namespace's first one. */
static bool groups(const struct pt_task *leader, char why[PT_WHY])
{
	pid_t from = leader->process->tgid, init = leader->pt->variants[leader->variant].init;
	pid_t session = init ? init : getsid(0), group = init ? init : getpgrp();
	struct stat_line s;

	if (!read_stat(from, &s))
		return cannot(why, "its process group, which cannot be read");
	if (s.session != from && s.session != session)
		return cannot(why, "its session, which another process has begun");
	if (s.group != from && s.group != group)
		return cannot(why, "its process group, which another process leads");
	if (s.terminal && s.session != session)
		return cannot(why, "its controlling terminal");
	return true;
}

/* Its children are dead, and so are those of its twin; but those need not have died of the same. */
static bool children(pid_t pid, char why[PT_WHY])
{
	char *text = NULL, name[64];
	size_t len;
	bool none;

	snprintf(name, sizeof(name), "task/%d/children", pid);
	none = !mv_proc_slurp(pid, name, &text, &len, NULL) && !len;
	free(text);
	return none || cannot(why, "children that it has not waited for");
}

/* Whose files, what privileges: in another user namespace the kernel would say otherwise. */
static bool users(pid_t from, pid_t to, char why[PT_WHY])
{
	char path[64], a[64] = "", b[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/ns/user", from);
	if (readlink(path, a, sizeof(a) - 1) < 0)
		return cannot(why, "its user namespace, which cannot be read");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", to);
	if (readlink(path, b, sizeof(b) - 1) < 0 || strcmp(a, b))
		return cannot(why, "its user namespace: followers of an ordinary user are in others");
	return true;
}

bool pt_carryable(struct pt_task *from, struct pt_task *to, char why[PT_WHY])
{
	pid_t a = from->process->tgid, b = to->process->tgid;

	if (from->process->threads > 1 || to->process->threads > 1)
		return cannot(why, "threads");
	return users(a, b, why) && groups(from, why) && children(a, why) && timers(a, why) && locks(a, why) && mappings(a, b, why) &&
	       pending(from, to, why) && descriptors(from, b, why);
}

/* ---- carrying ---- */

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
	return cannot(c->why, "%s: %s", what, strerror((int)-result));
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

static bool carry_file(struct carrier *c, const struct open_fd *d)
{
	struct giving g = { .to = c->to, .file = take(c->from, d->n), .n = d->n, .cloexec = d->cloexec };
	struct mv_inject_call call = {
		.nr = PT_IMPORT_NR, .args = { 0, 0, 0, 0, 0, c->to->pt->cookie }, .meanwhile = give, .ctx = &g,
	};
	struct mv_error err = { 0 };
	int64_t result = 0;
	int r;

	if (g.file < 0)
		return cannot(c->why, "descriptor %d (%s): %s", d->n, d->what, strerror(errno));
	r = mv_inject_call(c->to->tid, "a process", c->insn[TO], &call, &result, &err);
	close(g.file);
	if (!r && result < 0)
		r = (int)result;
	return !r || cannot(c->why, "descriptor %d (%s): %s", d->n, d->what, strerror(-r));
}

static bool carry_files(struct carrier *c)
{
	struct open_fds fds;
	bool good = both(c->from->process->tgid, c->to->process->tgid, &fds, c->why);

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
	char what[PROCFS_NAME];
	uint64_t own;
	int64_t r;

	read_link(c->to->process->tgid, n, what);
	if (!mv_epoll_data(files, mv_fd_get(files, set)->epoll, n, &own))
		return cannot(c->why, "epoll set %d, in which another process has registered descriptor %d", set, n);
	if (own == data && strcmp(what, SIGNALFD))
		return true;
	event.data.u64 = own;
	if (pt_poke(c->to, c->page[TO], &event, sizeof(event)) != sizeof(event))
		return failed(c, "memory for operands", -EFAULT);
	r = make(c, TO, SYS_epoll_ctl, (uint64_t)set, EPOLL_CTL_DEL, (uint64_t)n, c->page[TO]);
	if (!r)
		r = make(c, TO, SYS_epoll_ctl, (uint64_t)set, EPOLL_CTL_ADD, (uint64_t)n, c->page[TO]);
	if (r)
		return cannot(c->why, "epoll set %d, where descriptor %d is registered: %s", set, n, strerror((int)-r));
	return true;
}

static bool carry_epoll(struct carrier *c, const struct mv_files *files, int set)
{
	char *text = NULL, *save = NULL, name[32];
	bool good = true;
	size_t len;

	snprintf(name, sizeof(name), "fdinfo/%d", set);
	if (mv_proc_slurp(c->to->process->tgid, name, &text, &len, NULL))
		return cannot(c->why, "epoll set %d, which cannot be read", set);
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
	struct open_fds fds;
	bool good = files;

	if (!files)
		return cannot(c->why, "the table of descriptors");
	list(c->to->process->tgid, &fds);
	for (unsigned i = 0; good && i < fds.count; i++) {
		read_link(c->to->process->tgid, fds.v[i].n, fds.v[i].what);
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
	struct stat_line a, b;
	int64_t r = 0;

	if (!read_stat(from, &a) || !read_stat(to, &b))
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
		return cannot(c->why, "memory for operands: %s", err.text[0] ? err.text : strerror((int)-result));
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

bool pt_carry(struct pt_task *from, struct pt_task *to, char why[PT_WHY])
{
	struct carrier c = { .from = from, .to = to, .why = why };
	uint64_t all = ~0ull, mask[2];
	bool good;

	c.insn[FROM] = from->pt->mode->call_at(from);
	c.insn[TO] = to->pt->mode->call_at(to);
	if (!c.insn[FROM] || !c.insn[TO])
		return cannot(why, "what it knows: there is no place to make calls from");
	for (int i = FROM; i <= TO; i++)
		if (ptrace(PTRACE_GETSIGMASK, side(&c, i)->tid, (void *)sizeof(mask[i]), &mask[i]) ||
		    ptrace(PTRACE_SETSIGMASK, side(&c, i)->tid, (void *)sizeof(all), &all))
			return cannot(why, "what it knows: it is gone");
	good = map_page(&c, FROM) && map_page(&c, TO) && carry_files(&c) && carry_epolls(&c) && carry_signals(&c) &&
	       carry_timers(&c) && carry_death_signal(&c) && carry_groups(&c) && carry_scheduling(&c);
	if (good && make(&c, TO, SYS_munmap, c.page[TO], 4096, 0, 0))
		good = cannot(why, "memory for operands");
	ptrace(PTRACE_SETSIGMASK, to->tid, (void *)sizeof(mask[TO]), &mask[TO]);
	pt_forget_pages(to->pt);
	return good;
}
