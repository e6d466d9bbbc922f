#include "internal.h"

static const struct mv_desc *find_sub(const struct mv_desc *d, uint64_t value)
{
	unsigned lo = 0, hi = d->nsubs;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (d->subs[mid].selector_last < value)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < d->nsubs && d->subs[lo].selector <= value ? &d->subs[lo] : NULL;
}

const struct mv_desc *mv_lookup(const struct mv_call *call)
{
	const struct mv_desc *d;

	if (call->nr < MV_TABLE_SIZE)
		d = &mv_table[call->nr];
	else if (call->nr >= MV_PSEUDO_BASE && call->nr < MV_PSEUDO_END)
		d = &mv_pseudo_table[call->nr - MV_PSEUDO_BASE];
	else
		return NULL;
	if (d->cls == MV_CLASS_NONE)
		return NULL;
	if (d->nsubs) {
		/* Selectors are ints in the kernel: what stands in the upper half does not count. */
		const struct mv_desc *sub = find_sub(d, (uint32_t)call->args[d->sel_arg]);

		if (sub)
			return sub;
	}
	return d;
}

const char *mv_call_name(const struct mv_call *call)
{
	const struct mv_desc *d = mv_lookup(call);

	return d ? d->name : "unknown call";
}

bool mv_operand_there(const struct mv_operand *o, const uint64_t args[MV_NARGS])
{
	uint32_t value = (uint32_t)args[o->cond_arg < MV_NARGS ? o->cond_arg : 0];

	switch (o->cond) {
	case MV_COND_ANY:
		return (value & o->cond_mask) != 0;
	case MV_COND_NONE:
		return (value & o->cond_mask) == 0;
	case MV_COND_SET:
		return args[o->cond_arg < MV_NARGS ? o->cond_arg : 0] != 0;
	case MV_COND_EQ:
		return value == o->cond_mask;
	default:
		return true;
	}
}

enum { NR_RT_SIGSUSPEND = 130, NR_PSELECT6 = 270, NR_PPOLL = 271, NR_EPOLL_PWAIT = 281, NR_EPOLL_PWAIT2 = 441 };

uint64_t mv_temporary_mask(const struct mv_call *call, size_t (*peek)(void *task, uint64_t addr, void *dst, size_t len),
			   void *task)
{
	const uint64_t *args = call->args;
	uint64_t p = 0;

	switch (call->nr) {
	case NR_RT_SIGSUSPEND:
		return args[0];
	case NR_PPOLL:
		return args[3];
	case NR_EPOLL_PWAIT:
	case NR_EPOLL_PWAIT2:
		return args[4];
	case NR_PSELECT6:
		return args[5] && peek(task, args[5], &p, sizeof(p)) == sizeof(p) ? p : 0;
	default:
		return 0;
	}
}
