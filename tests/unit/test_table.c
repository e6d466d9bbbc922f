/* The generated system-call table: is every row well formed, are well-known calls what they are? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/unistd.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "engine/internal.h"
#include "engine/table.h"

/* Runs check for every row that is there, selectors included. */
static void each_row(void (*check)(const struct mv_desc *))
{
	for (unsigned nr = 0; nr < MV_TABLE_SIZE; nr++) {
		const struct mv_desc *d = &mv_table[nr];

		if (d->cls == MV_CLASS_NONE)
			continue;
		check(d);
		for (unsigned i = 0; i < d->nsubs; i++)
			check(&d->subs[i]);
	}
	for (unsigned i = 0; i < MV_PSEUDO_END - MV_PSEUDO_BASE; i++)
		check(&mv_pseudo_table[i]);
}

/* As the assertions of cmocka, but says which row. */
static void row_assert(bool good, const struct mv_desc *d, const char *what)
{
	if (!good)
		fail_msg("%s: %s", d->name ? d->name : "(row without a name)", what);
}

static bool len_uses_arg(unsigned len)
{
	return len != MV_LEN_CONST && len != MV_LEN_RET && len != MV_LEN_RET_PLUS;
}

static void operand_is_sound(const struct mv_desc *d, const struct mv_operand *o)
{
	row_assert(o->arg < d->nargs, d, "operand of an argument the call does not have");
	row_assert(o->kind <= MV_KIND_POLLFDS, d, "unknown kind");
	row_assert(o->len <= MV_LEN_MIN_INT, d, "unknown length rule");
	row_assert(!len_uses_arg(o->len) || o->len_arg < d->nargs, d, "length by an argument the call does not have");
	row_assert(o->cond <= MV_COND_SET, d, "unknown condition");
	row_assert(o->cond == MV_COND_ALWAYS || o->cond_arg < d->nargs, d, "condition on an argument the call lacks");
	row_assert(o->cond != MV_COND_ANY || o->cond_mask, d, "condition that never holds");
	row_assert(o->kind != MV_KIND_STRUCT || o->st < mv_nstructs, d, "unknown struct");
}

static void operands_are_sound(const struct mv_desc *d)
{
	row_assert(d->nargs <= 6, d, "more than six arguments");
	row_assert(!d->nin == !d->in, d, "inputs without a count, or a count without inputs");
	row_assert(!d->nout == !d->out, d, "outputs without a count, or a count without outputs");
	for (unsigned i = 0; i < d->nin; i++) {
		const struct mv_operand *o = &d->in[i];

		operand_is_sound(d, o);
		row_assert(o->kind != MV_KIND_IGN, d, "an ignored argument is listed");
		row_assert(!i || d->in[i - 1].arg <= o->arg, d, "inputs are not in the order of arguments");
		row_assert(!o->even_on_error, d, "an input written on error");
		row_assert(o->len != MV_LEN_RET && o->len != MV_LEN_RET_PLUS, d, "an input as long as the result");
	}
	for (unsigned i = 0; i < d->nout; i++)
		operand_is_sound(d, &d->out[i]);
}

static void all_operands(void **state)
{
	(void)state;
	each_row(operands_are_sound);
}

/* Every output goes through a pointer that is compared, so that followers have it exactly when the leader has. */
static void output_has_pointer(const struct mv_desc *d)
{
	for (unsigned i = 0; i < d->nout; i++) {
		const struct mv_operand *o = &d->out[i];
		const struct mv_operand *in = NULL;

		row_assert(o->kind == MV_KIND_BUF || o->kind == MV_KIND_IOV || o->kind == MV_KIND_MSG ||
			   o->kind == MV_KIND_MMSG || o->kind == MV_KIND_MMSGLAY || o->kind == MV_KIND_FDSET ||
			   o->kind == MV_KIND_POLLFDS, d, "an output of a kind the engine does not copy");
		row_assert(o->kind != MV_KIND_BUF || len_uses_arg(o->len) || o->size ||
			   o->len == MV_LEN_RET_PLUS, d, "an output of no bytes");
		for (unsigned n = 0; n < d->nin && !in; n++)
			if (d->in[n].arg == o->arg)
				in = &d->in[n];
		row_assert(in != NULL, d, "an output through an argument that is not compared");
		row_assert(in && in->kind >= MV_KIND_PTR, d, "an output through an argument that is no pointer");
	}
	row_assert(!d->nout || (d->cls != MV_CLASS_ALL && d->cls != MV_CLASS_LOCAL && d->cls != MV_CLASS_DENY), d,
		   "outputs that nobody replicates");
}

