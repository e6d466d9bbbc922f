/*
 * Classic BPF as seccomp has it: checked as the kernel checks it, interpreted over struct seccomp_data.
 */
#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include "engine/seccomp.h"

#define PATH_MAX_ 32768		/* of all filters of a thread, four more for each */
#define ERR(e) (-(e))

struct mv_seccomp {
	struct mv_seccomp *older;
	uint32_t refs;
	uint32_t n;
	struct mv_insn insns[];
};

static size_t size_of(unsigned n)
{
	return sizeof(struct mv_seccomp) + n * sizeof(struct mv_insn);
}

/* ---- checking ---- */

static bool is_jump(uint16_t code)
{
	return BPF_CLASS(code) == BPF_JMP;
}

static bool known(const struct mv_insn *i)
{
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return i->k < sizeof(struct seccomp_data) && !(i->k & 3);
	case BPF_LD | BPF_W | BPF_LEN: case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_RET | BPF_K: case BPF_RET | BPF_A:
	case BPF_ALU | BPF_ADD | BPF_K: case BPF_ALU | BPF_ADD | BPF_X:
	case BPF_ALU | BPF_SUB | BPF_K: case BPF_ALU | BPF_SUB | BPF_X:
	case BPF_ALU | BPF_MUL | BPF_K: case BPF_ALU | BPF_MUL | BPF_X:
	case BPF_ALU | BPF_DIV | BPF_X:
	case BPF_ALU | BPF_AND | BPF_K: case BPF_ALU | BPF_AND | BPF_X:
	case BPF_ALU | BPF_OR | BPF_K: case BPF_ALU | BPF_OR | BPF_X:
	case BPF_ALU | BPF_XOR | BPF_K: case BPF_ALU | BPF_XOR | BPF_X:
	case BPF_ALU | BPF_LSH | BPF_X: case BPF_ALU | BPF_RSH | BPF_X:
	case BPF_ALU | BPF_NEG:
	case BPF_LD | BPF_IMM: case BPF_LDX | BPF_IMM:
	case BPF_MISC | BPF_TAX: case BPF_MISC | BPF_TXA:
	case BPF_JMP | BPF_JA:
	case BPF_JMP | BPF_JEQ | BPF_K: case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K: case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K: case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K: case BPF_JMP | BPF_JSET | BPF_X:
		return true;
	case BPF_ALU | BPF_DIV | BPF_K:
		return i->k != 0;
	case BPF_ALU | BPF_LSH | BPF_K: case BPF_ALU | BPF_RSH | BPF_K:
		return i->k < 32;
	case BPF_LD | BPF_MEM: case BPF_LDX | BPF_MEM: case BPF_ST: case BPF_STX:
		return i->k < BPF_MEMWORDS;
	default:
		return false;
	}
}

static bool stays_inside(const struct mv_insn *insns, unsigned at, unsigned n)
{
	const struct mv_insn *i = &insns[at];
	unsigned left = n - at - 1;

	if (!is_jump(i->code))
		return true;
	return i->code == (BPF_JMP | BPF_JA) ? i->k < left : i->jt < left && i->jf < left;
}

/* Words of memory are read only where each way there has written them.  valid[n]: of the ways by a jump. */
static bool reads_what_was_written(const struct mv_insn *insns, unsigned n, uint16_t *valid)
{
	uint16_t here = 0;

	for (unsigned i = 0; i < n; i++)
		valid[i] = 0xffff;
	for (unsigned i = 0; i < n; i++) {
		const struct mv_insn *p = &insns[i];

		here &= valid[i];
		switch (p->code) {
		case BPF_ST: case BPF_STX:
			here |= (uint16_t)(1u << p->k);
			break;
		case BPF_LD | BPF_MEM: case BPF_LDX | BPF_MEM:
			if (!(here & 1u << p->k))
				return false;
			break;
		case BPF_JMP | BPF_JA:
			valid[i + 1 + p->k] &= here;
			here = 0xffff;
			break;
		default:
			if (!is_jump(p->code))
				break;
			valid[i + 1 + p->jt] &= here;
			valid[i + 1 + p->jf] &= here;
			here = 0xffff;
		}
	}
	return true;
}

static int check(const struct mv_ops *ops, const struct mv_insn *insns, unsigned n)
{
	uint16_t *valid;
	bool good;

	if (!n || n > MV_SECCOMP_INSNS_MAX || BPF_CLASS(insns[n - 1].code) != BPF_RET)
		return ERR(EINVAL);
	for (unsigned i = 0; i < n; i++)
		if (!known(&insns[i]) || !stays_inside(insns, i, n))
			return ERR(EINVAL);
	valid = ops->alloc(n * sizeof(*valid));
	if (!valid)
		return ERR(ENOMEM);
	good = reads_what_was_written(insns, n, valid);
	ops->free(valid, n * sizeof(*valid));
	return good ? 0 : ERR(EINVAL);
}

/* ---- keeping ---- */

int mv_seccomp_add(const struct mv_ops *ops, struct mv_seccomp *old, const struct mv_insn *insns, unsigned n,
		   struct mv_seccomp **result)
{
	int r = check(ops, insns, n);
	struct mv_seccomp *f;
	uint64_t total = n;

	if (r)
		return r;
	for (f = old; f; f = f->older)
		total += f->n + 4;
	if (total > PATH_MAX_)
		return ERR(ENOMEM);
	f = ops->alloc(size_of(n));
	if (!f)
		return ERR(ENOMEM);
	f->older = mv_seccomp_ref(old);
	f->refs = 1;
	f->n = n;
	__builtin_memcpy(f->insns, insns, n * sizeof(*insns));
	*result = f;
	return 0;
}

