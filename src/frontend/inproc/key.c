/*
 * A protection key for the monitor's memory, so that the program's own loads and stores do not get there (monitor/keys.S).
 */
#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "engine/table.h"
#include "inproc.h"
#include "needs.h"
#include "supervisor/boot.h"

#define XSAVE_LEAF 0xd
#define XSAVE_PKRU 9
#define RDTSC_LEN 2

uint32_t in_key_offset(void)
{
	struct mv_error err;
	unsigned a, offset, c, d;

	if (in_needs_keys(&err) || !__get_cpuid_count(XSAVE_LEAF, XSAVE_PKRU, &a, &offset, &c, &d))
		return 0;
	return offset;
}

static int add(struct mv_boot_plan *plan, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, struct mv_error *err)
{
	return mv_boot_add_op(plan, (struct mv_boot_op){ (uint64_t)nr, { a, b, c, d }, 0 }, err);
}

/* The kernel gives the lowest key that is free.  Heads and scratch are what the program's instructions must get at. */
int in_key_boot(const struct in_image *m, uint64_t arena_size, struct mv_boot_plan *plan, struct mv_error *err)
{
	const uint64_t rw = PROT_READ | PROT_WRITE, data = m->base + m->text;
	int r = 0;

	for (unsigned key = 1; key <= MON_KEY && !r; key++)
		r = add(plan, SYS_pkey_alloc, 0, PKEY_DISABLE_ACCESS, 0, 0, err);
	for (unsigned key = 1; key < MON_KEY && !r; key++)
		r = add(plan, SYS_pkey_free, key, 0, 0, 0, err);
	if (r || (r = add(plan, SYS_pkey_mprotect, m->base, m->text, PROT_READ | PROT_EXEC, MON_KEY, err)) ||
	    (r = add(plan, SYS_pkey_mprotect, data, m->info.heads - data, rw, MON_KEY, err)) ||
	    (r = add(plan, SYS_pkey_mprotect, m->info.heads + MON_ENTRIES, MON_ENTRIES, rw, MON_KEY, err)) ||
	    (r = add(plan, SYS_pkey_mprotect, m->heap, MON_HEAP, rw, MON_KEY, err)))
		return r;
	return add(plan, SYS_pkey_mprotect, m->arena, arena_size, rw, MON_KEY, err);
}

/* The frame as mon_entry_closed would have filled it. */
static bool fill_frame(struct pt_task *t)
{
	const struct user_regs_struct *r = &t->regs;
	struct mon_frame f = {
		r->r15, r->r14, r->r13, r->r12, r->rbx, r->rbp, r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9, r->rax, r->rcx, r->rsp,
		r->eflags,
	};
	uint64_t at;

	return pt_peek(t, t->inside->head + MON_FRAME, &at, sizeof(at)) == sizeof(at) && pt_poke(t, at, &f, sizeof(f)) == sizeof(f);
}

/* t has been about to go to the monitor's entry, or to that for looks at the counter. */
static bool enter(struct pt_task *t, bool look)
{
	const struct mon_info *info = &t->pt->inproc->images[t->variant].info;

	if (look) {
		t->regs.rip = t->regs.rax - RDTSC_LEN;
		return in_send_counter(t, MV_PSEUDO_RDTSC);
	}
	if (!fill_frame(t))
		return false;
	t->regs.rip = info->filled_closed;
	if (pt_set_regs(t))
		pt_resume(t, PTRACE_CONT, 0);
	return true;
}

bool in_key_fault(struct pt_task *t, const siginfo_t *info)
{
	const struct in_image *m = &t->pt->inproc->images[t->variant];
	const struct mon_info *i = &m->info;
	uint64_t rip = t->regs.rip, at = (uint64_t)info->si_addr;
	bool closed = info->si_signo == SIGSEGV && info->si_code == SEGV_PKUERR;
	char text[160];

	if (closed && (rip == i->entry || rip == i->look))
		return enter(t, rip == i->look);
	if (closed && in_has_trampoline(t, rip) && at - t->inside->head < sizeof(struct mon_head))
		return enter(t, at == t->inside->head + MON_LOOK);
	if (rip != i->die && (!closed || in_where(t) == IN_PROGRAM || at < m->low || at >= m->high))
		return false;
	snprintf(text, sizeof(text), "variant %u has come into the midst of the monitor", t->variant);
	mv_run_breach(t->pt->run, t->variant, text);
	return true;
}
