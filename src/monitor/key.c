/*
 * The monitor's memory has a protection key, where the processor has such: closed while the program runs, opened by the ways in
 * and closed again by the ways out (keys.S).  The program must not get it open otherwise: not by calls about keys, nor by a signal's
 * frame, from which the kernel takes PKRU.
 */
#include "monitor/monitor.h"

#define NR_PKEY_MPROTECT 329
#define NR_PKEY_FREE 331

bool mon_key(const struct mv_call *c, int64_t *result)
{
	if (!mon_boot.keys || (c->nr != NR_PKEY_FREE && c->nr != NR_PKEY_MPROTECT) ||
	    (uint32_t)c->args[c->nr == NR_PKEY_FREE ? 0 : 3] != MON_KEY)
		return false;
	*result = -EINVAL;
	return true;
}

/* ---- the return from a handler ---- */

/* What the kernel reads of a ucontext. */
struct context {
	uint64_t uc_flags, link;
	struct mon_altstack stack;
	struct registers {
		uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, flags;
		uint16_t cs, gs, fs, ss;
		uint64_t err, trapno, oldmask, cr2;
	} registers;
	uint64_t fpu, rest[8];		/* address of the XSAVE area */
	uint64_t mask;
};
_Static_assert(sizeof(struct context) == 304 && offsetof(struct context, fpu) == 224, "as the kernel has it");

#define CODE_64 0x33
#define FLAGS 0x50dd5		/* those that the return from a handler sets */
#define FLAG_TRAP 0x100
#define PKRU 0x55555554u
#define MXCSR 0x1f80

/* In an XSAVE area as signals' frames have it: */
#define FPU_LEGACY 512
#define FPU_MXCSR 24
#define FPU_MAGIC1 464		/* what is of the kernel's own in the legacy part */
#define FPU_EXTENDED 468
#define FPU_FEATURES 472
#define FPU_SIZE 480
#define FPU_HEADER 512		/* features that are in it, too */
#define MAGIC1 0x46505853u
#define MAGIC2 0x46505845u
#define FEATURE_PKRU (1ull << 9)
#define FPU_MAX (MON_STACK / 2)

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static void put32(uint8_t *p, uint32_t v)
{
	__builtin_memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	__builtin_memcpy(p, &v, sizeof(v));
}

/* Is it an area with extended state, as the kernel looks at it?  Of another it takes the legacy part only. */
static bool is_extended(const uint8_t fpu[FPU_MAX], size_t there)
{
	uint32_t size = get32(fpu + FPU_SIZE);

	return get32(fpu + FPU_MAGIC1) == MAGIC1 && size >= FPU_HEADER + 64 && size <= there - 4 && size <= get32(fpu + FPU_EXTENDED) &&
	       get32(fpu + size) == MAGIC2;
}

/*
 * The first bytes of it are there.  What is not in it comes to its initial state, of PKRU: all open.  What its header only claims to be
 * in it is 0, and nothing that was on our stack.
 */
static void open_key(uint8_t fpu[FPU_MAX], size_t there)
{
	uint32_t pkru = 0, size = mon_boot.keys + 8;

	__builtin_memset(fpu + there, 0, FPU_MAX - there);
	if (!is_extended(fpu, there)) {
		__builtin_memset(fpu + FPU_HEADER, 0, there > FPU_HEADER ? there - FPU_HEADER : 0);
		put64(fpu + FPU_FEATURES, 3);
		put64(fpu + FPU_HEADER, 3);
		put32(fpu + FPU_MAGIC1, MAGIC1);
		put32(fpu + FPU_SIZE, 0);
	}
	if (get32(fpu + FPU_SIZE) < size) {
		put32(fpu + FPU_SIZE, size);
		put32(fpu + FPU_EXTENDED, size + 4);
		put32(fpu + size, MAGIC2);
	} else if (get64(fpu + FPU_FEATURES) & get64(fpu + FPU_HEADER) & FEATURE_PKRU) {
		pkru = get32(fpu + mon_boot.keys);
	}
	put64(fpu + FPU_FEATURES, get64(fpu + FPU_FEATURES) | FEATURE_PKRU);
	put64(fpu + FPU_HEADER, get64(fpu + FPU_HEADER) | FEATURE_PKRU);
	put32(fpu + mon_boot.keys, pkru & ~MON_KEY_BITS);
}

