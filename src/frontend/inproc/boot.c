/*
 * The monitor in a process that has just executed a program and was laid out: mapped, told what it must know, started.  It
 * starts the program when it is ready.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/log.h"
#include "frontend/ptrace/inject.h"
#include "frontend/ptrace/launch.h"
#include "inproc.h"

struct boot {
	struct pt_task *t;
	const struct mv_boot_plan *plan;
	uint64_t insn;			/* a system call instruction in the process */
	int fd;				/* the arena's in the process, -1 until it has one */
	struct mv_error err;
};

static int call(struct boot *b, const struct mv_inject_call *c, int64_t *result)
{
	return mv_inject_call(b->t->tid, b->plan->program, b->insn, c, result, &b->err);
}

/* The process has asked for a descriptor: the arena's. */
static int give_arena(void *ctx)
{
	struct boot *b = ctx;

	return pt_hand_over(b->t, b->t->pt->session->arena, &b->fd, false) == PT_IMPORT_FAILED ? -1 : 0;
}

static int map(struct boot *b, uint64_t at, uint64_t size, int prot, int flags, int fd, uint64_t offset)
{
	struct mv_inject_call c = {
		.nr = SYS_mmap, .args = { at, size, (uint64_t)prot, (uint64_t)(flags | MAP_FIXED_NOREPLACE), (uint64_t)fd, offset },
	};
	int64_t result;
	int r = call(b, &c, &result);

	if (!r && result != (int64_t)at)
		r = mv_error_set(&b->err, result < 0 ? (int)-result : EEXIST, "cannot map the monitor at %#lx", at);
	return r;
}

