/*
 * The stack a program finds at its start: argc, pointers to arguments and environment, auxiliary vector; above them the
 * 16 bytes of AT_RANDOM, the platform's name, and the strings.  Only what lies below the strings is rewritten.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "supervisor/boot_internal.h"

#define SHIFTS 512		/* the vectors start at one of so many places, 16 bytes apart */
#define FIRST_READ 32768	/* enough for the vectors and AT_RANDOM of most programs */
#define RANDOM_LEN 16

/* What was read of the old stack, from the old stack pointer up. */
struct old_stack {
	uint64_t *words;
	size_t n;		/* words read */
	size_t argc;
	size_t auxv;		/* index of the auxiliary vector's first word */
	size_t end;		/* index behind its AT_NULL */
};

/* Find the vectors in what was read; -EAGAIN if it ends too early. */
static int find_vectors(struct old_stack *old)
{
	size_t i;

	if (old->n < 1 || old->words[0] > old->n)
		return -EAGAIN;
	old->argc = old->words[0];
	for (i = 1 + old->argc + 1; i < old->n && old->words[i]; i++)
		;
	old->auxv = ++i;
	for (; i + 1 < old->n; i += 2)
		if (old->words[i] == AT_NULL) {
			old->end = i + 2;
			return 0;
		}
	return -EAGAIN;
}

static int read_old(struct boot *b, struct old_stack *old)
{
	size_t all = b->stack.end - b->regs->rsp, len = all < FIRST_READ ? all : FIRST_READ;
	int r;

	for (;;) {
		free(old->words);
		old->words = malloc(len);
		if (!old->words)
			return mv_error_set(b->err, ENOMEM, "boot: cannot read the stack of process %d", (int)b->pid);
		r = mv_proc_peek(b->pid, b->regs->rsp, old->words, len, b->err);
		if (r)
			return r;
		old->n = len / sizeof(uint64_t);
		if (find_vectors(old) == 0)
			return 0;
		if (len == all)
			return mv_error_set(b->err, EINVAL, "boot: no auxiliary vector on the stack of process %d",
					    (int)b->pid);
		len = all;
	}
}

static void relocate_auxv(struct boot *b)
{
	for (unsigned i = 0; i < b->auxv.n; i++) {
		uint64_t *value = &b->auxv.v[i].value;

		switch (b->auxv.v[i].type) {
		case AT_SYSINFO_EHDR:
			if (b->vdso.end) {
				*value += b->vdso.delta;
			} else {
				b->auxv.v[i].type = AT_IGNORE;
				*value = 0;
			}
			break;
		case AT_PHDR:
		case AT_ENTRY:
			*value += b->program.delta;
			break;
		case AT_BASE:
			if (*value)
				*value += b->interp.delta;
			break;
		case AT_RANDOM:
		case AT_EXECFN:
		case AT_PLATFORM:
		case AT_BASE_PLATFORM:
			if (boot_part_has(&b->stack, *value))
				*value += b->stack.delta;
			break;
		}
	}
}

/* How much lower than the kernel's the vectors start; a tiny stack leaves little choice. */
static uint64_t random_shift(struct boot *b)
{
	uint64_t places = (b->regs->rsp - b->stack.start) / 2 / 16 + 1;

	if (b->layout->mode != MV_LAYOUT_DISJOINT)
		return 0;
	return mv_layout_random(b->layout) % (places < SHIFTS ? places : SHIFTS) * 16;
}

int boot_plan_stack(struct boot *b, const uint8_t *at_random)
{
	uint64_t sp = b->regs->rsp, shift, random = mv_auxv_get(&b->auxv, AT_RANDOM), top;
	struct old_stack old = { 0 };
	struct mv_boot_plan *plan = b->plan;
	uint64_t *words;
	int r;

	r = read_old(b, &old);
	if (r)
		goto out;
	if (old.end != old.auxv + 2 * (b->auxv.n + 1)) {
		r = mv_error_set(b->err, EINVAL, "boot: the stack of process %d is not as execve leaves it", (int)b->pid);
		goto out;
	}
	top = sp + old.end * sizeof(uint64_t);
	if (at_random && boot_part_has(&b->stack, random) && random >= top)
		top = random + RANDOM_LEN;
	else if (at_random) {
		r = mv_error_set(b->err, EINVAL, "boot: AT_RANDOM of process %d is at %#llx, not above the vectors",
				 (int)b->pid, (unsigned long long)random);
		goto out;
	}

	relocate_auxv(b);
	shift = random_shift(b);
	plan->sp = sp + b->stack.delta - shift;
	plan->stack_addr = plan->sp;
	plan->stack_len = top - sp + shift;
	plan->stack_bytes = calloc(1, plan->stack_len);
	if (!plan->stack_bytes) {
		r = mv_error_set(b->err, ENOMEM, "boot: %zu bytes of stack", plan->stack_len);
		goto out;
	}
	words = (uint64_t *)(void *)plan->stack_bytes;
	memcpy(words, old.words, old.auxv * sizeof(uint64_t));
	for (size_t i = 1; i < old.auxv; i++)
		if (boot_part_has(&b->stack, words[i]))
			words[i] += b->stack.delta;
	memcpy(words + old.auxv, b->auxv.v, b->auxv.n * sizeof(b->auxv.v[0]));

	/* Between the new vectors and AT_RANDOM nothing of the old ones remains: they hold addresses of the kernel's. */
	if (at_random) {
		uint64_t rest = top - sp - old.end * sizeof(uint64_t);

		r = mv_proc_peek(b->pid, top - rest, plan->stack_bytes + plan->stack_len - rest, rest, b->err);
		memcpy(plan->stack_bytes + plan->stack_len - RANDOM_LEN, at_random, RANDOM_LEN);
	}
out:
	free(old.words);
	return r;
}
