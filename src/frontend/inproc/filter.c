/*
 * The seccomp filter of a variant: calls from outside of the gate of its monitor stop.  Those from the gate go to the kernel,
 * but for what no variant may do, wherever the call comes from: what the table denies, and changes to the monitor's memory;
 * and but for what the supervisor looks at: calls that all variants must make, files that are opened to be written.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "bpf.h"
#include "engine/table.h"
#include "inproc.h"

#define NUMBER offsetof(struct seccomp_data, nr)
#define ARCH offsetof(struct seccomp_data, arch)
#define RIP offsetof(struct seccomp_data, instruction_pointer)
#define ARG(n) (offsetof(struct seccomp_data, args) + 8 * (n))
#define HIGH 4

#define ERRNO_MAX 256
#define RANGES_MAX (MV_TABLE_SIZE + 8)

struct filter {
	struct bpf *b;
	const struct in_image *image;
	const struct mv_policy *policy;
	bpf_place allow, service, import, guarded, sensitive, opening, trap, kill;	/* what is done */
	bpf_place errnos[ERRNO_MAX];		/* 0 = none written yet */
};

static bpf_place error(struct filter *f, unsigned err)
{
	bpf_place *at = &f->errnos[err % ERRNO_MAX];

	if (!*at)
		*at = bpf_return(f->b, SECCOMP_RET_ERRNO | err);
	return *at;
}

/* ---- memory ---- */

/*
 * Does the range that two arguments tell reach into the monitor's area?  By upper halves only: the supervisor looks closer.
 * Kernel addresses have 47 bits, so that what is added cannot overflow.
 */
static bpf_place if_touches(struct filter *f, unsigned addr, unsigned len, bpf_place yes, bpf_place no)
{
	struct bpf *b = f->b;

	bpf_if(b, BPF_JGE, (uint32_t)(f->image->low >> 32), yes, no);
	bpf_op(b, BPF_ALU | BPF_ADD | BPF_K, 1);
	bpf_op(b, BPF_ALU | BPF_ADD | BPF_X, 0);
	bpf_load(b, (unsigned)ARG(len) + HIGH);
	bpf_op(b, BPF_MISC | BPF_TAX, 0);
	bpf_if(b, BPF_JGT, (uint32_t)((f->image->high - 1) >> 32), no, b->n);
	bpf_load(b, (unsigned)ARG(addr) + HIGH);
	bpf_if(b, BPF_JGE, 1u << (47 - 32), yes, b->n);
	return bpf_load(b, (unsigned)ARG(len) + HIGH);
}

static bpf_place if_flag(struct filter *f, unsigned arg, uint32_t flag, bpf_place yes, bpf_place no)
{
	bpf_if(f->b, BPF_JSET, flag, yes, no);
	return bpf_load(f->b, (unsigned)ARG(arg));
}

/* Calls that change what is mapped, and those that open files: by what they are given. */
static bpf_place by_arguments(struct filter *f, unsigned nr)
{
	bpf_place at;

	switch (nr) {
	case SYS_mmap:
		at = if_touches(f, 0, 1, f->guarded, f->allow);
		return if_flag(f, 3, MAP_FIXED, at, f->allow);
	case SYS_mremap:
		at = if_touches(f, 4, 2, f->guarded, f->allow);
		at = if_flag(f, 3, MREMAP_FIXED, at, f->allow);
		return if_touches(f, 0, 1, f->guarded, at);
	case SYS_mprotect:
	case SYS_pkey_mprotect:
	case SYS_munmap:
	case SYS_madvise:
		return if_touches(f, 0, 1, f->guarded, f->allow);
	case SYS_pkey_free:	/* the next pkey_alloc would have it, open */
		if (!f->image->keyed)
			return f->allow;
		bpf_if(f->b, BPF_JEQ, MON_KEY, error(f, EINVAL), f->allow);
		return bpf_load(f->b, (unsigned)ARG(0));
	case SYS_shmat:
		return if_flag(f, 2, SHM_REMAP, error(f, EINVAL), f->allow);
	case SYS_open:
		return if_flag(f, 1, O_ACCMODE, f->opening, f->allow);
	case SYS_openat:
		return if_flag(f, 2, O_ACCMODE, f->opening, f->allow);
	case SYS_creat:
	case SYS_openat2:	/* its flags are in memory */
		return f->opening;
	default:
		return f->allow;
	}
}

