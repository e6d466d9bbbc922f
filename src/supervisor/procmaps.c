#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include "supervisor/procmaps.h"

static int open_proc(pid_t pid, const char *name, struct mv_error *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return mv_error_set(err, errno, "cannot open %s", path);
	return fd;
}

int mv_proc_slurp(pid_t pid, const char *name, char **text, size_t *len, struct mv_error *err)
{
	size_t size = 16384, used = 0;
	char *buf = NULL, *bigger;
	ssize_t n = 1;
	int fd, code = 0;

	fd = open_proc(pid, name, err);
	if (fd < 0)
		return fd;
	while (n > 0 && !code) {
		if (!buf || size - used < 4096) {
			size *= buf ? 2 : 1;
			bigger = realloc(buf, size);
			if (!bigger) {
				code = ENOMEM;
				break;
			}
			buf = bigger;
		}
		n = read(fd, buf + used, size - used - 1);
		if (n > 0)
			used += (size_t)n;
		else if (n < 0)
			code = errno;
	}
	close(fd);
	if (code) {
		free(buf);
		return mv_error_set(err, code, "cannot read /proc/%d/%s", (int)pid, name);
	}
	buf[used] = 0;
	*text = buf;
	*len = used;
	return 0;
}

static bool parse_limit(char **at, rlim_t *limit)
{
	char *end;

	*at += strspn(*at, " ");
	if (!strncmp(*at, "unlimited", 9)) {
		*at += 9;
		*limit = RLIM_INFINITY;
		return true;
	}
	*limit = strtoull(*at, &end, 10);
	if (end == *at)
		return false;
	*at = end;
	return true;
}

int mv_proc_limit_by_name(pid_t pid, const char *name, struct rlimit *limit, struct mv_error *err)
{
	char *text, *at;
	size_t len;
	bool found;
	int r = mv_proc_slurp(pid, "limits", &text, &len, err);

	if (r)
		return r;
	at = strstr(text, name);
	if (at)
		at += strlen(name);
	found = at && parse_limit(&at, &limit->rlim_cur) && parse_limit(&at, &limit->rlim_max);
	free(text);
	return found ? 0 : mv_error_set(err, EIO, "/proc/%d/limits does not tell \"%s\"", (int)pid, name);
}

int mv_proc_limit(pid_t pid, int resource, struct rlimit *limit, struct mv_error *err)
{
	static const char *const names[] = {
		[RLIMIT_DATA] = "Max data size", [RLIMIT_STACK] = "Max stack size", [RLIMIT_AS] = "Max address space",
	};

	return prlimit(pid, (__rlimit_resource_t)resource, NULL, limit) ? mv_proc_limit_by_name(pid, names[resource], limit, err) : 0;
}

/* "start-end perms offset major:minor inode   name"; the line ends with NUL. */
static int parse_line(char *line, struct mv_map *map)
{
	char *p = line, *perms;

	map->start = strtoull(p, &p, 16);
	if (*p++ != '-')
		return -1;
	map->end = strtoull(p, &p, 16);
	if (*p++ != ' ' || strlen(p) < 5)
		return -1;
	perms = p;
	memcpy(map->perms, perms, 4);
	map->perms[4] = 0;
	map->offset = strtoull(perms + 4, &p, 16);
	if (*p != ' ')
		return -1;
	for (int field = 0; field < 2; field++) {	/* device, inode */
		p += strspn(p, " ");
		p += strcspn(p, " ");
	}
	map->name = p + strspn(p, " ");
	return 0;
}

int mv_maps_read(pid_t pid, struct mv_maps *maps, struct mv_error *err)
{
	size_t len, lines = 0;
	char *line, *next;
	int r;

	memset(maps, 0, sizeof(*maps));
	r = mv_proc_slurp(pid, "maps", &maps->text, &len, err);
	if (r)
		return r;
	for (size_t i = 0; i < len; i++)
		lines += maps->text[i] == '\n';
	maps->maps = calloc(lines + 1, sizeof(*maps->maps));
	if (!maps->maps)
		return mv_error_set(err, ENOMEM, "cannot read /proc/%d/maps", (int)pid);
	for (line = maps->text; *line; line = next) {
		next = strchrnul(line, '\n');
		if (*next)
			*next++ = 0;
		if (maps->n > lines || parse_line(line, &maps->maps[maps->n]))
			return mv_error_set(err, EIO, "/proc/%d/maps has a line \"%.120s\"", (int)pid, line);
		maps->n++;
	}
	return 0;
}

void mv_maps_free(struct mv_maps *maps)
{
	free(maps->maps);
	free(maps->text);
	memset(maps, 0, sizeof(*maps));
}

const struct mv_map *mv_maps_overlap(const struct mv_maps *maps, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < maps->n; i++)
		if (maps->maps[i].start < end && start < maps->maps[i].end)
			return &maps->maps[i];
	return NULL;
}

const struct mv_map *mv_maps_find(const struct mv_maps *maps, uint64_t addr)
{
	return mv_maps_overlap(maps, addr, addr + 1);
}

int mv_auxv_read(pid_t pid, struct mv_auxv *auxv, struct mv_error *err)
{
	int fd = open_proc(pid, "auxv", err);
	ssize_t n;
	int code;

	if (fd < 0)
		return fd;
	n = read(fd, auxv->v, sizeof(auxv->v));
	code = n < 0 ? errno : EIO;
	close(fd);
	if (n > 0)
		for (auxv->n = 0; auxv->n < (size_t)n / sizeof(auxv->v[0]); auxv->n++)
			if (auxv->v[auxv->n].type == AT_NULL)
				return 0;
	return mv_error_set(err, code, "cannot read /proc/%d/auxv (%zd bytes)", (int)pid, n);
}

uint64_t mv_auxv_get(const struct mv_auxv *auxv, uint64_t type)
{
	for (unsigned i = 0; i < auxv->n; i++)
		if (auxv->v[i].type == type)
			return auxv->v[i].value;
	return 0;
}

int mv_proc_peek(pid_t pid, uint64_t addr, void *dst, size_t len, struct mv_error *err)
{
	struct iovec local = { dst, len }, remote = { (void *)(uintptr_t)addr, len };
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (n == (ssize_t)len)
		return 0;
	return mv_error_set(err, n < 0 ? errno : EFAULT, "cannot read %zu bytes at %#llx of process %d", len,
			    (unsigned long long)addr, (int)pid);
}
