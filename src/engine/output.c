/*
 * Outputs: the places a call may write to, found before it runs, and how much it wrote to each, found afterwards.  Leader
 * and followers build the same list from their own operands, so that a piece of output needs only its place in the list.
 */
#include "internal.h"
#include "message.h"

#define MMSG_SIZE 64
#define MMSG_LEN 56

int mv_dest_add(struct mv_thread *t, uint64_t addr, uint64_t cap, unsigned operand, unsigned part, unsigned index)
{
	if (t->ndests == t->dests_max) {
		unsigned n = t->dests_max ? 2 * t->dests_max : 16;
		struct mv_dest *p = t->ops->alloc(n * sizeof(*p));

		if (!p)
			return -ENOMEM;
		if (t->dests_max) {
			__builtin_memcpy(p, t->dests, t->ndests * sizeof(*p));
			t->ops->free(t->dests, t->dests_max * sizeof(*p));
		}
		t->dests = p;
		t->dests_max = n;
	}
	t->dests[t->ndests++] = (struct mv_dest){
		.addr = addr, .cap = cap, .operand = (uint16_t)operand, .part = (uint16_t)part, .index = index,
	};
	return 0;
}

static int add_iov(struct mv_thread *t, uint64_t addr, uint64_t count, unsigned operand, unsigned index)
{
	for (uint64_t i = 0; i < count && count <= IOV_MAX_COUNT; i++) {
		struct iov v;

		if (!mv_peek_all(t, addr + i * sizeof(v), &v, sizeof(v)))
			break;
		if (mv_dest_add(t, v.base, v.len, operand, MV_PART_DATA, index))
			return -ENOMEM;
	}
	return 0;
}

static int add_msg(struct mv_thread *t, uint64_t addr, unsigned operand, unsigned index)
{
	struct msghdr64 m;

	if (!mv_peek_all(t, addr, &m, sizeof(m)))
		return 0;
	if (m.name && mv_dest_add(t, m.name, m.namelen, operand, MV_PART_NAME, index))
		return -ENOMEM;
	if (add_iov(t, m.iov, m.iovlen, operand, index))
		return -ENOMEM;
	if (m.control && mv_dest_add(t, m.control, m.controllen, operand, MV_PART_CONTROL, index))
		return -ENOMEM;
	if (mv_dest_add(t, addr + offsetof(struct msghdr64, namelen), 4, operand, MV_PART_NAMELEN, index) ||
	    mv_dest_add(t, addr + offsetof(struct msghdr64, controllen), 8, operand, MV_PART_CONTROLLEN, index) ||
	    mv_dest_add(t, addr + offsetof(struct msghdr64, flags), 4, operand, MV_PART_FLAGS, index))
		return -ENOMEM;
	return 0;
}

/* Bytes of one element of an output operand. */
static uint64_t element(const struct mv_operand *o)
{
	return o->kind == MV_KIND_STRUCT ? mv_structs[o->st].size : o->kind == MV_KIND_POLLFDS ? 8 : 1;
}

/* The most an output can be, knowing the arguments but not the result. */
static uint64_t capacity(struct mv_thread *t, const struct mv_operand *o)
{
	uint64_t a = mv_length_arg(t, o);
	uint32_t word;

	switch (o->len) {
	case MV_LEN_CONST:
		return o->size * element(o);
	case MV_LEN_ARG:
		return (o->kind == MV_KIND_POLLFDS ? (uint32_t)a : a) * o->size * element(o);
	case MV_LEN_ARG_PLUS:
		return a + o->size;
	case MV_LEN_BITS:
		return mv_mask_bytes(a);
	case MV_LEN_MIN_RET_ARG:
	case MV_LEN_RET_IF_ARG:
		return a;
	case MV_LEN_VALUE_RESULT:
		return a && mv_peek_all(t, a, &word, 4) ? word : 0;
	case MV_LEN_PAGES:
		return a / 4096 + (a % 4096 ? 1 : 0);
	default:
		return UINT64_MAX;
	}
}

