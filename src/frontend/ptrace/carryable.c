/*
 * What cannot be carried of what a process of the leader's has in the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>
#include "carry.h"
#include "supervisor/procmaps.h"

#define MQUEUE_MAGIC 0x19800202

bool pt_cannot(char why[PT_WHY], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, PT_WHY, format, ap);
	va_end(ap);
	return false;
}

bool pt_read_stat(pid_t pid, struct pt_stat *s)
{
	char *text = NULL;
	size_t len;
	bool good = !mv_proc_slurp(pid, "stat", &text, &len, NULL) && strrchr(text, ')') &&
		    sscanf(strrchr(text, ')') + 1, " %*c %d %d %d %d", &s->parent, &s->group, &s->session, &s->terminal) == 4;

	free(text);
	return good;
}

struct pt_task *pt_owner(struct pt *pt, const struct f_owner_ex *owner)
{
	return owner->type == F_OWNER_PGRP ? NULL : pt_task_find(pt, owner->pid);
}

static bool open_file(struct pt *pt, int file, const struct pt_open_fd *d, char why[PT_WHY])
{
	struct f_owner_ex owner = { 0 };
	struct statfs fs;

	if (file < 0)
		return pt_cannot(why, "descriptor %d (%s): %s", d->n, d->what, strerror(errno));
	if (fcntl(file, F_GETFL) & O_PATH)
		return d->own || pt_cannot(why, "descriptor %d (%s), which is open as a path only", d->n, d->what);
	if (strstr(d->what, "pidfd") && !d->own)
		return pt_cannot(why, "descriptor %d, which stands for a process", d->n);
	if (!strncmp(d->what, "/memfd:", 7))
		return pt_cannot(why, "descriptor %d (%s): memory that others may have got", d->n, d->what);
	if (!fstatfs(file, &fs) && fs.f_type == MQUEUE_MAGIC)
		return pt_cannot(why, "descriptor %d, a message queue", d->n);
	if (!fcntl(file, F_GETOWN_EX, &owner) && owner.pid && !pt_owner(pt, &owner))
		return pt_cannot(why, "descriptor %d, whose owner is a process group or not of the run (F_SETOWN)", d->n);
	if (fcntl(file, F_GETLEASE) > 0 && fcntl(file, F_GETLEASE) != F_UNLCK)
		return pt_cannot(why, "descriptor %d, which has a lease", d->n);
	return true;
}

static bool descriptors(struct pt_task *from, pid_t to, char why[PT_WHY])
{
	struct pt_open_fds fds;
	bool good = pt_open_both(from->process->tgid, to, &fds, why);

	for (unsigned i = 0; good && i < fds.count; i++) {
		int file = pt_take_fd(from, fds.v[i].n);

		good = open_file(from->pt, file, &fds.v[i], why);
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
		return pt_cannot(why, "record locks: /proc/locks pt_cannot be read");
	while (good && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %15s %15s %15s %d %63s", kind, word, how, &owner, id) != 5 || owner != pid)
			continue;
		if (!strcmp(kind, "POSIX"))
			good = pt_cannot(why, "a record lock (fcntl F_SETLK) on file %s", id);
		else if (strcmp(kind, "FLOCK") && strcmp(kind, "OFDLCK"))
			good = pt_cannot(why, "a lease on file %s", id);
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
		return pt_cannot(why, "shared memory (%s) that others may have got", m->name);
	if (!strncmp(m->name, "/SYSV", 5))
		return pt_cannot(why, "shared memory of System V");
	if (m->perms[1] == 'w' || !has_shared(twins, m))
		return pt_cannot(why, "a shared mapping of %s", m->name[0] ? m->name : "a file");
	return true;
}

static bool mappings(pid_t from, pid_t to, char why[PT_WHY])
{
	struct mv_maps maps = { 0 }, twins = { 0 };
	bool good = !mv_maps_read(from, &maps, NULL) && !mv_maps_read(to, &twins, NULL);

	if (!good)
		pt_cannot(why, "the mappings, which pt_cannot be read");
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
	return none || pt_cannot(why, "a timer (timer_create)");
}

static bool pending(struct pt_task *from, struct pt_task *to, char why[PT_WHY])
{
	struct pt_sigsets a, b;
	uint64_t echo = 1ull << (SIGCHLD - 1);

	if (!pt_sigsets(from->tid, &a) || !pt_sigsets(to->tid, &b))
		return pt_cannot(why, "pending signals, which pt_cannot be read");
	if (b.pending & ~(a.pending | echo))
		return pt_cannot(why, "signals: one is pending in a follower only");
	return true;
}

/* Until it has its own, the first leader's process is in our group and session, another's in those of its namespace's first one. */
static bool groups(const struct pt_task *leader, char why[PT_WHY])
{
	pid_t from = leader->process->tgid, init = leader->pt->variants[leader->variant].init;
	pid_t session = init ? init : getsid(0), group = init ? init : getpgrp();
	struct pt_stat s;

	if (!pt_read_stat(from, &s))
		return pt_cannot(why, "its process group, which pt_cannot be read");
	if (s.session != from && s.session != session)
		return pt_cannot(why, "its session, which another process has begun");
	if (s.group != from && s.group != group)
		return pt_cannot(why, "its process group, which another process leads");
	if (s.terminal && s.session != session)
		return pt_cannot(why, "its controlling terminal");
	return true;
}

