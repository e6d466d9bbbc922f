/*
 * Rewritten texts that all processes of the run share (rewrite/shared.h): in memfds, which nobody can write any more.  They take
 * the place of what the kernel has mapped at an exec, before the program's first instruction, and of what a process with one
 * thread maps then (the monitor asks).  What is shown of them in /proc is the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/log.h"
#include "rewriting.h"
#include "supervisor/boot.h"
#include "supervisor/procmaps.h"

#define NAME "mvarmor-text"
#define PAGE 4096u

/* ---- texts ---- */

void in_text_discard(struct in_text *text)
{
	mv_shared_free(&text->shared);
	if (text->fd >= 0)
		close(text->fd);
	if (text->file >= 0)
		close(text->file);
	free(text->device);
	free(text->path);
	free(text);
}

void in_texts_free(struct pt *pt)
{
	while (pt->inproc->texts) {
		struct in_text *text = pt->inproc->texts;

		pt->inproc->texts = text->next;
		in_text_discard(text);
	}
}

/* The file's bytes, in the kernel; behind its end a page is zeros. */
static bool copy_text(const struct in_text *text, int from)
{
	off_t at = (off_t)text->shared.offset;
	uint64_t left = text->shared.size;
	ssize_t n = 1;

	for (; left && n > 0; left -= (uint64_t)n) {
		n = sendfile(text->fd, from, &at, left);
		if (n < 0)
			return false;
	}
	return true;
}

/* A text keeps two descriptors for the run, and is a convenience: half of what we may have is for what cannot be done without. */
static bool scarce(int fd)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_NOFILE, &limit) && (rlim_t)fd >= limit.rlim_cur / 2;
}

