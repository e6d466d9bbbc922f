/*
 * Files in /proc that describe an address space with a monitor in it: the program gets copies that do not.  And files that
 * are ways to write to such memory: nobody gets them, from the gate neither.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/log.h"
#include "inproc.h"

/* A line "start-end ..." of maps and smaps, or "start ..." of numa_maps; what follows in smaps has names that are no numbers. */
static bool begins_mapping(const char *line, uint64_t *start, uint64_t *end)
{
	char *rest;

	*end = *start = strtoull(line, &rest, 16);
	if (rest == line || (*rest != '-' && *rest != ' '))
		return false;
	if (*rest == '-')
		*end = strtoull(rest + 1, NULL, 16);
	return true;
}

static bool is_monitors(const struct pt_task *t, uint64_t start)
{
	const struct in_image *m = &t->pt->inproc->images[t->variant];

	return (start >= m->low && start < m->high) || in_has_trampoline(t, start);
}

static void copy_without(const struct pt_task *t, FILE *from, FILE *to)
{
	uint64_t start, end;
	bool shown = true;
	enum in_text_line text;
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, from) > 0) {
		if (begins_mapping(line, &start, &end)) {
			shown = !is_monitors(t, start);
			text = shown ? in_text_show(t, line, to) : IN_TEXT_OTHER;
			shown &= text != IN_TEXT_HIDDEN;
			if (text == IN_TEXT_SHOWN)
				continue;
		}
		if (shown)
			fputs(line, to);
	}
	free(line);
}

/* smaps_rollup has one mapping, from the first one's start to the last one's end: the sums go without places. */
static void copy_sums(FILE *from, FILE *to)
{
	char *line = NULL;
	size_t size = 0;
	uint64_t start, end;

	while (getline(&line, &size, from) > 0)
		if (begins_mapping(line, &start, &end))
			fputs("00000000-7ffffffff000 ---p 00000000 00:00 0                          [rollup]\n", to);
		else
			fputs(line, to);
	free(line);
}

/* A thread of the process, one of ours, that path is below the directory of; *name is the rest.  NULL if it is something else. */
static const struct pt_task *described(const struct pt *pt, const char *path, const char **name)
{
	int pid, tid, at = 0;

	if (sscanf(path, "/proc/%d/%n", &pid, &at) != 1 || !at)
		return NULL;
	path += at;
	at = 0;
	if (sscanf(path, "task/%d/%n", &tid, &at) == 1 && at)
		path += at;
	*name = path;
	for (const struct pt_task *t = pt->tasks; t; t = t->hh.next)
		if (t->process->tgid == pid || t->tid == pid)
			return t;
	return NULL;
}

int in_proc_copy(const struct pt *pt, const char *path)
{
	const char *name;
	const struct pt_task *of = described(pt, path, &name);
	int fd = of ? memfd_create(name, MFD_CLOEXEC) : -1, again;
	FILE *from = fopen(path, "re"), *to = fd < 0 ? NULL : fdopen(dup(fd), "w");
	char self[40];
	int err = !of ? ESRCH : from && to ? 0 : errno;

	if (!err && !strcmp(name, "smaps_rollup"))
		copy_sums(from, to);
	else if (!err)
		copy_without(of, from, to);
	if (from)
		fclose(from);
	if (to && fclose(to) && !err)
		err = errno;
	/* As the file would be: for reading, from its beginning. */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	again = err ? -err : open(self, O_RDONLY | O_CLOEXEC);
	if (!err && again < 0)
		again = -errno;
	if (fd >= 0)
		close(fd);
	return again;
}

static bool one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

/* The arena and the monitor's image: variants have mapped it, and root can open what is mapped. */
static bool is_arena(const struct pt_task *t, int fd)
{
	struct stat arena, file;
	char link[48];

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", t->tid, fd);
	return !fstat(t->pt->session->arena, &arena) && !stat(link, &file) && arena.st_dev == file.st_dev && arena.st_ino == file.st_ino;
}

/* What is below the supervisor's own directory; NULL if it is something else. */
static const char *supervisors(const char *path)
{
	char own[32];
	int n = snprintf(own, sizeof(own), "/proc/%d/", getpid());

	return strncmp(path, own, (size_t)n) ? NULL : path + n;
}

enum in_proc_file in_proc_file(const struct pt_task *t, int fd, char *path, size_t size)
{
	static const char *const copied[] = { "maps", "smaps", "smaps_rollup", "numa_maps", NULL };
	static const char *const refused[] = { "mem", "pagemap", "clear_refs", "map_files", "syscall", NULL };
	char link[48];
	const char *name;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", t->tid, fd);
	n = readlink(link, path, size - 1);
	if (n < 0)
		return IN_PROC_OTHER;
	path[n] = 0;
	/* The supervisor knows of all variants where everything is. */
	name = supervisors(path);
	if (name)
		return one_of(name, copied) || one_of(name, refused) ? IN_PROC_REFUSED : IN_PROC_OTHER;
	if (is_arena(t, fd))
		return IN_PROC_REFUSED;
	if (!described(t->pt, path, &name))
		return IN_PROC_OTHER;
	return one_of(name, copied) ? IN_PROC_COPIED : one_of(name, refused) ? IN_PROC_REFUSED : IN_PROC_OTHER;
}

/* ---- opened to be written ---- */

static bool writes_to_us(const struct pt_task *t, int fd)
{
	char path[256] = "";

	return in_proc_file(t, fd, path, sizeof(path)) == IN_PROC_REFUSED || supervisors(path);
}

void in_opening(struct pt_task *t)
{
	t->inside->opening = true;
	pt_resume(t, PTRACE_SYSCALL, 0);
}

/* What it may not have is closed before it goes on. */
void in_opened(struct pt_task *t)
{
	struct user_regs_struct *r = &t->regs;
	int64_t fd = (int64_t)r->rax;

	t->inside->opening = false;
	if (fd < 0 || !writes_to_us(t, (int)fd))
		return;
	mv_log(MV_LOG_NOTICE, "variant %u: process %d opens a way to write to a monitor's memory: refused", t->variant, t->tid);
	r->rax = SYS_close;
	r->rdi = (uint64_t)fd;
	r->rip = t->pt->inproc->images[t->variant].info.refuse;
	r->orig_rax = (uint64_t)-1;
	pt_set_regs(t);
}