static bool same_link(const char *a, const char *b)
{
	char at[2][64];
	ssize_t n = readlink(a, at[0], sizeof(at[0]));

	return n > 0 && n == readlink(b, at[1], sizeof(at[1])) && !memcmp(at[0], at[1], (size_t)n);
}

/* What only the leader has done in them: mounts, devices and sockets, names. */
static bool namespaces(pid_t pid, char why[PT_WHY])
{
	static const struct { const char *file, *name; } kinds[] = { { "mnt", "mount" }, { "net", "network" }, { "uts", "UTS" } };
	char its[64], ours[64];

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		snprintf(its, sizeof(its), "/proc/%d/ns/%s", pid, kinds[i].file);
		snprintf(ours, sizeof(ours), "/proc/self/ns/%s", kinds[i].file);
		if (!same_link(its, ours))
			return pt_cannot(why, "a %s namespace of its own", kinds[i].name);
	}
	return true;
}

/* ---- children that it has not waited for ---- */

static int exit_code(pid_t pid)
{
	char *text = NULL, *last;
	size_t len;
	int code = -1;

	if (!mv_proc_slurp(pid, "stat", &text, &len, NULL) && (last = strrchr(text, ' ')))
		code = (int)strtol(last, NULL, 10);
	free(text);
	return code;
}

static char *children_of(const struct pt_task *t)
{
	char *text = NULL, name[64];
	size_t len;

	snprintf(name, sizeof(name), "task/%d/children", t->tid);
	if (mv_proc_slurp(t->process->tgid, name, &text, &len, NULL)) {
		free(text);
		return NULL;
	}
	return text;
}

/* The child of t's twin with the number, in its namespace, that one of t's children has; 0 if there is none. */
static pid_t twin_child(const struct pt_task *twin, pid_t number)
{
	char *text = children_of(twin), *save = NULL;
	pid_t found = 0;

	for (char *p = text ? strtok_r(text, " \n", &save) : NULL; p && !found; p = strtok_r(NULL, " \n", &save))
		if (pt_ids((pid_t)atoi(p)).own == number)
			found = (pid_t)atoi(p);
	free(text);
	return found;
}

/* Those that are dead must have died alike; the others are carried as it is. */
static bool children(struct pt_task *from, struct pt_task *to, char why[PT_WHY])
{
	char *text = children_of(from), *save = NULL;
	bool good = text;

	if (!text)
		return pt_cannot(why, "its children, which cannot be read");
	for (char *p = strtok_r(text, " \n", &save); p && good; p = strtok_r(NULL, " \n", &save)) {
		pid_t child = (pid_t)atoi(p), twin;

		if (pt_task_find(from->pt, child))
			continue;
		twin = twin_child(to, pt_ids(child).own);
		good = twin && exit_code(twin) == exit_code(child);
	}
	free(text);
	return good || pt_cannot(why, "a child that it has not waited for, and whose twin has not ended as it did");
}

/* ---- all of it ---- */

static bool process(struct pt_task *from, struct pt_task *to, char why[PT_WHY])
{
	pid_t a = from->process->tgid, b = to->process->tgid;

	return namespaces(a, why) && groups(from, why) && timers(a, why) && locks(a, why) && mappings(a, b, why) && descriptors(from, b, why);
}

static bool thread(struct pt_task *from, struct pt_task *to, char why[PT_WHY])
{
	return children(from, to, why) && pending(from, to, why);
}

bool pt_carryable(struct pt *pt, unsigned variant, char why[PT_WHY])
{
	bool good = true;

	for (struct pt_task *t = pt_next_process(pt, NULL); t && good; t = pt_next_process(pt, t))
		good = process(t, pt_task_twin(pt, variant, t->id), why);
	for (struct pt_task *t = pt->tasks; t && good; t = t->hh.next)
		good = !pt_leads(t) || t->ended || thread(t, pt_task_twin(pt, variant, t->id), why);
	return good;
}