static void all_outputs(void **state)
{
	(void)state;
	each_row(output_has_pointer);
}

/*
 * Sensitive calls are compared by the supervisor from their rows alone, but for those that it knows by a flag: without a
 * process's mappings and descriptors, and without what hooks do to operands.  The hook of capset does nothing but read what is behind them.
 */
static void sensitive_is_plain(const struct mv_desc *d)
{
	if (!(d->groups & (MV_GROUP_EXEC | MV_GROUP_PRIVILEGE) || d->flags & MV_DESC_PID) || d->flags & (MV_DESC_EXEC | MV_DESC_CLONE) ||
	    d->cls == MV_CLASS_DENY || d->cls == MV_CLASS_EMUL)
		return;
	row_assert(!d->hook || (!d->hook->normalise && !d->hook->reconcile) || !strcmp(d->name, "capset"), d,
		   "a sensitive call that a hook changes");
	row_assert(d->cls != MV_CLASS_LOCAL, d, "a sensitive call that is in no stream");
	for (unsigned i = 0; i < d->nin; i++)
		row_assert(d->in[i].kind != MV_KIND_ADDR && d->in[i].kind != MV_KIND_FDSET, d, "a sensitive call with an address");
}

static void all_sensitive(void **state)
{
	(void)state;
	each_row(sensitive_is_plain);
}

static void row_is_sound(const struct mv_desc *d)
{
	row_assert(d->name && *d->name, d, "no name");
	row_assert(d->cls > MV_CLASS_NONE && d->cls <= MV_CLASS_DENY, d, "unknown class");
	row_assert(d->ret <= MV_RET_OWN, d, "unknown result");
	row_assert(d->fdkind < MV_FDKIND_MAX, d, "unknown descriptor kind");
	row_assert(d->fd_arg == 0xff || d->fd_arg < d->nargs, d, "descriptor argument the call does not have");
	row_assert(d->sel_arg == 0xff || d->sel_arg < d->nargs, d, "selector argument the call does not have");
	row_assert(d->cls != MV_CLASS_LEADER_LOCAL || d->fd_arg != 0xff, d, "no descriptor decides what is local");
	row_assert(!(d->flags & ~(uint32_t)MV_DESC_ALL), d, "unknown flags");
	row_assert(!(d->groups >> 7), d, "unknown groups");
	row_assert((d->cls == MV_CLASS_DENY) == (d->err != 0), d, "an errno belongs to DENY, and to nothing else");
	row_assert((d->cls == MV_CLASS_DENY) == (d->why != NULL), d, "a reason belongs to DENY, and to nothing else");
	row_assert(d->err < 4096, d, "no such errno");
	row_assert(d->cls != MV_CLASS_EMUL || d->hook, d, "nobody answers");
	row_assert(d->ret != MV_RET_FD || d->flags & MV_DESC_ORD_FD, d, "new descriptors need their order");
}

static void all_rows(void **state)
{
	(void)state;
	each_row(row_is_sound);
}

static void subs_are_sound(const struct mv_desc *d)
{
	row_assert((d->sel_arg == 0xff) == (d->nsubs == 0), d, "selector and selected rows go together");
	for (unsigned i = 0; i < d->nsubs; i++) {
		const struct mv_desc *s = &d->subs[i];
		size_t len = strlen(d->name);

		row_assert(s->selector <= s->selector_last, s, "selector range is upside down");
		row_assert(s->selector_last <= UINT32_MAX, s, "selectors are 32 bits");
		row_assert(!i || d->subs[i - 1].selector_last < s->selector, s, "selectors overlap or are not sorted");
		row_assert(!s->nsubs && s->sel_arg == 0xff, s, "selected rows do not select");
		row_assert(s->fd_arg == d->fd_arg, s, "another descriptor argument than the parent's");
		row_assert(s->nargs <= d->nargs, s, "more arguments than the parent");
		row_assert(!strncmp(s->name, d->name, len) && s->name[len] == '(', s, "not named after the parent");
	}
}

static void all_subs(void **state)
{
	(void)state;
	for (unsigned nr = 0; nr < MV_TABLE_SIZE; nr++)
		if (mv_table[nr].cls != MV_CLASS_NONE)
			subs_are_sound(&mv_table[nr]);
}

