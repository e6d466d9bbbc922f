/*
 * Memory, registers and signal state of a stopped thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "pt.h"

#define PAGE 4096
#define NPAGES (sizeof(((struct pt *)0)->pages) / sizeof(struct pt_page))
#define SMALL 512	/* more is read directly */

static size_t read_memory(const struct pt_task *t, uint64_t addr, void *dst, size_t len)
{
	struct iovec local = { dst, len }, remote = { (void *)addr, len };
	ssize_t n = process_vm_readv(t->tid, &local, 1, &remote, 1, 0);

	return n < 0 ? 0 : (size_t)n;
}

void pt_forget_pages(struct pt *pt)
{
	pt->npages = 0;
}

/* NULL if it cannot be read. */
static const struct pt_page *page_at(const struct pt_task *t, uint64_t addr)
{
	struct pt *pt = t->pt;
	struct pt_page *p;

	for (unsigned i = 0; i < pt->npages && i < NPAGES; i++)
		if (pt->pages[i].of == t && pt->pages[i].addr == addr)
			return &pt->pages[i];
	p = &pt->pages[pt->npages % NPAGES];
	p->of = NULL;
	if (read_memory(t, addr, p->bytes, PAGE) != PAGE)
		return NULL;
	p->of = t;
	p->addr = addr;
	pt->npages++;
	return p;
}

size_t pt_peek(void *task, uint64_t addr, void *dst, size_t len)
{
	struct pt_task *t = task;
	uint64_t offset = addr % PAGE;
	const struct pt_page *p;

	if (len > SMALL || offset + len > PAGE)
		return read_memory(t, addr, dst, len);
	p = page_at(t, addr - offset);
	if (!p)
		return 0;
	memcpy(dst, p->bytes + offset, len);
	return len;
}

size_t pt_poke(void *task, uint64_t addr, const void *src, size_t len)
{
	struct pt_task *t = task;
	struct iovec local = { (void *)src, len }, remote = { (void *)addr, len };
	ssize_t n = process_vm_writev(t->tid, &local, 1, &remote, 1, 0);

	pt_forget_pages(t->pt);
	return n < 0 ? 0 : (size_t)n;
}

bool pt_peek_str(struct pt_task *t, uint64_t addr, char *dst, size_t size)
{
	for (size_t n = 0; n < size;) {
		size_t want = 4096 - ((addr + n) & 4095), got;

		if (want > size - n)
			want = size - n;
		got = pt_peek(t, addr + n, dst + n, want);
		if (memchr(dst + n, 0, got))
			return true;
		if (got < want)
			break;
		n += got;
	}
	dst[0] = 0;
	return false;
}

/* ESRCH is no error here: the thread was killed, and its end will be reported. */
bool pt_get_regs(struct pt_task *t)
{
	t->have_regs = !ptrace(PTRACE_GETREGS, t->tid, 0, &t->regs);
	return t->have_regs;
}

bool pt_set_regs(struct pt_task *t)
{
	return !ptrace(PTRACE_SETREGS, t->tid, 0, &t->regs);
}

bool pt_set_reg(struct pt_task *t, size_t offset, uint64_t value)
{
	return !ptrace(PTRACE_POKEUSER, t->tid, offset, value);
}

bool pt_get_call(struct pt_task *t, uint64_t *message)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof(info), &info) < 0)
		return false;
	t->ip = info.instruction_pointer;
	t->now.nr = (uint32_t)info.seccomp.nr;
	memcpy(t->now.args, info.seccomp.args, sizeof(t->now.args));
	*message = info.seccomp.ret_data;
	return true;
}

bool pt_get_result(struct pt_task *t)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof(info), &info) < 0)
		return false;
	t->ip = info.instruction_pointer;
	t->result = info.exit.rval;
	return true;
}

void pt_resume(struct pt_task *t, int request, int sig)
{
	t->at = PT_RUNNING;
	t->parked = false;
	t->have_regs = false;
	pt_forget_pages(t->pt);
	ptrace((enum __ptrace_request)request, t->tid, 0, (void *)(long)sig);
	if (request == PTRACE_CONT)
		pt_nudge(t);
}

/* /proc/TID/status, one read. */
static bool status(pid_t tid, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	return true;
}

static uint64_t mask(const char *text, const char *name)
{
	const char *p = strstr(text, name);

	return p ? strtoull(p + strlen(name), NULL, 16) : 0;
}

bool pt_sigsets(pid_t tid, struct pt_sigsets *out)
{
	char text[4096];

	if (!status(tid, text, sizeof(text)))
		return false;
	out->pending = mask(text, "\nSigPnd:") | mask(text, "\nShdPnd:");
	out->blocked = mask(text, "\nSigBlk:");
	out->ignored = mask(text, "\nSigIgn:");
	out->caught = mask(text, "\nSigCgt:");
	return true;
}

char pt_state(pid_t tid)
{
	static const char name[] = "\nState:\t";
	char text[4096], *p;

	if (!status(tid, text, sizeof(text)))
		return 0;
	p = strstr(text, name);
	return p ? p[sizeof(name) - 1] : 0;
}

enum pt_effect pt_effect(const struct pt_sigsets *s, int sig)
{
	uint64_t bit = 1ull << (sig - 1);

	if (s->caught & bit)
		return PT_EFFECT_DELIVER;
	if (s->ignored & bit)
		return PT_EFFECT_NOTHING;
	switch (sig) {
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
	case SIGWINCH:
		return PT_EFFECT_NOTHING;
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return PT_EFFECT_STOP;
	default:
		return PT_EFFECT_DELIVER;
	}
}

static pid_t number(const char *text, const char *what)
{
	const char *p = strstr(text, what);

	return p ? (pid_t)strtol(p + strlen(what), NULL, 10) : 0;
}

struct pt_ids pt_ids(pid_t tid)
{
	struct pt_ids ids = { 0 };
	char text[4096], *p, *last;

	if (!status(tid, text, sizeof(text)))
		return ids;
	ids.group = number(text, "\nTgid:");
	ids.parent = number(text, "\nPPid:");
	ids.own = tid;
	p = strstr(text, "\nNSpid:");
	if (!p)
		return ids;
	p += strlen("\nNSpid:");
	p[strcspn(p, "\n")] = 0;
	last = strrchr(p, '\t');
	ids.own = (pid_t)strtol(last ? last : p, NULL, 10);
	return ids;
}

/* Not through the vDSO, which reads the time stamp counter. */
void pt_now(struct timespec *now)
{
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, now);
}

long pt_ms_since(const struct timespec *then)
{
	struct timespec now;

	pt_now(&now);
	return (now.tv_sec - then->tv_sec) * 1000 + (now.tv_nsec - then->tv_nsec) / 1000000;
}

void *pt_alloc(size_t size)
{
	return calloc(1, size);
}

void pt_free(void *p, size_t size)
{
	(void)size;
	free(p);
}