unsigned mv_seccomp_insns(const struct mv_seccomp *f, const struct mv_insn **insns)
{
	*insns = f->insns;
	return f->n;
}

struct mv_seccomp *mv_seccomp_ref(struct mv_seccomp *f)
{
	if (f)
		f->refs++;
	return f;
}

void mv_seccomp_unref(const struct mv_ops *ops, struct mv_seccomp *f)
{
	while (f && !--f->refs) {
		struct mv_seccomp *older = f->older;

		ops->free(f, size_of(f->n));
		f = older;
	}
}

bool mv_seccomp_descends(const struct mv_seccomp *f, const struct mv_seccomp *old)
{
	for (; f && f != old; f = f->older)
		;
	return f == old;
}

/* ---- running ---- */

static uint32_t alu(uint16_t op, uint32_t a, uint32_t v)
{
	switch (op) {
	case BPF_ADD:
		return a + v;
	case BPF_SUB:
		return a - v;
	case BPF_MUL:
		return a * v;
	case BPF_DIV:
		return v ? a / v : 0;	/* never 0: mv_seccomp_add() and run() see to that */
	case BPF_AND:
		return a & v;
	case BPF_OR:
		return a | v;
	case BPF_XOR:
		return a ^ v;
	case BPF_LSH:
		return a << (v & 31);
	case BPF_RSH:
		return a >> (v & 31);
	default:
		return -a;
	}
}

static bool holds(uint16_t op, uint32_t a, uint32_t v)
{
	switch (op) {
	case BPF_JEQ:
		return a == v;
	case BPF_JGT:
		return a > v;
	case BPF_JGE:
		return a >= v;
	default:
		return a & v;
	}
}

static uint32_t run(const struct mv_insn *insns, const struct seccomp_data *data)
{
	uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = { 0 };

	for (const struct mv_insn *i = insns;; i++) {
		uint32_t v = BPF_SRC(i->code) == BPF_X ? x : i->k;

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			__builtin_memcpy(&a, (const char *)data + i->k, sizeof(a));
			continue;
		case BPF_LD | BPF_W | BPF_LEN:
			a = sizeof(*data);
			continue;
		case BPF_LDX | BPF_W | BPF_LEN:
			x = sizeof(*data);
			continue;
		case BPF_LD | BPF_IMM:
			a = i->k;
			continue;
		case BPF_LDX | BPF_IMM:
			x = i->k;
			continue;
		case BPF_LD | BPF_MEM:
			a = mem[i->k];
			continue;
		case BPF_LDX | BPF_MEM:
			x = mem[i->k];
			continue;
		case BPF_ST:
			mem[i->k] = a;
			continue;
		case BPF_STX:
			mem[i->k] = x;
			continue;
		case BPF_MISC | BPF_TAX:
			x = a;
			continue;
		case BPF_MISC | BPF_TXA:
			a = x;
			continue;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_RET | BPF_A:
			return a;
		case BPF_JMP | BPF_JA:
			i += i->k;
			continue;
		case BPF_ALU | BPF_DIV | BPF_X:
			if (!x)
				return 0;	/* the end of the program, as in the kernel */
			break;
		default:
			break;
		}
		if (is_jump(i->code))
			i += holds(BPF_OP(i->code), a, v) ? i->jt : i->jf;
		else
			a = alu(BPF_OP(i->code), a, v);
	}
}

uint32_t mv_seccomp_run(const struct mv_seccomp *f, const struct mv_call *call)
{
	struct seccomp_data data = { .nr = (int)call->nr, .arch = AUDIT_ARCH_X86_64 };
	uint32_t strictest = SECCOMP_RET_ALLOW;

	for (unsigned i = 0; i < MV_NARGS; i++)
		data.args[i] = call->args[i];
	/* The strictest is the least as a signed number; of equals, the newest filter's. */
	for (; f; f = f->older) {
		uint32_t said = run(f->insns, &data);

		if ((int32_t)(said & SECCOMP_RET_ACTION_FULL) < (int32_t)(strictest & SECCOMP_RET_ACTION_FULL))
			strictest = said;
	}
	return strictest;
}

/* ---- across an exec ---- */

/* For each, the newest first: how many instructions, and these. */

size_t mv_seccomp_frozen_size(const struct mv_seccomp *f)
{
	size_t size = 0;

	for (; f; f = f->older)
		size += sizeof(uint64_t) + f->n * sizeof(*f->insns);
	return size;
}

void mv_seccomp_freeze(const struct mv_seccomp *f, void *bytes)
{
	char *to = bytes;

	for (; f; f = f->older) {
		uint64_t n = f->n;

		__builtin_memcpy(to, &n, sizeof(n));
		__builtin_memcpy(to + sizeof(n), f->insns, n * sizeof(*f->insns));
		to += sizeof(n) + n * sizeof(*f->insns);
	}
}

int mv_seccomp_thaw(const struct mv_ops *ops, const void *bytes, size_t size, struct mv_seccomp **result)
{
	struct mv_seccomp *newest = NULL, **link = &newest;
	const char *at = bytes, *end = at + size;

	while (at < end) {
		uint64_t n;

		__builtin_memcpy(&n, at, sizeof(n));
		*link = ops->alloc(size_of((unsigned)n));
		if (!*link) {
			mv_seccomp_unref(ops, newest);
			return ERR(ENOMEM);
		}
		(*link)->refs = 1;
		(*link)->n = (uint32_t)n;
		__builtin_memcpy((*link)->insns, at + sizeof(n), n * sizeof(struct mv_insn));
		at += sizeof(n) + n * sizeof(struct mv_insn);
		link = &(*link)->older;
	}
	*result = newest;
	return 0;
}