/* Without an area: the initial state of all, but of PKRU that of a new program. */
static void initial(uint8_t fpu[FPU_MAX])
{
	__builtin_memset(fpu, 0, FPU_MAX);
	put32(fpu + FPU_MXCSR, MXCSR);
	put64(fpu + FPU_FEATURES, 3 | FEATURE_PKRU);
	put64(fpu + FPU_HEADER, FEATURE_PKRU);
	put32(fpu + FPU_MAGIC1, MAGIC1);
	put32(fpu + FPU_SIZE, mon_boot.keys + 8);
	put32(fpu + FPU_EXTENDED, mon_boot.keys + 12);
	put32(fpu + mon_boot.keys + 8, MAGIC2);
	put32(fpu + mon_boot.keys, PKRU & ~MON_KEY_BITS);
}

static size_t copy_fpu(uint8_t fpu[FPU_MAX], uint64_t from)
{
	size_t n;

	if (mon_peek(NULL, from, fpu, FPU_LEGACY) < FPU_LEGACY)
		return 0;
	n = get32(fpu + FPU_MAGIC1) == MAGIC1 ? get32(fpu + FPU_EXTENDED) : 0;
	n = n < FPU_LEGACY ? FPU_LEGACY : n > FPU_MAX ? FPU_MAX : n;
	return FPU_LEGACY + mon_peek(NULL, from + FPU_LEGACY, fpu + FPU_LEGACY, n - FPU_LEGACY);
}

void mon_returned(void)
{
	mon_leave_to(mon_self());
}

/* What the handler returns to goes to m->regs; the kernel returns to the monitor. */
static void take_registers(struct mon_thread *m, struct registers *r)
{
	if (r->cs != CODE_64)
		mon_unsupported("the return from a handler to 32-bit code");
	m->regs = (struct mon_regs){
		r->r15, r->r14, r->r13, r->r12, r->rbx, r->rbp, r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9, r->rax, r->rcx, r->r11,
		r->rip, (m->frame.flags & ~FLAGS) | (r->flags & FLAGS), r->rsp,
	};
	m->counting = true;		/* m->regs are the program's */
	r->rip = (uint64_t)mon_returned;
	r->rsp = (uint64_t)&m->frame - 8;
	r->flags = 0;
}

/*
 * The kernel is given a copy, which no other thread can change, and which it can read until its end: it may look at the stack for signals
 * after it has set PKRU.
 */
static _Noreturn void return_by_copy(struct mon_thread *m, uint64_t context)
{
	uint8_t fpu[FPU_MAX] __attribute__((aligned(64)));
	struct context c;
	size_t n;

	n = mon_peek(NULL, context, &c, sizeof(c)) == sizeof(c) ? sizeof(c) : 0;
	if (n && c.fpu)
		n = copy_fpu(fpu, c.fpu);
	if (!n)
		mon_sigreturn(mon_boot.low + MON_GAP / 2);	/* where nothing can be read */
	if (c.fpu)
		open_key(fpu, n);
	else
		initial(fpu);
	c.fpu = (uint64_t)fpu;
	mon_move_stack(m, &c.stack);
	take_registers(m, &c.registers);
	mon_sigreturn((uint64_t)&c);
}

void mon_return(struct mon_thread *m, uint64_t context)
{
	uint64_t at = context + offsetof(struct context, stack);
	struct mon_altstack s;

	if (mon_boot.keys)
		return_by_copy(m, context);
	if (mon_peek(NULL, at, &s, sizeof(s)) == sizeof(s) && mon_move_stack(m, &s))
		mon_poke(NULL, at, &s, sizeof(s));
	mon_sigreturn(context);
}

/* ---- back to the middle of the program ---- */

/* What takes the place of registers on the way is memory with key 0. */
static bool scratch_is_closed(void)
{
	uint32_t pkru, d;

	__asm__ volatile("rdpkru" : "=a"(pkru), "=d"(d) : "c"(0));
	return pkru & 3;
}

void mon_leave_to(struct mon_thread *m)
{
	if (!mon_boot.keys) {
		m->counting = false;
		mon_leave_to_open(&m->regs);
	}
	if (!scratch_is_closed() && !(m->regs.flags & FLAG_TRAP)) {
		m->counting = false;
		mon_leave_to_closed(&m->regs);
	}
	mon_service(MON_COUNTER_LATER, (uint64_t)&m->regs, 0);
	m->counting = false;
	mon_last(MON_PSEUDO_DONE, 0, 0, 0);
}
