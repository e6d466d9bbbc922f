/*
 * Sensitive calls: starting a program, making memory executable, controlling processes, changing privilege (groups exec and
 * privilege of the table, as far as the policy makes them wait).  What the monitors have agreed on is not enough for them,
 * since a variant that is taken over can make calls from its gate without its monitor.  So each follower's monitor says what
 * the program asks for before the leader is told that it has come there, and the kernel's filter stops the calls themselves:
 * the leader's must be what all followers have asked for, a follower's what the leader has made, and each is made once.  What
 * is compared is what the supervisor has read itself.
 */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include "engine/internal.h"
#include "inproc.h"

#define ARGUMENTS_MAX 4096	/* of a program that are compared; more are not executed */

/* ---- what a call is ---- */

/* Where the monitor is there is nothing for the program: to its calls such addresses are not mapped (guard.c there). */
static size_t peek(void *task, uint64_t addr, void *dst, size_t len)
{
	const struct pt_task *t = task;
	const struct in_image *m = &t->pt->inproc->images[t->variant];

	return addr >= m->low && addr < m->high ? 0 : pt_peek(task, addr, dst, len);
}

static bool hash_string(struct pt_task *t, struct mv_hash *h, uint64_t addr)
{
	char chunk[256];
	uint64_t total = 0;

	for (;;) {
		size_t want = 4096 - (addr & 4095), got, n;

		if (want > sizeof(chunk))
			want = sizeof(chunk);
		got = peek(t, addr, chunk, want);
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

/* In an environment: what only some variants have been given is not compared. */
static bool own_setting(struct pt_task *t, uint64_t addr)
{
	char start[MV_OWN_ENV_NAME + 1];

	start[peek(t, addr, start, sizeof(start) - 1)] = 0;
	return mv_is_own_setting(t->pt->run, start);
}

static bool hash_strings(struct pt_task *t, struct mv_hash *h, uint64_t addr, bool environment)
{
	uint64_t p;

	for (unsigned i = 0; addr && i < ARGUMENTS_MAX; i++, addr += sizeof(p)) {
		if (peek(t, addr, &p, sizeof(p)) != sizeof(p))
			return false;
		if (!p)
			return true;
		if (!(environment && own_setting(t, p)) && !hash_string(t, h, p))
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
	if (hash_string(t, &h, c->args[at]) && hash_strings(t, &h, c->args[at + 1], false) &&
	    hash_strings(t, &h, c->args[at + 2], true))
		mv_hash_final(&h, claim->hash);
}

/* Addresses are each variant's own, and so is whether they are fixed. */
static void claim_memory(const struct mv_call *c, struct in_claim *claim)
{
	claim->words[1] = c->args[2];
	if (c->nr == SYS_shmat)
		return;			/* segments have numbers of their own */
	claim->words[0] = (c->args[1] + 4095) & ~4095ull;
	if (c->nr != SYS_mmap)
		return;
	claim->words[2] = c->args[3] & MAP_ANONYMOUS;
	if (!claim->words[2])
		claim->words[3] = c->args[5] ^ (uint64_t)(uint32_t)c->args[4] << 32;
}

/* Monitors make children in ways of their own (process.c there): what counts is what kind of child it is. */
static void claim_child(struct pt_task *t, const struct mv_call *c, struct in_claim *claim)
{
	struct clone_args args = { 0 };
	size_t size = c->args[1] < sizeof(args) ? c->args[1] : sizeof(args);

	claim->nr = SYS_clone;
	switch (c->nr) {
	case SYS_fork:
		claim->words[0] = SIGCHLD;
		break;
	case SYS_vfork:
		claim->words[0] = CLONE_VFORK | CLONE_VM | SIGCHLD;
		break;
	case SYS_clone:
		claim->words[0] = (uint32_t)c->args[0];
		break;
	default:
		claim->nr = SYS_clone3;
		claim->words[0] = pt_peek(t, c->args[0], &args, size) == size ? args.flags : 0;
		claim->words[1] = args.exit_signal;
		claim->words[2] = args.set_tid_size;
	}
	if ((claim->words[0] & (CLONE_VFORK | CLONE_VM)) == CLONE_VFORK)
		claim->words[0] &= ~(uint64_t)CLONE_VFORK;
}

/* An engine's thread that is none, for gathering what the table says about a call. */
struct in_reader {
	struct mv_run run;
	struct mv_ops ops;
	struct mv_process process;
	struct mv_thread thread;
	struct mv_blob blob;
	uint8_t scratch[MV_SCRATCH];
};

static struct in_reader *reader(struct pt *pt)
{
	struct in_reader *r = pt->inproc->reader;

	if (r)
		return r;
	r = pt->inproc->reader = calloc(1, sizeof(*r));
	if (!r) {
		pt_fail(pt, ENOMEM, "cannot compare sensitive calls");
		return NULL;
	}
	memcpy(r->run.config.seed, pt->secret, sizeof(r->run.config.seed));
	r->ops.peek = peek;
	r->process.run = r->thread.run = &r->run;
	r->process.ops = r->thread.ops = &r->ops;
	r->thread.process = &r->process;
	r->thread.blob = &r->blob;
	r->thread.scratch = r->scratch;
	return r;
}

void in_reader_free(struct inproc *in)
{
	free(in->reader);
	in->reader = NULL;
}

/* By its row.  No row of these has addresses or descriptor sets, which a process's tables would be needed for. */
static void claim_row(struct pt_task *t, const struct mv_call *c, struct in_claim *claim)
{
	struct in_reader *r = reader(t->pt);
	struct mv_hash h;
	uint64_t rest[2];

	if (!r)
		return;
	r->thread.task = t;
	r->thread.call = *c;
	r->thread.desc = mv_lookup(c);
	mv_gather(&r->thread);
	memcpy(claim->words, r->thread.norm, sizeof(claim->words));
	mv_hash_init(&h, t->pt->secret);
	mv_hash_update(&h, &r->blob.total, sizeof(r->blob.total));
	mv_hash_update(&h, &r->blob.faults, sizeof(r->blob.faults));
	mv_hash_update(&h, r->blob.bytes, r->blob.total < MV_INLINE_MAX ? (size_t)r->blob.total : MV_INLINE_MAX);
	mv_blob_hash(&r->blob, rest);
	mv_hash_update(&h, rest, sizeof(rest));
	mv_hash_final(&h, claim->hash);
}

static void make_claim(struct pt_task *t, const struct mv_call *c, struct in_claim *claim)
{
	uint32_t flags = mv_table[c->nr].flags;

	memset(claim, 0, sizeof(*claim));
	claim->nr = c->nr;
	if (flags & MV_DESC_EXEC)
		claim_exec(t, c, claim);
	else if (flags & MV_DESC_PROT)
		claim_memory(c, claim);
	else if (flags & MV_DESC_CLONE)
		claim_child(t, c, claim);
	else
		claim_row(t, c, claim);
}

/* ---- who may make it ---- */

int64_t in_claim(struct pt_task *t, uint64_t from)
{
	struct in_task *i = t->inside;
	struct mv_call c;

	if (pt_peek(t, from, &c, sizeof(c)) != sizeof(c))
		return -EFAULT;
	if (pt_leads(t) || !mv_call_is_sensitive(t->pt->session->options->policy, &c))
		return -EINVAL;
	if (c.nr == SYS_clone)
		c.args[0] &= ~(uint64_t)CLONE_UNTRACED;		/* the engine does without, and no child may */
	make_claim(t, &c, &i->claim);
	i->agreed_on = IN_CLAIMED;
	return 0;
}

static bool agrees(const struct pt_task *t, enum in_agreed as, const struct in_claim *call)
{
	const struct in_task *i = t ? t->inside : NULL;

	return i && i->agreed_on == as && !memcmp(&i->claim, call, sizeof(*call));
}

/* Where followers that have come to one place stand, they all go on to another. */
static void all_from(const struct pt_task *leader, enum in_agreed from, enum in_agreed to)
{
	for (unsigned v = 0; v < leader->pt->nvariants; v++) {
		struct pt_task *twin = v == leader->variant ? NULL : pt_task_twin(leader->pt, v, leader->id);

		if (twin && twin->inside && twin->inside->agreed_on == from)
			twin->inside->agreed_on = to;
	}
}

static bool leader_may(struct pt_task *t, const struct in_claim *call)
{
	for (unsigned v = 0; v < t->pt->nvariants; v++)
		if (v != t->variant && !(t->pt->dropped >> v & 1) && !agrees(pt_task_twin(t->pt, v, t->id), IN_CLAIMED, call))
			return false;
	all_from(t, IN_CLAIMED, IN_GRANTED);
	return true;
}

/* What only the leader makes no follower has to make, agreed or not. */
static bool follower_may(struct pt_task *t, const struct mv_call *c, const struct in_claim *call)
{
	const struct mv_desc *d = mv_lookup(c);

	if (c->nr == SYS_chroot && t->inside->agreed_on == IN_MOVES) {
		t->inside->agreed_on = IN_NOTHING;
		return true;
	}
	if ((d->cls != MV_CLASS_ALL && d->cls != MV_CLASS_ALLOVW) || !agrees(t, IN_GRANTED, call))
		return false;
	t->inside->agreed_on = IN_NOTHING;
	return true;
}

/* The leader's monitor asks the kernel whether its thread has a capability (engine/hooks/seccomp.c): no name is that long. */
static bool is_question(const struct mv_call *c)
{
	return c->nr == SYS_setdomainname && (int32_t)c->args[1] < 0;
}

/* By a policy that makes nothing wait what makes memory executable stops all the same. */
static bool may(struct pt_task *t, const struct mv_call *c)
{
	struct in_claim call;

	if (!mv_call_is_sensitive(t->pt->session->options->policy, c) || is_question(c))
		return true;
	make_claim(t, c, &call);
	return pt_leads(t) ? leader_may(t, &call) : follower_may(t, c, &call);
}

void in_sensitive(struct pt_task *t)
{
	const struct user_regs_struct *r = &t->regs;
	struct mv_call c = { .nr = (uint32_t)r->orig_rax, .args = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 } };
	char text[160];
	uint64_t path;

	if (may(t, &c)) {
		t->inside->sensitive = true;
		t->inside->mapping = in_maps_code(t, &c) ? c.args[1] : 0;
		path = pt_own_build(t, &c, r->rsp);
		if (path && !pt_set_reg(t, offsetof(struct user_regs_struct, rdi), path))
			return;
		pt_resume(t, PTRACE_SYSCALL, 0);
		return;
	}
	snprintf(text, sizeof(text), "variant %u makes a sensitive call alone: %s", t->variant, mv_call_name(&c));
	mv_run_breach(t->pt->run, t->variant, text);
}

/* One that has failed may be made again: a signal got it out, or what was to be mapped goes somewhere else. */
void in_sensitive_over(struct pt_task *t)
{
	const struct user_regs_struct *r = &t->regs;
	const struct mv_call c = { .nr = (uint32_t)r->orig_rax, .args = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 } };

	t->inside->sensitive = false;
	if ((int64_t)r->rax >= 0 || (int64_t)r->rax < -4095) {
		if (c.nr == SYS_mmap && pt_stand_in(t, &c, r->rax))
			t->inside->mapped.size = 0;	/* no text that all share takes its place */
		if (t->variant && c.nr == SYS_unshare && c.args[0] & CLONE_NEWNS)
			t->inside->agreed_on = IN_MOVES;
		return;
	}
	if (pt_leads(t))
		all_from(t, IN_GRANTED, IN_CLAIMED);
	else
		t->inside->agreed_on = IN_GRANTED;
}