/* Calls that the table allows. */
static bpf_place allowed_call(struct filter *f, unsigned nr)
{
	struct mv_call other = { .nr = nr, .args = { 1 } };
	bpf_place at = by_arguments(f, nr);

	if (mv_table[nr].flags & MV_DESC_PID && mv_call_is_sensitive(f->policy, &other)) {
		bpf_if(f->b, BPF_JEQ, 0, at, f->sensitive);
		at = bpf_load(f->b, ARG(0));
	}
	if (mv_table[nr].flags & MV_DESC_EXEC)	/* by every policy: a variant may be another build */
		return f->sensitive;
	if (mv_table[nr].flags & MV_DESC_PROT)	/* by every policy: new code is rewritten */
		at = if_flag(f, 2, mv_exec_bit(nr), f->sensitive, at);
	return at;
}

/* ---- the table ---- */

/* A call of this number with this value of what selects its row, if anything does. */
static bpf_place row(struct filter *f, const struct mv_desc *d, unsigned nr, uint32_t selector, bpf_place allowed)
{
	struct mv_call c = { .nr = nr };

	switch (d->cls) {
	case MV_CLASS_DENY:
		return error(f, d->err);
	case MV_CLASS_EMUL:
		return error(f, EPERM);
	case MV_CLASS_NONE:
		return error(f, ENOSYS);
	default:
		if (mv_table[nr].sel_arg < MV_NARGS)
			c.args[mv_table[nr].sel_arg] = selector;
		return mv_call_is_sensitive(f->policy, &c) ? f->sensitive : allowed;
	}
}

/* A selector that no row is for. */
static uint32_t unlisted(const struct mv_desc *d)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < d->nsubs && d->subs[i].selector <= value; i++)
		value = (uint32_t)d->subs[i].selector_last + 1;
	return value;
}

/* Where a call from the gate goes on; what decides about one is written before. */
static bpf_place number(struct filter *f, unsigned nr)
{
	const struct mv_desc *d = &mv_table[nr];
	struct bpf_range r[2 * RANGES_MAX];
	bpf_place allowed = allowed_call(f, nr), other = row(f, d, nr, unlisted(d), allowed);
	bool alike = true;
	unsigned n = 0;

	if (d->nsubs > RANGES_MAX - 1)
		return other;
	r[n++] = (struct bpf_range){ 0, other, 1 };
	for (unsigned i = 0; i < d->nsubs; i++) {
		const struct mv_desc *s = &d->subs[i];

		if (s->selector == r[n - 1].from)
			n--;
		r[n] = (struct bpf_range){ (uint32_t)s->selector, row(f, s, nr, (uint32_t)s->selector, allowed), 1 };
		alike &= r[n++].place == other;
		if (s->selector_last < UINT32_MAX)
			r[n++] = (struct bpf_range){ (uint32_t)s->selector_last + 1, other, 1 };
	}
	if (alike)
		return other;
	bpf_goto(f->b, bpf_ranges(f->b, r, n));
	return bpf_load(f->b, (unsigned)ARG(d->sel_arg));
}

/* What is called most is to be found first. */
static unsigned weight(unsigned nr)
{
	static const uint16_t often[] = {
		SYS_read, SYS_write, SYS_close, SYS_fstat, SYS_poll, SYS_lseek, SYS_rt_sigprocmask, SYS_pread64, SYS_pwrite64, SYS_readv,
		SYS_writev, SYS_getpid, SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg, SYS_getppid, SYS_futex, SYS_clock_gettime,
		SYS_epoll_wait, SYS_epoll_ctl, SYS_openat, SYS_newfstatat,
	};

	for (unsigned i = 0; i < sizeof(often) / sizeof(*often); i++)
		if (often[i] == nr)
			return 32;
	return 1;
}