static bool write_text(struct in_text *text, int from)
{
	uint64_t size = text->shared.size + text->shared.tramp_size;
	struct stat st;
	uint8_t *bytes;
	int r;

	text->fd = memfd_create(NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	text->file = fcntl(from, F_DUPFD_CLOEXEC, 3);
	if (text->fd < 0 || text->file < 0 || scarce(text->file) || ftruncate(text->fd, (off_t)size) || fstat(text->fd, &st) || !copy_text(text, from))
		return false;
	text->inode = st.st_ino;
	bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, text->fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	r = mv_shared_apply(&text->shared, MON_ENTRY, bytes);
	munmap(bytes, size);
	return !r && !fcntl(text->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}

struct in_text *in_text_make(const struct mv_plan *plan, int fd, uint64_t offset, uint64_t size, uint64_t seed)
{
	struct in_text *text = calloc(1, sizeof(*text));

	if (!text)
		return NULL;
	text->fd = text->file = -1;
	if (mv_shared_plan(plan, offset, size, seed, &text->shared) || !write_text(text, fd)) {
		in_text_discard(text);
		return NULL;
	}
	return text;
}

void in_text_keep(struct pt *pt, struct in_text *text)
{
	text->next = pt->inproc->texts;
	pt->inproc->texts = text;
	mv_log(MV_LOG_BOOT, "a text of %#lx bytes with %u call sites rewritten is made", text->shared.size, text->shared.n);
}

static bool is_of(const struct in_text *text, uint64_t offset, uint64_t size)
{
	return text && text->shared.offset == offset && text->shared.size == size;
}

/* Rewritten, the part of the file that is mapped from offset on; NULL if it cannot be had. */
static struct in_text *text_of(struct pt *pt, int fd, uint64_t offset, uint64_t size)
{
	struct in_plan *plan = in_plan_of(pt, fd);

	if (!plan)
		return NULL;
	if (!plan->tried && !is_of(plan->text, offset, size)) {
		plan->text = in_text_make(&plan->plan, fd, offset, size, pt->secret[1]);
		if (plan->text)
			in_text_keep(pt, plan->text);
	}
	plan->tried = true;
	return is_of(plan->text, offset, size) ? plan->text : NULL;
}

static bool is_loaded(const struct in_process *p, uint64_t at, struct in_text *text)
{
	for (unsigned i = 0; i < p->ntexts; i++)
		if (p->texts[i].at == at && p->texts[i].text == text)
			return true;
	return false;
}

static bool remember(struct in_process *p, uint64_t at, struct in_text *text)
{
	struct in_loaded *more;

	if (is_loaded(p, at, text))
		return true;
	more = p->ntexts < IN_TEXTS_MAX ? realloc(p->texts, (p->ntexts + 1) * sizeof(*more)) : NULL;
	if (!more)
		return false;
	p->texts = more;
	p->texts[p->ntexts++] = (struct in_loaded){ at, text };
	return true;
}

/* ---- at an exec ---- */

static bool is_free(const struct mv_boot_plan *plan, uint64_t start, uint64_t end)
{
	if (start >= end || (start < plan->brk_limit && plan->brk_start < end))
		return false;
	for (unsigned i = 0; i < plan->nmappings; i++)
		if (start < plan->mappings[i].start + plan->mappings[i].len && plan->mappings[i].start < end)
			return false;
	return true;
}

static int add_map(struct mv_boot_plan *plan, uint64_t at, uint64_t size, int flags, uint64_t offset, struct mv_error *err)
{
	const struct mv_boot_op op = {
		SYS_mmap, { at, size, PROT_READ | PROT_EXEC, (uint64_t)(flags | MAP_PRIVATE), (uint64_t)-1, offset }, MV_BOOT_MAPS_FD,
	};

	return mv_boot_add_op(plan, op, err);
}

static int map_over(struct mv_boot_plan *plan, const struct mv_boot_text *m, const struct mv_shared *s,
		    const struct mv_boot_op *import, const struct mv_boot_op *done, struct mv_error *err)
{
	int r = mv_boot_add_op(plan, *import, err);

	if (!r)
		r = add_map(plan, m->start + (uint64_t)s->distance, s->tramp_size, MAP_FIXED_NOREPLACE, s->size, err);
	if (!r)
		r = add_map(plan, m->start, m->len, MAP_FIXED, 0, err);
	return r ? r : mv_boot_add_op(plan, *done, err);
}

int in_texts_boot(struct pt_task *t, struct mv_boot_plan *plan, const struct mv_boot_op *import, const struct mv_boot_op *done,
		  int *fds, unsigned *n, struct mv_error *err)
{
	const struct in_image *image = &t->pt->inproc->images[t->variant];
	struct in_process *p = in_process_of(t);
	int r = 0;

	for (unsigned i = 0; i < plan->ntexts && p && !r; i++) {
		const struct mv_boot_text *m = &plan->texts[i];
		int fd = in_open_mapped(t->tid, m->old, m->old + m->len, m->name);
		struct in_text *text = fd < 0 ? NULL : text_of(t->pt, fd, m->offset, m->len);
		uint64_t start, end;

		if (fd >= 0)
			close(fd);
		if (!text)
			continue;
		start = m->start + (uint64_t)text->shared.distance;
		end = start + text->shared.tramp_size;
		if (start > m->start || !is_free(plan, start, end) || (start < image->high && image->low < end) ||
		    !remember(p, m->start, text))
			continue;
		fds[(*n)++] = text->fd;
		r = map_over(plan, m, &text->shared, import, done, err);
	}
	return r;
}

/* ---- what a process maps ---- */

void in_text_note(struct pt_task *t)
{
	const struct user_regs_struct *r = &t->regs;
	struct in_task *i = t->inside;

	i->mapped.size = 0;
	if (r->orig_rax != SYS_mmap || r->rdx != (PROT_READ | PROT_EXEC) || (r->r10 & (MAP_FIXED | MAP_ANONYMOUS)) != MAP_FIXED ||
	    (r->r10 & MAP_TYPE) != MAP_PRIVATE)
		return;
	i->mapped.at = r->rdi;
	i->mapped.size = (r->rsi + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	i->mapped.offset = r->r9;
	i->mapped.fd = (int)r->r8;
}

static void file_path(const struct pt_task *t, int fd, char path[48])
{
	snprintf(path, 48, "/proc/%d/fd/%d", t->tid, fd);
}

int in_text_offer(struct pt_task *t, uint64_t to)
{
	struct in_task *i = t->inside;
	struct in_process *p = in_process_of(t);
	struct in_text *text = NULL;
	struct mon_text x = { 0 };
	uint64_t tramps;
	char path[48];
	int fd;

	i->offered = NULL;
	if (!i->mapped.size || !p || p->borrowed || t->process->threads != 1)
		return -ENOENT;
	file_path(t, i->mapped.fd, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0) {
		text = text_of(t->pt, fd, i->mapped.offset, i->mapped.size);
		close(fd);
	}
	if (!text)
		return -ENOENT;
	tramps = i->mapped.at + (uint64_t)text->shared.distance;
	if (tramps > i->mapped.at)
		return -ENOENT;
	if (!is_loaded(p, i->mapped.at, text)) {
		x.maps[x.n].at = tramps;
		x.maps[x.n].size = text->shared.tramp_size;
		x.maps[x.n].offset = text->shared.size;
		x.maps[x.n++].flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE;
	}
	x.maps[x.n].at = i->mapped.at;
	x.maps[x.n].size = text->shared.size;
	x.maps[x.n].offset = 0;
	x.maps[x.n++].flags = MAP_PRIVATE | MAP_FIXED;
	if (pt_poke(t, to, &x, sizeof(x)) != sizeof(x))
		return -EFAULT;
	i->offered = text;
	i->offer = x;
	return text->fd;
}

bool in_text_is_offered(struct pt_task *t)
{
	const struct user_regs_struct *r = &t->regs;
	struct in_task *i = t->inside;
	struct stat st;
	char path[48];

	if (!i->offered || r->orig_rax != SYS_mmap || r->rdx != (PROT_READ | PROT_EXEC))
		return false;
	for (unsigned n = 0; n < i->offer.n; n++) {
		if (r->rdi != i->offer.maps[n].at || r->rsi != i->offer.maps[n].size || r->r10 != i->offer.maps[n].flags ||
		    r->r9 != i->offer.maps[n].offset)
			continue;
		file_path(t, (int)r->r8, path);
		if (stat(path, &st) || st.st_ino != i->offered->inode)
			return false;
		/* The text comes last: the trampolines are there. */
		return n + 1 < i->offer.n || remember(t->process->inside, i->mapped.at, i->offered);
	}
	return false;
}

/* ---- what /proc shows ---- */

#define PATH_COLUMN 73		/* of a line of maps, where addresses are short enough */

/* What the kernel says of mappings of the file: we map it for a moment. */
static bool ask_what_is_shown(struct in_text *text)
{
	void *at = text->device ? MAP_FAILED : mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, text->file, 0);
	char *line = NULL;
	size_t size = 0;
	FILE *f;

	if (at == MAP_FAILED)
		return text->device;
	f = fopen("/proc/self/maps", "re");
	while (f && !text->device && getline(&line, &size, f) > 0)
		if (strtoull(line, NULL, 16) == (uint64_t)at &&
		    sscanf(line, "%*s %*s %*s %ms %*s %m[^\n]", &text->device, &text->path) == 1) {
			free(text->device);
			text->device = NULL;
		}
	if (f)
		fclose(f);
	free(line);
	munmap(at, PAGE);
	return text->device;
}

static enum in_text_line show_mapping(const struct pt *pt, const char *line, FILE *to)
{
	uint64_t start, end, offset, inode;
	struct in_text *text = pt->inproc->texts;
	struct stat st;
	char perms[8];
	int n;

	if (sscanf(line, "%lx-%lx %7s %lx %*s %lu", &start, &end, perms, &offset, &inode) != 5)
		return IN_TEXT_OTHER;
	while (text && text->inode != inode)
		text = text->next;
	if (!text)
		return IN_TEXT_OTHER;
	if (offset >= text->shared.size || !ask_what_is_shown(text) || fstat(text->file, &st))
		return IN_TEXT_HIDDEN;
	n = fprintf(to, "%08lx-%08lx %s %08lx %s %lu ", start, end, perms, offset + text->shared.offset, text->device, st.st_ino);
	fprintf(to, "%*s%s\n", n < PATH_COLUMN ? PATH_COLUMN - n : 0, "", text->path);
	return IN_TEXT_SHOWN;
}

/* "start policy file=path pages ...": no offset tells what it is. */
static enum in_text_line show_numa(const struct pt_task *t, const char *line, FILE *to)
{
	const struct in_process *p = t->process->inside;
	const char *file = strstr(line, "file=/memfd:" NAME "\\040(deleted)"), *rest = file ? strchr(file, ' ') : NULL;
	uint64_t start = strtoull(line, NULL, 16);

	if (!rest)
		return IN_TEXT_OTHER;
	for (unsigned i = 0; p && i < p->ntexts; i++)
		if (p->texts[i].at == start && ask_what_is_shown(p->texts[i].text)) {
			fprintf(to, "%.*sfile=%s%s", (int)(file - line), line, p->texts[i].text->path, rest);
			return IN_TEXT_SHOWN;
		}
	return IN_TEXT_HIDDEN;
}

enum in_text_line in_text_show(const struct pt_task *t, const char *line, FILE *to)
{
	enum in_text_line r;

	if (!strstr(line, "/memfd:" NAME))
		return IN_TEXT_OTHER;
	r = show_mapping(t->pt, line, to);
	return r == IN_TEXT_OTHER ? show_numa(t, line, to) : r;
}

void in_text_rename(void *task, struct mv_maps *maps)
{
	const struct pt_task *t = task;
	const struct in_process *p = t->process->inside;

	for (unsigned i = 0; p && i < p->ntexts; i++) {
		const struct in_loaded *l = &p->texts[i];

		for (unsigned j = 0; j < maps->n; j++) {
			struct mv_map *m = &maps->maps[j];

			if (m->start - l->at >= l->text->shared.size || strcmp(m->name, "/memfd:" NAME " (deleted)") ||
			    !ask_what_is_shown(l->text))
				continue;
			m->name = l->text->path;
			m->offset += l->text->shared.offset;
		}
	}
}
