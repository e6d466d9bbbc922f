/*
 * The stack a program finds at its start: argc, pointers to arguments and environment, auxiliary vector; above them the
 * 16 bytes of AT_RANDOM, the platform's name, and the strings.  Only what lies below the strings is rewritten.
 */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "supervisor/boot_internal.h"

#define STEP 16			/* the stack's alignment */
#define SHIFTS 512		/* the vectors start at one of so many places, a step apart */
#define CLASSES 16		/* slices that variants may have */
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

/*
 * How much lower than the kernel's the vectors start, what is to be added besides; a tiny stack leaves little choice.  It is random, and
 * the distance to the stack's end, so to the strings, is of another class in each variant: no two have the same.
 */
static uint64_t random_shift(struct boot *b, uint64_t added)
{
	uint64_t places = (b->regs->rsp - b->stack.start) / 2 / STEP + 1, n, distance;

	if (b->layout->mode != MV_LAYOUT_DISJOINT)
		return 0;
	n = mv_layout_random(b->layout) % (places < SHIFTS ? places : SHIFTS);
	distance = (b->stack.end - b->regs->rsp + added) / STEP + n;
	if (places > SHIFTS)
		n += ((b->layout->slice >> MV_SLICE_SHIFT) - distance) % CLASSES;
	return n * STEP;
}

/* ---- LD_PRELOAD ---- */

#define ADDED_WORDS 2		/* what the library makes an ignored pair of the auxiliary vector of: lib/mvheap/settings.c */

/* What is put into the environment that ld.so reads. */
struct preload {
	char *text;		/* malloc()ed, "LD_PRELOAD=...", NULL: nothing */
	size_t len;		/* with its NUL, padded to the stack's alignment */
	size_t at;		/* index of its word */
	bool added;		/* there is none yet: two words go in there */
};

/* A string of the environment, malloc()ed; NULL if it cannot be read. */
static char *read_string(const struct boot *b, uint64_t at)
{
	size_t len = boot_part_has(&b->stack, at) ? b->stack.end - at : 0;
	char *text = len ? calloc(1, len + 1) : NULL;

	if (text && mv_proc_peek(b->pid, at, text, len, NULL) == 0)
		return text;
	free(text);
	return NULL;
}

static int plan_variable(struct boot *b, const struct old_stack *old, struct preload *p)
{
	static const char name[] = "LD_PRELOAD=";
	size_t first = old->argc + 2, last = old->auxv - 1, size;
	char *strings = first < last ? read_string(b, old->words[first]) : NULL;
	const char *rest = "";

	if (!b->preload)
		goto out;
	p->at = last;
	p->added = true;
	for (size_t i = first; i < last && strings && p->added; i++) {
		/* execve leaves the strings in the order of their words. */
		const char *s = strings + (old->words[i] - old->words[first]);

		if (strncmp(s, name, strlen(name)))
			continue;
		rest = s + strlen(name);
		p->at = i;
		p->added = false;
	}
	size = strlen(name) + strlen(b->preload) + 1 + strlen(rest) + 1;
	p->len = (size + 15) & ~(size_t)15;
	if (p->len > (b->regs->rsp - b->stack.start) / 2) {
		free(strings);
		return mv_error_set(b->err, E2BIG, "boot: no room for %zu bytes of LD_PRELOAD", p->len);
	}
	p->text = calloc(1, p->len);
	if (p->text)
		snprintf(p->text, size, "%s%s%s%s", name, b->preload, p->added ? "" : ":", rest);
out:
	free(strings);
	return b->preload && !p->text ? mv_error_set(b->err, ENOMEM, "boot: the environment of process %d", (int)b->pid) : 0;
}

/* Copy the vectors up to the auxiliary one. */
static void copy_vectors(const struct boot *b, const struct old_stack *old, const struct preload *p, uint64_t text, uint64_t *to)
{
	size_t n = 0;

	for (size_t i = 0; i < old->auxv; i++) {
		uint64_t word = old->words[i];

		if (p->text && i == p->at) {
			to[n++] = text;
			if (!p->added)
				continue;
			to[n++] = text + strlen(p->text);
		}
		to[n++] = i && boot_part_has(&b->stack, word) ? word + b->stack.delta : word;
	}
}

int boot_plan_stack(struct boot *b, const uint8_t *at_random)
{
	uint64_t sp = b->regs->rsp, shift, random = mv_auxv_get(&b->auxv, AT_RANDOM), top;
	struct old_stack old = { 0 };
	struct preload preload = { 0 };
	size_t n;
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

	r = plan_variable(b, &old, &preload);
	if (r)
		goto out;
	relocate_auxv(b);
	shift = preload.len + (preload.added ? ADDED_WORDS * sizeof(uint64_t) : 0);
	shift += random_shift(b, shift);
	plan->sp = sp + b->stack.delta - shift;
	plan->stack_addr = plan->sp;
	plan->stack_len = top - sp + shift;
	plan->stack_bytes = calloc(1, plan->stack_len);
	if (!plan->stack_bytes) {
		r = mv_error_set(b->err, ENOMEM, "boot: %zu bytes of stack", plan->stack_len);
		goto out;
	}
	words = (uint64_t *)(void *)plan->stack_bytes;
	n = old.end + (preload.added ? ADDED_WORDS : 0);
	copy_vectors(b, &old, &preload, plan->sp + n * sizeof(uint64_t), words);
	memcpy(words + n - (old.end - old.auxv), b->auxv.v, b->auxv.n * sizeof(b->auxv.v[0]));
	if (preload.text)
		memcpy(words + n, preload.text, preload.len);

	/* Between the new vectors and AT_RANDOM nothing of the old ones remains: they hold addresses of the kernel's. */
	if (at_random) {
		uint64_t rest = top - sp - old.end * sizeof(uint64_t);

		r = mv_proc_peek(b->pid, top - rest, plan->stack_bytes + plan->stack_len - rest, rest, b->err);
		memcpy(plan->stack_bytes + plan->stack_len - RANDOM_LEN, at_random, RANDOM_LEN);
	}
out:
	free(old.words);
	free(preload.text);
	return r;
}