static bpf_place from_gate(struct filter *f)
{
	struct bpf_range r[RANGES_MAX];
	unsigned n = 0;

	_Static_assert(MV_TABLE_SIZE < PT_IMPORT_NR && PT_IMPORT_NR + 1 == MON_SERVICE_NR && MON_SERVICE_NR + 1 == PT_TRAP_NR &&
		       PT_TRAP_NR + 1 == PT_KILL_NR, "ranges ascend");
	for (; n < MV_TABLE_SIZE; n++)
		r[n] = (struct bpf_range){ n, number(f, n), weight(n) };
	r[n++] = (struct bpf_range){ MV_TABLE_SIZE, error(f, ENOSYS), 1 };
	r[n++] = (struct bpf_range){ PT_IMPORT_NR, f->import, 1 };
	r[n++] = (struct bpf_range){ MON_SERVICE_NR, f->service, 32 };
	r[n++] = (struct bpf_range){ PT_TRAP_NR, f->trap, 1 };
	r[n++] = (struct bpf_range){ PT_KILL_NR, f->kill, 1 };
	r[n++] = (struct bpf_range){ PT_KILL_NR + 1, error(f, ENOSYS), 1 };
	bpf_goto(f->b, bpf_ranges(f->b, r, n));
	return bpf_load(f->b, NUMBER);
}

void in_filter_write(struct bpf *b, const struct in_image *image, const struct mv_policy *policy, uint64_t cookie)
{
	struct filter all = { .b = b, .image = image, .policy = policy }, *f = &all;
	uint64_t gate = image->info.gate;
	bpf_place other_arch, call, booting, outside, inside;

	f->guarded = bpf_return(b, SECCOMP_RET_TRACE | IN_GUARDED);
	f->sensitive = bpf_return(b, SECCOMP_RET_TRACE | IN_SENSITIVE);
	f->opening = bpf_return(b, SECCOMP_RET_TRACE | IN_OPENING);
	f->trap = bpf_return(b, SECCOMP_RET_TRAP);
	f->kill = bpf_return(b, SECCOMP_RET_KILL_PROCESS);
	other_arch = bpf_return(b, SECCOMP_RET_TRACE | IN_32BIT);
	call = bpf_return(b, SECCOMP_RET_TRACE | IN_CALL);
	f->service = bpf_return(b, SECCOMP_RET_TRACE | IN_SERVICE);

	bpf_return(b, SECCOMP_RET_USER_NOTIF);
	bpf_if(b, BPF_JEQ, (uint32_t)(cookie >> 32), b->n, call);
	bpf_load(b, (unsigned)ARG(5) + HIGH);
	bpf_if(b, BPF_JEQ, (uint32_t)cookie, b->n, call);
	f->import = bpf_load(b, (unsigned)ARG(5));

	/* From the boot agent's page.  Nothing of the program's can ever be there: it is in the monitor's area. */
	booting = bpf_return(b, SECCOMP_RET_ALLOW);
	bpf_if(b, BPF_JEQ, (uint32_t)(image->agent >> 32), booting, call);
	bpf_load(b, RIP + HIGH);
	bpf_if(b, BPF_JEQ, (uint32_t)image->agent, b->n, call);
	bpf_op(b, BPF_ALU | BPF_AND | BPF_K, 0xfffff000);
	booting = bpf_load(b, RIP);

	bpf_if(b, BPF_JEQ, PT_IMPORT_NR, f->import, booting);
	bpf_load(b, NUMBER);
	bpf_if(b, BPF_JEQ, AUDIT_ARCH_X86_64, b->n, other_arch);
	outside = bpf_load(b, ARCH);

	f->allow = bpf_return(b, SECCOMP_RET_ALLOW);
	inside = from_gate(f);
	bpf_if(b, BPF_JEQ, AUDIT_ARCH_X86_64, inside, other_arch);
	bpf_load(b, ARCH);
	bpf_if(b, BPF_JEQ, (uint32_t)(gate >> 32), b->n, outside);
	bpf_load(b, RIP + HIGH);
	bpf_if(b, BPF_JEQ, (uint32_t)gate, b->n, outside);
	bpf_op(b, BPF_ALU | BPF_AND | BPF_K, 0xfffff000);
	bpf_load(b, RIP);
}

bool in_filter(struct pt *pt, unsigned variant)
{
	struct bpf *b = calloc(1, sizeof(*b));
	struct sock_fprog program;
	bool good;

	if (!b)
		return false;
	in_filter_write(b, &pt->inproc->images[variant], pt->session->options->policy, pt->cookie);
	good = bpf_program(b, &program);
	if (good && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program) < 0)
		good = errno == EACCES && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
		       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program) >= 0;
	free(b);
	return good;
}
