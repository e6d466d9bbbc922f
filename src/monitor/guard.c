/*
 * Calls that the program gives an address of the monitor's, guessed or leaked: to them nothing is mapped there.  An argument
 * that points into the monitor's area is made to point into the gap at the area's beginning, where nothing is mapped indeed:
 * what the call does then is for the kernel to know.  Left are ranges that reach over the area, addresses behind pointers,
 * and what would have to be mapped there.
 */
#include "engine/internal.h"
#include "monitor/monitor.h"

#define PAGE 4096u
#define ADDRESSES_END (((uint64_t)1 << 47) - PAGE)
#define MAP_FIXED_ 0x10u
#define MAP_FIXED_NOREPLACE_ 0x100000u
#define MREMAP_FIXED_ 2u
#define SS_DISABLE_ 2u
#define SOL_SOCKET_ 1
#define SO_ATTACH_FILTER_ 26
#define SO_ATTACH_REUSEPORT_CBPF_ 51
#define FUTEX_WAITV_MAX 128

enum {
	NR_MMAP = 9, NR_MUNMAP = 11, NR_MREMAP = 25, NR_MADVISE = 28, NR_SETSOCKOPT = 54, NR_SIGALTSTACK = 131,
	NR_CLONE3 = 435, NR_FUTEX_WAITV = 449, NR_FUTEX_REQUEUE = 456,
};

/* ---- arguments ---- */

static bool is_number(const struct mv_desc *d, unsigned arg)
{
	for (unsigned i = 0; i < d->nin; i++)
		if (d->in[i].arg == arg)
			return d->in[i].kind == MV_KIND_U32 || d->in[i].kind == MV_KIND_U64 || d->in[i].kind == MV_KIND_FD ||
			       d->in[i].kind == MV_KIND_DFD;
	return false;		/* arguments that no row tells of: of prctl, futex */
}

static void redirect_arguments(struct mon_thread *m, const struct mv_desc *d, struct mv_call *c)
{
	for (unsigned i = 0; i < mv_table[c->nr].nargs; i++)
		if (mon_in_area(c->args[i]) && !is_number(d, i)) {
			/* A hint would be a good place. */
			c->args[i] = c->nr == NR_MMAP ? 0 : mon_boot.low + PAGE + c->args[i] % PAGE;
			m->reached = true;
		}
}

/* ---- the stack for signals: the kernel writes there long after it was told of it ---- */

/* One that touches the area is to be where nothing is mapped, as natively. */
bool mon_move_stack(struct mon_thread *m, struct mon_altstack *s)
{
	if (s->flags & SS_DISABLE_ || !mon_owns(s->sp, s->size))
		return false;
	s->sp = mon_boot.low + PAGE;
	if (s->size > MON_GAP - 2 * PAGE)
		s->size = MON_GAP - 2 * PAGE;
	m->reached = true;
	return true;
}

/* The kernel is told of a copy. */
static void redirect_stack(struct mon_thread *m, struct mv_call *c)
{
	struct mon_altstack *s = &m->altstack;

	if (!c->args[0] || mon_peek(NULL, c->args[0], s, sizeof(*s)) < sizeof(*s))
		return;
	c->args[0] = (uint64_t)s;
	mon_move_stack(m, s);
}

/* ---- ranges: calls that go on behind what is not mapped ---- */

static int64_t on_part(struct mv_call c, uint64_t start, uint64_t end)
{
	c.args[0] = start;
	c.args[1] = end - start;
	return mon_gate(&c);
}

/* For the part in the area that is in the gap stands. */
static int64_t in_parts(const struct mv_call *c)
{
	uint64_t start = c->args[0], end = start + c->args[1];
	int64_t gap = on_part(*c, mon_boot.low + PAGE, mon_boot.low + 2 * PAGE), r = 0;

	if (start < mon_boot.low)
		r = on_part(*c, start, mon_boot.low);
	if ((!r || r == -ENOMEM) && end > mon_boot.high)
		r = on_part(*c, mon_boot.high, end);
	return r ? r : gap;
}

static bool reaches_over(const struct mv_call *c)
{
	return (c->nr == NR_MUNMAP || c->nr == NR_MADVISE) && c->args[1] && mon_owns(c->args[0], c->args[1]);
}

/* One that the kernel would refuse as a whole; its parts it would not. */
static bool is_no_range(const struct mv_call *c)
{
	uint64_t start = c->args[0], len = (c->args[1] + PAGE - 1) & ~(uint64_t)(PAGE - 1);

	return start % PAGE || start + len <= start || (c->nr == NR_MUNMAP && start + len > ADDRESSES_END);
}