static void all_structs(void **state)
{
	(void)state;
	assert_true(mv_nstructs > 0);
	for (unsigned i = 0; i < mv_nstructs; i++) {
		const struct mv_struct *s = &mv_structs[i];
		unsigned end = 0;

		if (!s->size || !s->nfields)
			fail_msg("struct %s is empty", s->name);
		for (unsigned f = 0; f < s->nfields; f++) {
			if (s->fields[f].offset < end || !s->fields[f].length)
				fail_msg("%s.%s overlaps or is empty", s->name, s->fields[f].name);
			end = (unsigned)s->fields[f].offset + s->fields[f].length;
		}
		if (end > s->size)
			fail_msg("struct %s has fields behind its end", s->name);
	}
}

static void names_are_unique(void **state)
{
	unsigned present = 0;

	(void)state;
	for (unsigned a = 0; a < MV_TABLE_SIZE; a++) {
		if (!mv_table[a].name)
			continue;
		present++;
		for (unsigned b = a + 1; b < MV_TABLE_SIZE; b++)
			if (mv_table[b].name && !strcmp(mv_table[a].name, mv_table[b].name))
				fail_msg("%u and %u are both %s", a, b, mv_table[a].name);
	}
	assert_true(present >= 384);
	assert_int_equal(mv_table[400].cls, MV_CLASS_NONE);
	assert_int_equal(mv_table[MV_TABLE_SIZE - 1].cls, MV_CLASS_NONE);
}

