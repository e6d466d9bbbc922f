/*
 * What is to be done about a program before it is executed.
 *
 * A variant that is another build of the program executes its own build again, whatever name the program knows itself by: the
 * path is replaced when the call has been compared and is about to be made.
 *
 * Programs for another architecture than ours: the kernel would start a 32-bit program, but nothing could follow it.  The
 * caller gets what a kernel without 32-bit support answers.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/log.h"
#include "pt.h"
#include "supervisor/builds.h"

/* The file as the supervisor can open it, or -1. */
static int open_program(const struct pt_task *t, const struct mv_call *call, const char *path)
{
	char full[4352];

	if (*path == '/')
		snprintf(full, sizeof(full), "/proc/%d/root%s", t->tid, path);
	else if (call->nr == SYS_execveat && (int)call->args[0] >= 0)
		snprintf(full, sizeof(full), "/proc/%d/fd/%d%s%s", t->tid, (int)call->args[0], *path ? "/" : "", path);
	else
		snprintf(full, sizeof(full), "/proc/%d/cwd/%s", t->tid, path);
	return open(full, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

int pt_may_exec(void *task, const struct mv_call *call)
{
	struct pt_task *t = task;
	char path[4096] = "";
	Elf64_Ehdr e;
	ssize_t n;
	int fd;

	pt_peek_str(t, call->args[call->nr == SYS_execveat ? 1 : 0], path, sizeof(path));
	fd = open_program(t, call, path);
	if (fd < 0)
		return 0;	/* the kernel will say what is wrong */
	n = read(fd, &e, sizeof(e));
	close(fd);
	if (n < (ssize_t)sizeof(e) || memcmp(e.e_ident, ELFMAG, SELFMAG))
		return 0;
	if (e.e_ident[EI_CLASS] == ELFCLASS64 && e.e_machine == EM_X86_64)
		return 0;
	mv_log(MV_LOG_NOTICE, "%s is not an x86-64 program: it cannot run here", path);
	return -ENOEXEC;
}

#define RED_ZONE 128

uint64_t pt_below_stack(struct pt_task *t, const char *text, uint64_t stack)
{
	size_t len = strlen(text) + 1;

	/* Nobody has anything there. */
	stack -= RED_ZONE + len;
	return pt_poke(t, stack, text, len) == len ? stack : 0;
}

uint64_t pt_own_build(struct pt_task *t, const struct mv_call *call, uint64_t stack)
{
	const struct mv_run_options *o = t->pt->session->options;
	char path[4096] = "";
	const char *instead;
	struct stat st;
	int fd;

	if (call->nr != SYS_execve || !o->builds[t->variant].path)
		return 0;
	pt_peek_str(t, call->args[0], path, sizeof(path));
	fd = open_program(t, call, path);
	if (fd < 0)
		return 0;
	instead = fstat(fd, &st) ? NULL : mv_build_instead(o, t->pt->session->path, t->variant, &st);
	close(fd);
	return instead ? pt_below_stack(t, instead, stack) : 0;
}