/* ---- places that are taken, which no program can know ---- */

static bool is_taken(const struct mv_call *c)
{
	if (c->nr == NR_MMAP)
		return c->args[3] & (MAP_FIXED_ | MAP_FIXED_NOREPLACE_) && mon_owns(c->args[0], c->args[1]);
	return c->nr == NR_MREMAP && c->args[3] & MREMAP_FIXED_ && mon_owns(c->args[4], c->args[2]);
}

/* ---- addresses behind pointers ---- */

/* Any of n words, stride bytes apart? */
static bool any_in_area(uint64_t at, unsigned n, unsigned stride)
{
	uint64_t word;

	for (; n; n--, at += stride)
		if (mon_peek(NULL, at, &word, sizeof(word)) == sizeof(word) && mon_in_area(word))
			return true;
	return false;
}

/* The argument that points to such an address, where the table does not tell of it; -1 if there is none. */
static int behind_pointer(const struct mv_call *c)
{
	const uint64_t *a = c->args;

	switch (c->nr) {
	case NR_CLONE3:			/* pidfd, child_tid, parent_tid; set_tid */
		return any_in_area(a[0] + 8, 3, 8) || (a[1] > 64 && any_in_area(a[0] + 64, 1, 8)) ? 0 : -1;
	case NR_FUTEX_WAITV:		/* value, address, flags */
		return any_in_area(a[0] + 8, (uint32_t)a[1] < FUTEX_WAITV_MAX ? (uint32_t)a[1] : FUTEX_WAITV_MAX, 24) ? 0 : -1;
	case NR_FUTEX_REQUEUE:
		return any_in_area(a[0] + 8, 2, 24) ? 0 : -1;
	case NR_SETSOCKOPT:		/* the length, and a program */
		return a[1] == SOL_SOCKET_ && (a[2] == SO_ATTACH_FILTER_ || a[2] == SO_ATTACH_REUSEPORT_CBPF_) &&
		       any_in_area(a[3] + 8, 1, 8) ? 3 : -1;
	default:
		return -1;
	}
}

/* Vectors and messages: what the call may write to. */
static bool written_in_area(const struct mv_thread *t)
{
	if (t->state == MV_ST_LOCAL)
		return false;
	for (unsigned i = 0; i < t->ndests; i++)
		if (t->dests[i].cap && mon_in_area(t->dests[i].addr) && t->dests[i].part != MV_PART_WHOLE)
			return true;
	return false;
}

static void redirect(struct mon_thread *m, const struct mv_desc *d, struct mv_call *c)
{
	redirect_arguments(m, d, c);
	if (c->nr == NR_SIGALTSTACK)
		redirect_stack(m, c);
}

bool mon_guard(struct mon_thread *m, struct mv_call *c, int64_t *result)
{
	const struct mv_thread *t = m->thread;
	int pointer;

	if (c->nr != t->call.nr)
		return false;		/* the engine's own */
	/* Its error, and whether it has the call at all, is for the kernel to say. */
	pointer = behind_pointer(c);
	if (pointer >= 0) {
		c->args[pointer] = mon_boot.low + PAGE;
		m->reached = true;
	}
	*result = 0;
	if (is_taken(c))
		*result = -ENOMEM;
	else if (m->nested || written_in_area(t))
		*result = -EFAULT;
	else if (reaches_over(c))
		*result = is_no_range(c) ? -EINVAL : in_parts(c);
	else
		return redirect(m, t->desc, c), false;
	m->reached = true;
	return true;
}

/* ---- gs ---- */

#define ARCH_SET_GS_ 0x1001
#define ARCH_GET_GS_ 0x1004

bool mon_segment(const struct mv_call *c, int64_t *result)
{
	static const uint64_t base;	/* what it is at the beginning, and stays */

	switch ((uint32_t)c->args[0]) {
	case ARCH_SET_GS_:
		if (c->args[1] && c->args[1] < ADDRESSES_END)
			mon_unsupported("arch_prctl(ARCH_SET_GS): with front-end inproc the monitor has gs for itself; use -f ptrace");
		*result = c->args[1] ? -EPERM : 0;
		return true;
	case ARCH_GET_GS_:
		*result = mon_poke(NULL, c->args[1], &base, sizeof(base)) == sizeof(base) ? 0 : -EFAULT;
		return true;
	default:
		return false;
	}
}
