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

static bool open_file(int file, const struct pt_open_fd *d, char why[PT_WHY])
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
	if (!fcntl(file, F_GETOWN_EX, &owner) && owner.pid)
		return pt_cannot(why, "descriptor %d, whose owner gets signals (F_SETOWN)", d->n);
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

/* Its children are dead, and so are those of its twin; but those need not have died of the same. */
static bool children(pid_t pid, char why[PT_WHY])
{
	char *text = NULL, name[64];
	size_t len;
	bool none;

	snprintf(name, sizeof(name), "task/%d/children", pid);
	none = !mv_proc_slurp(pid, name, &text, &len, NULL) && !len;
	free(text);
	return none || pt_cannot(why, "children that it has not waited for");
}

/* Whose files, what privileges: in another user namespace the kernel would say otherwise. */
static bool users(pid_t from, pid_t to, char why[PT_WHY])
{
	char path[64], a[64] = "", b[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/ns/user", from);
	if (readlink(path, a, sizeof(a) - 1) < 0)
		return pt_cannot(why, "its user namespace, which pt_cannot be read");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", to);
	if (readlink(path, b, sizeof(b) - 1) < 0 || strcmp(a, b))
		return pt_cannot(why, "its user namespace: followers of an ordinary user are in others");
	return true;
}

bool pt_carryable(struct pt_task *from, struct pt_task *to, char why[PT_WHY])
{
	pid_t a = from->process->tgid, b = to->process->tgid;

	if (from->process->threads > 1 || to->process->threads > 1)
		return pt_cannot(why, "threads");
	return users(a, b, why) && groups(from, why) && children(a, why) && timers(a, why) && locks(a, why) && mappings(a, b, why) &&
	       pending(from, to, why) && descriptors(from, b, why);
}
