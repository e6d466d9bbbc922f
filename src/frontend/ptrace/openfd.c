/*
 * Descriptors of the leader's and of its twin's, as /proc shows them.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "carry.h"

void pt_fd_link(pid_t pid, int n, char out[PT_FD_LINK])
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, n);
	len = readlink(path, out, PT_FD_LINK - 1);
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
	char path[64], link[PT_FD_LINK];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, n);
	pt_fd_link(pid, n, link);
	return !stat(path, &st) && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || strstr(link, "pidfd"));
}

static int by_number(const void *a, const void *b)
{
	return ((const struct pt_open_fd *)a)->n - ((const struct pt_open_fd *)b)->n;
}

void pt_open_list(pid_t pid, struct pt_open_fds *out)
{
	unsigned room = 0;
	struct dirent *e;
	char path[64];
	DIR *dir;

	*out = (struct pt_open_fds){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		if (out->count == room) {
			struct pt_open_fd *more = realloc(out->v, (room = room ? room * 2 : 64) * sizeof(*more));

			if (!more)
				break;
			out->v = more;
		}
		out->v[out->count++] = (struct pt_open_fd){ .n = atoi(e->d_name) };
	}
	if (dir)
		closedir(dir);
	if (out->count)
		qsort(out->v, out->count, sizeof(*out->v), by_number);
}

/* The leader's, with what the follower has in their places. */
bool pt_open_both(pid_t from, pid_t to, struct pt_open_fds *out, char why[PT_WHY])
{
	struct pt_open_fds other;
	unsigned same = 0;

	pt_open_list(from, out);
	pt_open_list(to, &other);
	while (same < out->count && same < other.count && out->v[same].n == other.v[same].n)
		same++;
	for (unsigned i = 0; i < out->count; i++) {
		struct pt_open_fd *d = &out->v[i];

		pt_fd_link(from, d->n, d->what);
		d->own = is_own(to, d->n);
		d->cloexec = open_flags(to, d->n) & O_CLOEXEC;
	}
	if (same != out->count || same != other.count) {
		const struct pt_open_fds *longer = same < out->count ? out : &other;

		pt_cannot(why, "descriptor %d, which only one of them has", longer->v[same].n);
		free(other.v);
		return false;
	}
	free(other.v);
	return true;
}

uint32_t pt_pidfd_process(void *task, int fd)
{
	const struct pt_task *t = task;
	FILE *f = open_info(t->process->tgid, fd);
	char line[200];
	int pid = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Pid: %d", &pid) == 1)
			break;
	if (f)
		fclose(f);
	if (pid <= 0)
		return 0;
	return (uint32_t)(t->variant ? pt_ids(pid).own : pid);
}

int pt_take_fd(struct pt_task *from, int n)
{
	if (from->process->pidfd < 0)
		from->process->pidfd = (int)syscall(SYS_pidfd_open, from->process->tgid, 0);
	return from->process->pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, from->process->pidfd, n, 0);
}