static void well_known(void **state)
{
	static const struct { unsigned nr; const char *name; unsigned cls; unsigned nargs; } known[] = {
		{ __NR_read, "read", MV_CLASS_LEADER_LOCAL, 3 },
		{ __NR_write, "write", MV_CLASS_LEADER_LOCAL, 3 },
		{ __NR_close, "close", MV_CLASS_ALLOVW, 1 },
		{ __NR_poll, "poll", MV_CLASS_LEADER, 3 },
		{ __NR_mmap, "mmap", MV_CLASS_ALL, 6 },
		{ __NR_brk, "brk", MV_CLASS_ALL, 1 },
		{ __NR_rt_sigreturn, "rt_sigreturn", MV_CLASS_ALL, 0 },
		{ __NR_getpid, "getpid", MV_CLASS_LEADER, 0 },
		{ __NR_socket, "socket", MV_CLASS_ALLOVW, 3 },
		{ __NR_accept4, "accept4", MV_CLASS_LEADER, 4 },
		{ __NR_clone, "clone", MV_CLASS_ALLOVW, 5 },
		{ __NR_execve, "execve", MV_CLASS_ALL, 3 },
		{ __NR_exit_group, "exit_group", MV_CLASS_ALL, 1 },
		{ __NR_wait4, "wait4", MV_CLASS_ALLOVW, 4 },
		{ __NR_kill, "kill", MV_CLASS_LEADER, 2 },
		{ __NR_setuid, "setuid", MV_CLASS_ALL, 1 },
		{ __NR_futex, "futex", MV_CLASS_LOCAL, 6 },
		{ __NR_sched_yield, "sched_yield", MV_CLASS_LOCAL, 0 },
		{ __NR_openat, "openat", MV_CLASS_LEADER, 4 },
		{ __NR_pselect6, "pselect6", MV_CLASS_LEADER, 6 },
		{ __NR_ptrace, "ptrace", MV_CLASS_DENY, 4 },
		{ __NR_io_uring_setup, "io_uring_setup", MV_CLASS_DENY, 2 },
		{ __NR_clone3, "clone3", MV_CLASS_ALLOVW, 2 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const struct mv_desc *d = &mv_table[known[i].nr];

		assert_string_equal(d->name, known[i].name);
		assert_int_equal(d->cls, known[i].cls);
		assert_int_equal(d->nargs, known[i].nargs);
	}
	assert_string_equal(mv_pseudo_table[MV_PSEUDO_FAULT - MV_PSEUDO_BASE].name, "<fault>");
	assert_string_equal(mv_pseudo_table[MV_PSEUDO_CPUID - MV_PSEUDO_BASE].name, "<cpuid>");
	assert_int_equal(mv_table[__NR_rseq].err, ENOSYS);
	assert_int_equal(mv_table[__NR_ptrace].err, EPERM);
}

/* write: the descriptor, the bytes (as many as the third argument says), the length; nothing comes out. */
static void write_row(void **state)
{
	const struct mv_desc *d = &mv_table[__NR_write];

	(void)state;
	assert_int_equal(d->nin, 3);
	assert_int_equal(d->nout, 0);
	assert_int_equal(d->in[0].kind, MV_KIND_FD);
	assert_int_equal(d->in[1].kind, MV_KIND_BUF);
	assert_int_equal(d->in[1].len, MV_LEN_ARG);
	assert_int_equal(d->in[1].len_arg, 2);
	assert_int_equal(d->in[1].size, 1);
	assert_int_equal(d->groups, MV_GROUP_OUTPUT);
	assert_int_equal(d->flags, MV_DESC_BLOCKS | MV_DESC_SIGPOINT);
}

/* The traps every ancestor fell into, as far as the table decides them. */
static void traps(void **state)
{
	const struct mv_desc *d = &mv_table[__NR_setgroups];

	(void)state;
	/* setgroups: elements of four bytes, not bytes */
	assert_int_equal(d->in[1].kind, MV_KIND_STRUCT);
	assert_int_equal(mv_structs[d->in[1].st].size, 4);
	assert_int_equal(d->in[1].len, MV_LEN_ARG);
	/* readv: scattered over as many elements as the third argument says */
	d = &mv_table[__NR_readv];
	assert_int_equal(d->out[0].kind, MV_KIND_IOV);
	assert_int_equal(d->out[0].len, MV_LEN_RET);
	assert_int_equal(d->out[0].len_arg, 2);
	/* accept: addrlen is read only if there is an address */
	d = &mv_table[__NR_accept];
	assert_int_equal(d->in[2].cond, MV_COND_SET);
	assert_int_equal(d->in[2].cond_arg, 1);
	assert_int_equal(d->out[0].len, MV_LEN_VALUE_RESULT);
	assert_int_equal(d->out[0].len_arg, 2);
	/* openat: the mode counts with O_CREAT and O_TMPFILE only */
	d = &mv_table[__NR_openat];
	assert_int_equal(d->in[3].cond, MV_COND_ANY);
	assert_int_equal(d->in[3].cond_mask, 0x400040);
	/* epoll_ctl: twelve bytes, of which the four of the events are equal */
	d = &mv_table[__NR_epoll_ctl];
	assert_int_equal(mv_structs[d->in[3].st].size, 12);
	assert_int_equal(mv_structs[d->in[3].st].nfields, 1);
	assert_int_equal(mv_structs[d->in[3].st].fields[0].length, 4);
	/* recvfrom: with MSG_TRUNC the result is longer than the buffer */
	assert_int_equal(mv_table[__NR_recvfrom].out[0].len, MV_LEN_MIN_RET_ARG);
	/* select rewrites its timeout also when it fails */
	d = &mv_table[__NR_select];
	assert_true(d->out[3].even_on_error);
	assert_false(d->out[0].even_on_error);
}

static const struct mv_desc *sub(unsigned nr, uint64_t selector)
{
	for (unsigned i = 0; i < mv_table[nr].nsubs; i++)
		if (mv_table[nr].subs[i].selector <= selector && selector <= mv_table[nr].subs[i].selector_last)
			return &mv_table[nr].subs[i];
	return NULL;
}

static void selectors(void **state)
{
	const struct mv_desc *d = sub(__NR_fcntl, 0);

	(void)state;
	assert_non_null(d);
	assert_string_equal(d->name, "fcntl(F_DUPFD)");
	assert_int_equal(d->cls, MV_CLASS_ALLOVW);
	assert_int_equal(d->ret, MV_RET_FD);
	assert_int_equal(mv_table[__NR_fcntl].cls, MV_CLASS_DENY);	/* unknown commands are never run */
	assert_int_equal(mv_table[__NR_prctl].cls, MV_CLASS_DENY);
	assert_int_equal(mv_table[__NR_madvise].cls, MV_CLASS_DENY);
	assert_int_equal(mv_table[__NR_ioctl].cls, MV_CLASS_LEADER);	/* but sizes are in unknown requests */
	assert_non_null(mv_table[__NR_ioctl].hook);
	d = sub(__NR_ioctl, 0x5401);
	assert_non_null(d);
	assert_string_equal(d->name, "ioctl(TCGETS)");
	assert_int_equal(d->out[0].size, 36);
	d = sub(__NR_ioctl, 0xae80);	/* KVM_RUN, in a range */
	assert_non_null(d);
	assert_int_equal(d->cls, MV_CLASS_DENY);
	d = sub(__NR_madvise, 8);
	assert_non_null(d);
	assert_non_null(d->hook);
	assert_int_equal(sub(__NR_madvise, 3)->cls, MV_CLASS_LOCAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_rows),
		cmocka_unit_test(all_operands),
		cmocka_unit_test(all_outputs),
		cmocka_unit_test(all_sensitive),
		cmocka_unit_test(all_subs),
		cmocka_unit_test(all_structs),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(well_known),
		cmocka_unit_test(write_row),
		cmocka_unit_test(traps),
		cmocka_unit_test(selectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
