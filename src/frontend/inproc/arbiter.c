/*
 * Sensitive calls: starting a program, making memory executable.  What the monitors have agreed on is not enough for them,
 * since a variant that is taken over can make calls from its gate without its monitor.  So each follower's monitor says what
 * the program asks for when it asks, and the kernel's filter stops the calls themselves: the leader's until all followers have
 * said the same, a follower's unless it is what it said.  What is compared is what the supervisor has read itself.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include "base/log.h"
#include "engine/hash.h"
#include "inproc.h"

#define ARGUMENTS_MAX 4096	/* of a program that are compared; more are not executed */

static bool hash_string(struct pt_task *t, struct mv_hash *h, uint64_t addr)
{
	char chunk[256];
	uint64_t total = 0;

	for (;;) {
		size_t want = 4096 - (addr & 4095), got, n;

		if (want > sizeof(chunk))
			want = sizeof(chunk);
		got = pt_peek(t, addr, chunk, want);
		n = strnlen(chunk, got);
		mv_hash_update(h, chunk, n);
		if (n < got) {
			mv_hash_update(h, "", 1);
			return true;
		}
		total += got;
		if (got < want || total > 128 * 1024)
			return false;
		addr += got;
	}
}

static bool hash_strings(struct pt_task *t, struct mv_hash *h, uint64_t addr)
{
	uint64_t p;

	for (unsigned i = 0; addr && i < ARGUMENTS_MAX; i++, addr += sizeof(p)) {
		if (pt_peek(t, addr, &p, sizeof(p)) != sizeof(p))
			return false;
		if (!p)
			return true;
		if (!hash_string(t, h, p))
			return false;
	}
	return !addr;
}

/* What cannot be read makes a call that the kernel will refuse: it is equal to all such. */
static void claim_exec(struct pt_task *t, const struct mv_call *c, struct in_claim *claim)
{
	bool at = c->nr == SYS_execveat;
	struct mv_hash h;

	if (at) {
		claim->words[0] = (uint32_t)c->args[0];
		claim->words[1] = (uint32_t)c->args[4];
	}
	mv_hash_init(&h, t->pt->secret);
	if (hash_string(t, &h, c->args[at]) && hash_strings(t, &h, c->args[at + 1]) && hash_strings(t, &h, c->args[at + 2]))
		mv_hash_final(&h, claim->hash);
}

/* Addresses are each variant's own, and so is whether they are fixed. */
static void claim_memory(const struct mv_call *c, struct in_claim *claim)
{
	claim->words[0] = (c->args[1] + 4095) & ~4095ull;
	claim->words[1] = c->args[2];
	if (c->nr != SYS_mmap)
		return;
	claim->words[2] = c->args[3] & MAP_ANONYMOUS;
	if (!claim->words[2])
		claim->words[3] = c->args[5] ^ (uint64_t)(uint32_t)c->args[4] << 32;
}

static void make_claim(struct pt_task *t, const struct mv_call *c, struct in_claim *claim)
{
	memset(claim, 0, sizeof(*claim));
	claim->nr = c->nr;
	if (c->nr == SYS_execve || c->nr == SYS_execveat)
		claim_exec(t, c, claim);
	else
		claim_memory(c, claim);
}

static void breach(struct pt_task *t, const char *what)
{
	struct mv_call c = { .nr = (uint32_t)t->inside->call.nr };
	char text[160];

	snprintf(text, sizeof(text), "variant %u makes a sensitive call %s: %s", t->variant, what, mv_call_name(&c));
	mv_run_breach(t->pt->run, t->variant, text);
}

int64_t in_claim(struct pt_task *t, uint64_t from)
{
	struct in_task *i = t->inside;
	struct mv_call c;

	if (pt_peek(t, from, &c, sizeof(c)) != sizeof(c))
		return -EFAULT;
	make_claim(t, &c, &i->claim);
	i->claimed = true;
	i->granted = false;
	t->pt->moved = true;
	return 0;
}

/* 1: all followers have said the same; 0: some have not said anything; -1: one has said something else. */
static int agreed(struct pt_task *leader)
{
	for (unsigned v = 1; v < leader->pt->nvariants; v++) {
		struct pt_task *twin = pt_task_twin(leader->pt, v, leader->id);
		const struct in_task *i = twin ? twin->inside : NULL;

		if (!i || !i->claimed)
			return 0;
		if (memcmp(&i->claim, &leader->inside->call, sizeof(i->claim)))
			return i->granted ? 0 : -1;	/* what was granted is an earlier call: it is behind */
	}
	return 1;
}

static void let(struct pt_task *t)
{
	const struct user_regs_struct *r = &t->regs;
	struct mv_call c = { .nr = (uint32_t)r->orig_rax, .args = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 } };

	t->inside->mapping = in_maps_code(t, &c) ? c.args[1] : 0;
	pt_resume(t, t->inside->mapping ? PTRACE_SYSCALL : PTRACE_CONT, 0);
}

static void decide(struct pt_task *t)
{
	struct in_task *i = t->inside;
	int all = agreed(t);

	if (all < 0)
		breach(t, "that the others do not make");
	if (all <= 0)
		return;
	i->asks = false;
	for (unsigned v = 1; v < t->pt->nvariants; v++)
		pt_task_twin(t->pt, v, t->id)->inside->granted = true;
	let(t);
}

void in_sensitive(struct pt_task *t)
{
	const struct user_regs_struct *r = &t->regs;
	struct mv_call c = { .nr = (uint32_t)r->orig_rax, .args = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 } };
	struct in_task *i = t->inside;

	make_claim(t, &c, &i->call);
	if (!t->variant) {
		i->asks = true;
		pt_now(&i->asked);
		decide(t);
	} else if (i->granted && i->claimed && !memcmp(&i->claim, &i->call, sizeof(i->claim))) {
		let(t);		/* more than once, if the kernel has to be asked again */
	} else {
		breach(t, "alone");
	}
}

void in_sensitive_retry(struct pt_task *t)
{
	if (t->inside && t->inside->asks)
		decide(t);
}

void in_sensitive_tick(struct pt_task *t)
{
	long deadline = (long)t->pt->session->options->deadline_ms;

	if (t->inside && t->inside->asks && deadline && pt_ms_since(&t->inside->asked) >= deadline)
		breach(t, "alone");
}