static int add_operand(struct mv_thread *t, unsigned operand)
{
	const struct mv_operand *o = &t->desc->out[operand];
	uint64_t addr = t->call.args[o->arg];

	if (!addr || !mv_operand_there(o, t->call.args))
		return 0;
	switch (o->kind) {
	case MV_KIND_IOV:
		return add_iov(t, addr, t->call.args[o->len_arg], operand, 0);
	case MV_KIND_MSG:
		return add_msg(t, addr, operand, 0);
	case MV_KIND_MMSG:
	case MV_KIND_MMSGLAY: {
		uint32_t n = (uint32_t)t->call.args[o->len_arg];

		for (uint32_t i = 0; i < n && i < IOV_MAX_COUNT; i++)
			if ((o->kind == MV_KIND_MMSG && add_msg(t, addr + i * MMSG_SIZE, operand, i)) ||
			    mv_dest_add(t, addr + i * MMSG_SIZE + MMSG_LEN, 4, operand, MV_PART_MSGLEN, i))
				return -ENOMEM;
		return 0;
	}
	case MV_KIND_FDSET:
		return mv_dest_add(t, addr, (mv_fdset_bits(t, o) + 63ull) / 64 * 8, operand, MV_PART_WHOLE, 0);
	default:
		return mv_dest_add(t, addr, capacity(t, o), operand, MV_PART_WHOLE, 0);
	}
}

int mv_dests_build(struct mv_thread *t)
{
	for (unsigned i = 0; i < t->desc->nout; i++)
		if (add_operand(t, i))
			return -ENOMEM;
	return 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Bytes the call wrote to a plain (not scattered) output. */
static uint64_t written(struct mv_thread *t, const struct mv_operand *o, const struct mv_dest *d)
{
	uint64_t ret = (uint64_t)t->result;
	uint64_t a = t->call.args[o->len_arg < MV_NARGS ? o->len_arg : 0];
	uint32_t word;

	switch (o->len) {
	case MV_LEN_RET:
		return ret * o->size * element(o);
	case MV_LEN_RET_PLUS:
		return ret + o->size;
	case MV_LEN_MIN_RET_ARG:
		return least(ret, a);
	case MV_LEN_RET_IF_ARG:
		return a ? ret : 0;
	case MV_LEN_VALUE_RESULT:
		return a && mv_peek_all(t, a, &word, 4) ? word : 0;
	default:
		return d->cap;
	}
}

/* Give a message or vector of ret bytes to the pieces d .. end of the same index. */
static struct mv_dest *scatter(struct mv_thread *t, struct mv_dest *d, struct mv_dest *end, uint64_t ret)
{
	unsigned operand = d->operand, index = d->index;
	struct msghdr64 m = { 0 };
	bool known = false;

	for (; d < end && d->operand == operand && d->index == index; d++) {
		uint64_t header = 0;

		switch (d->part) {
		case MV_PART_DATA:
			d->used = least(ret, d->cap);
			ret -= d->used;
			continue;
		case MV_PART_NAME:
		case MV_PART_CONTROL:
			if (!known) {
				header = t->call.args[t->desc->out[operand].arg] + (uint64_t)index * MMSG_SIZE;
				known = mv_peek_all(t, header, &m, sizeof(m));
			}
			d->used = least(d->cap, d->part == MV_PART_NAME ? m.namelen : m.controllen);
			continue;
		default:
			d->used = d->cap;
		}
	}
	return d;
}

void mv_dests_used(struct mv_thread *t)
{
	struct mv_dest *d = t->dests, *end;
	bool failed = is_error(t->result);

	if (!t->ndests)
		return;
	end = d + t->ndests;
	while (d < end) {
		const struct mv_operand *o;

		if (d->operand == MV_OPERAND_HOOK) {
			d->used = failed ? 0 : d->cap;
			d++;
			continue;
		}
		o = &t->desc->out[d->operand];
		if (failed && !o->even_on_error) {
			d++->used = 0;
		} else if (o->kind == MV_KIND_MMSG) {
			uint32_t len = 0, index = d->index;

			if (index < (uint64_t)t->result &&
			    mv_peek_all(t, t->call.args[o->arg] + (uint64_t)index * MMSG_SIZE + MMSG_LEN, &len, 4))
				d = scatter(t, d, end, len);
			else
				for (; d < end && d->index == index; d++)
					d->used = 0;
		} else if (o->kind == MV_KIND_MMSGLAY) {
			d->used = !failed && d->index < (uint64_t)t->result ? d->cap : 0;
			d++;
		} else if (d->part != MV_PART_WHOLE) {
			d = scatter(t, d, end, failed ? 0 : (uint64_t)t->result);
		} else {
			d->used = least(written(t, o, d), d->cap);
			d++;
		}
	}
}
