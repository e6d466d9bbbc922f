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
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/log.h"
#include "frontend/ptrace/inject.h"
#include "frontend/ptrace/launch.h"
#include "rewrite/shared.h"
#include "inproc.h"

struct boot {
	struct pt_task *t;
	int files[1 + MV_BOOT_TEXTS_MAX];	/* what the agent asks for, in this order */
	unsigned nfiles, given;
	int fd;				/* the next one's in the process, -1 until it has it */
};

static int give_files(void *ctx)
{
	struct boot *b = ctx;
	enum pt_import r = PT_IMPORT_SERVED;

	while (r == PT_IMPORT_SERVED && b->given < b->nfiles) {
		r = pt_hand_over(b->t, b->files[b->given], &b->fd, false);
		if (r == PT_IMPORT_SERVED) {
			b->given++;
			b->fd = -1;
		}
	}
	return r == PT_IMPORT_FAILED ? -1 : 0;
}

static int add_map(struct mv_boot_plan *plan, uint64_t at, uint64_t size, int prot, int flags, uint64_t offset,
		   struct mv_error *err)
{
	struct mv_boot_op op = {
		SYS_mmap, { at, size, (uint64_t)prot, (uint64_t)(flags | MAP_FIXED_NOREPLACE), (uint64_t)-1, offset },
		flags & MAP_ANONYMOUS ? 0 : MV_BOOT_MAPS_FD,
	};

	return mv_boot_add_op(plan, op, err);
}

/* What the agent maps of the monitor. */
static int add_monitor(struct mv_boot_plan *plan, void *ctx, struct mv_error *err)
{
	struct boot *b = ctx;
	const struct pt *pt = b->t->pt;
	const struct in_image *m = &pt->inproc->images[b->t->variant];
	const struct mv_boot_op import = { PT_IMPORT_NR, { 0, 0, 0, 0, 0, pt->cookie }, MV_BOOT_GIVES_FD };
	const struct mv_boot_op done = { SYS_close, { 0 }, MV_BOOT_CLOSES_FD };
	const int rw = PROT_READ | PROT_WRITE, anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
	const uint64_t bss = m->base + m->text + m->data, states = m->info.heads + MON_ENTRIES;
	int r;

	/* The text shared: what is mapped like that and not writable cannot be written through /proc/PID/mem. */
	if ((r = mv_boot_add_op(plan, import, err)) ||
	    (r = add_map(plan, m->base, m->text, PROT_READ | PROT_EXEC, MAP_SHARED, m->text_file, err)) ||
	    (r = add_map(plan, m->base + m->text, m->data, rw, MAP_PRIVATE, m->data_file, err)) ||
	    (r = add_map(plan, bss, m->info.heads - bss, rw, anonymous, 0, err)) ||
	    (r = add_map(plan, m->info.heads, MON_ENTRIES, PROT_READ, MAP_SHARED, m->heads_file, err)) ||
	    (r = add_map(plan, states, bss + m->bss - states, rw, anonymous, 0, err)) ||
	    (r = add_map(plan, m->heap, MON_HEAP, rw, anonymous | MAP_NORESERVE, 0, err)) ||
	    (r = add_map(plan, m->arena, pt->session->options->arena_size, rw, MAP_SHARED, 0, err)))
		return r;
	if ((r = mv_boot_add_op(plan, done, err)) ||
	    (pt->inproc->keys && (r = in_key_boot(m, pt->session->options->arena_size, plan, err))))
		return r;
	b->files[b->nfiles++] = pt->session->arena;
	return in_texts_boot(b->t, plan, &import, &done, b->files, &b->nfiles, err);
}

static void add_mapping(struct mon_boot *boot, uint64_t start, uint64_t len, uint32_t ordinal, uint32_t flags)
{
	unsigned i = boot->nmappings++;

	boot->mappings[i].start = start;
	boot->mappings[i].len = len;
	boot->mappings[i].ordinal = ordinal;
	boot->mappings[i].flags = flags;
}

static int tell(struct pt_task *t, const struct mv_boot_plan *plan, struct mv_error *err)
{
	struct pt *pt = t->pt;
	const struct mv_run_options *o = pt->session->options;
	const struct in_image *m = &pt->inproc->images[t->variant];
	struct mon_boot *boot = calloc(1, sizeof(*boot));
	struct statfs fs;
	bool good;

	if (!boot || plan->nmappings + 1 > MON_MAPPINGS_MAX) {
		free(boot);
		return mv_error_set(err, ENOMEM, "cannot start the monitor");
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
	boot->ticks = pt->inproc->ticks;
	if (!fstatfs(pt->session->arena, &fs))
		memcpy(&boot->files, &fs.f_fsid, sizeof(boot->files));
	boot->keys = pt->inproc->keys;
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
		_Static_assert(sizeof(boot->fds) == sizeof(pt->inherited), "all of them");
		memcpy(boot->fds, pt->inherited, sizeof(boot->fds));
	}
	good = pt_poke(t, m->info.boot, boot, sizeof(*boot)) == sizeof(*boot) &&
	       (!boot->frozen || pt_poke(t, boot->frozen, t->inside->frozen, boot->frozen_size) == boot->frozen_size);
	free(boot);
	free(t->inside->frozen);
	t->inside->frozen = NULL;
	return good ? 0 : mv_error_set(err, errno, "cannot write the monitor's memory");
}

/* The thread is at the agent's last call. */
static int start(struct pt_task *t, struct mv_error *err)
{
	const struct mon_info *info = &t->pt->inproc->images[t->variant].info;

	if (!pt_get_regs(t))
		return mv_error_set(err, ESRCH, "gone");
	t->regs.rip = info->start;
	t->regs.rsp = info->stack;
	t->regs.gs_base = t->inside->head = info->heads;
	in_set_pending(t, t->held || t->inside->nudged);
	return pt_set_regs(t) ? 0 : mv_error_set(err, errno, "cannot set registers");
}

bool in_boot(struct pt_task *t)
{
	struct pt *pt = t->pt;
	const struct in_image *m = &pt->inproc->images[t->variant];
	struct boot b = { .t = t, .fd = -1 };
	const struct mv_boot_extra extra = {
		.agent = m->agent, .last_insn = m->info.kernel, .below_interp = MV_SHARED_REACH, .add = add_monitor, .meanwhile = give_files, .ctx = &b,
	};
	struct mv_error err = { 0 };
	struct mv_boot_plan plan;
	bool gone;
	int r;

	in_process_free(t->process);
	if (!pt_lay_out(t, &pt->inproc->layouts[t->variant], &extra, &plan, &gone))
		return gone;
	t->inside->pseudo = false;
	r = tell(t, &plan, &err);
	if (!r)
		r = start(t, &err);
	mv_boot_plan_free(&plan);
	if (r && err.code != ESRCH)
		pt_fail(pt, 0, "cannot start the monitor in process %d of variant %u: %s", t->tid, t->variant, err.text);
	return !r || err.code == ESRCH;
}