static int map_monitor(struct boot *b)
{
	struct pt *pt = b->t->pt;
	const struct in_image *m = &pt->inproc->images[b->t->variant];
	struct mv_inject_call import = { .nr = PT_IMPORT_NR, .args = { 0, 0, 0, 0, 0, pt->cookie }, .meanwhile = give_arena, .ctx = b };
	struct mv_inject_call done = { .nr = SYS_close };
	int64_t fd, result;
	int r;

	if ((r = call(b, &import, &fd)))
		return r;
	if (fd < 0)
		return mv_error_set(&b->err, (int)-fd, "the program has no descriptor free to start with");
	/* Shared: what is mapped like that and not writable cannot be written through /proc/PID/mem. */
	r = map(b, m->base, m->text, PROT_READ | PROT_EXEC, MAP_SHARED, (int)fd, m->file);
	if (!r)
		r = map(b, m->base + m->text, m->data, PROT_READ | PROT_WRITE, MAP_PRIVATE, (int)fd, m->file + m->text);
	if (!r)
		r = map(b, m->base + m->text + m->data, m->bss, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!r)
		r = map(b, m->heap, MON_HEAP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!r)
		r = map(b, m->arena, pt->session->options->arena_size, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
	done.args[0] = (uint64_t)fd;
	return r ? r : call(b, &done, &result);
}

static void add_mapping(struct mon_boot *boot, uint64_t start, uint64_t len, uint32_t ordinal, uint32_t flags)
{
	unsigned i = boot->nmappings++;

	boot->mappings[i].start = start;
	boot->mappings[i].len = len;
	boot->mappings[i].ordinal = ordinal;
	boot->mappings[i].flags = flags;
}

static int tell(struct boot *b)
{
	struct pt_task *t = b->t;
	struct pt *pt = t->pt;
	const struct mv_run_options *o = pt->session->options;
	const struct in_image *m = &pt->inproc->images[t->variant];
	const struct mv_boot_plan *plan = b->plan;
	struct mon_boot *boot = calloc(1, sizeof(*boot));
	bool good;

	if (!boot || plan->nmappings + 1 > MON_MAPPINGS_MAX) {
		free(boot);
		return mv_error_set(&b->err, ENOMEM, "cannot start the monitor");
	}
	boot->arena = m->arena;
	boot->arena_size = o->arena_size;
	boot->run = m->arena + ((uint64_t)pt->run - (uint64_t)pt->session->arena_at);
	boot->heap = m->heap;
	boot->heap_size = MON_HEAP;
	boot->mapped = in_mapped(pt, t->variant);
	boot->writable = in_writable(pt, t->variant);
	boot->low = m->low;
	boot->high = m->high;
	boot->variant = t->variant;
	boot->tid = t->id;
	boot->usable_cpus = (uint32_t)CPU_COUNT(&pt->cpus);
	boot->entry = plan->entry;
	boot->sp = plan->sp;
	boot->layout = pt->inproc->layouts[t->variant];
	t->inside->brk = boot->brk = (struct mv_brk){ .start = plan->brk_start, .cur = plan->brk_start, .limit = plan->brk_limit };
	for (unsigned i = 0; i < plan->nmappings; i++)
		add_mapping(boot, plan->mappings[i].start, plan->mappings[i].len, plan->mappings[i].ordinal,
			    plan->mappings[i].flags);
	add_mapping(boot, m->low, m->high - m->low, MV_MAP_OTHER, MV_MM_HIDDEN);
	if (t->inside->frozen) {
		boot->frozen_size = t->inside->frozen_size;
		boot->frozen = m->heap + MON_HEAP - ((boot->frozen_size + 4095) & ~4095ull);
		boot->heap_size = boot->frozen - m->heap;
	} else {
		for (int fd = 0; fd < MON_FDS_MAX; fd++)
			boot->fds[fd] = (uint8_t)pt_inherited_kind(fd);
	}
	good = pt_poke(t, m->info.boot, boot, sizeof(*boot)) == sizeof(*boot) &&
	       (!boot->frozen || pt_poke(t, boot->frozen, t->inside->frozen, boot->frozen_size) == boot->frozen_size);
	free(boot);
	free(t->inside->frozen);
	t->inside->frozen = NULL;
	return good ? 0 : mv_error_set(&b->err, errno, "cannot write the monitor's memory");
}

static int start(struct boot *b)
{
	struct pt_task *t = b->t;
	const struct mon_info *info = &t->pt->inproc->images[t->variant].info;

	if (!pt_get_regs(t))
		return mv_error_set(&b->err, ESRCH, "gone");
	t->regs.rip = info->start;
	t->regs.rsp = info->stack - 8;
	t->regs.gs_base = t->inside->head = info->thread;
	in_set_pending(t, t->held || t->inside->nudged);
	t->regs.orig_rax = (uint64_t)-1;
	return pt_set_regs(t) ? 0 : mv_error_set(&b->err, errno, "cannot set registers");
}

bool in_boot(struct pt_task *t)
{
	struct pt *pt = t->pt;
	struct boot b = { .t = t, .fd = -1 };
	struct mv_boot_plan plan;
	uint64_t all = ~0ull, mask;
	bool gone;
	int r;

	if (!pt_lay_out(t, &pt->inproc->layouts[t->variant], &plan, &gone))
		return gone;
	b.plan = &plan;
	t->inside->pseudo = false;
	in_process_free(t->process);
	ptrace(PTRACE_GETSIGMASK, t->tid, sizeof(mask), &mask);
	ptrace(PTRACE_SETSIGMASK, t->tid, sizeof(all), &all);
	r = mv_boot_find_syscall(t->tid, &b.insn, &b.err);
	if (!r)
		r = map_monitor(&b);
	if (!r)
		r = tell(&b);
	if (!r)
		r = start(&b);
	ptrace(PTRACE_SETSIGMASK, t->tid, sizeof(mask), &mask);
	mv_boot_plan_free(&plan);
	if (r && b.err.code != ESRCH)
		pt_fail(pt, 0, "cannot start the monitor in process %d of variant %u: %s", t->tid, t->variant, b.err.text);
	return !r || b.err.code == ESRCH;
}
