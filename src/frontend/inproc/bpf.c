/*
 * Writing a seccomp filter from its end.
 */
#include "bpf.h"

#define FAR 255		/* conditional jumps reach no further */

bpf_place bpf_op(struct bpf *b, uint16_t code, uint32_t k)
{
	if (b->n++ < BPF_MAXINSNS)
		b->code[BPF_MAXINSNS - b->n] = (struct sock_filter){ .code = code, .k = k };
	return b->n;
}

bpf_place bpf_return(struct bpf *b, uint32_t value)
{
	return bpf_op(b, BPF_RET | BPF_K, value);
}

bpf_place bpf_load(struct bpf *b, unsigned offset)
{
	return bpf_op(b, BPF_LD | BPF_W | BPF_ABS, offset);
}

bpf_place bpf_goto(struct bpf *b, bpf_place to)
{
	return to == b->n ? to : bpf_op(b, BPF_JMP | BPF_JA, b->n - to);
}

bpf_place bpf_if(struct bpf *b, uint16_t condition, uint32_t k, bpf_place yes, bpf_place no)
{
	bpf_place at;

	if (yes == no)
		return bpf_goto(b, yes);
	if (b->n - no > FAR - 1)
		no = bpf_goto(b, no);
	if (b->n - yes > FAR)
		yes = bpf_goto(b, yes);
	at = bpf_op(b, BPF_JMP | condition | BPF_K, k);
	if (at <= BPF_MAXINSNS) {
		b->code[BPF_MAXINSNS - at].jt = (uint8_t)(at - 1 - yes);
		b->code[BPF_MAXINSNS - at].jf = (uint8_t)(at - 1 - no);
	}
	return at;
}

/* Where to divide: half of the weight on each side, as well as can be. */
static unsigned middle(const struct bpf_range *r, unsigned n)
{
	unsigned all = 0, sum = 0, m = 0;

	for (unsigned i = 0; i < n; i++)
		all += r[i].weight;
	while (m < n - 1 && (!m || 2 * sum + r[m].weight <= all))
		sum += r[m++].weight;
	return m;
}

static bpf_place decide(struct bpf *b, const struct bpf_range *r, unsigned n)
{
	bpf_place low, high;
	unsigned m;

	if (n == 1)
		return r->place;
	m = middle(r, n);
	high = decide(b, r + m, n - m);
	low = decide(b, r, m);
	return bpf_if(b, BPF_JGE, r[m].from, high, low);
}

bpf_place bpf_ranges(struct bpf *b, struct bpf_range *ranges, unsigned n)
{
	unsigned to = 0;

	for (unsigned i = 1; i < n; i++) {
		if (ranges[i].place == ranges[to].place)
			ranges[to].weight += ranges[i].weight;
		else
			ranges[++to] = ranges[i];
	}
	return decide(b, ranges, to + 1);
}

bool bpf_program(struct bpf *b, struct sock_fprog *program)
{
	if (b->n > BPF_MAXINSNS)
		return false;
	program->len = (unsigned short)b->n;
	program->filter = b->code + BPF_MAXINSNS - b->n;
	return true;
}
