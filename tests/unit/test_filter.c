/*
 * The seccomp filter of the in-process front-end, run by an interpreter of its own and compared with what it is to decide,
 * written down plainly.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <cmocka.h>
#include "engine/random.h"
#include "engine/table.h"
#include "frontend/inproc/bpf.h"
#include "frontend/inproc/inproc.h"

#define COOKIE 0x1122334455667788u
#define GATE 0x22b0c2a01000u
#define AGENT (GATE + 0x200000)
#define LOW (GATE - 0x100000)
#define HIGH 0x22b153b00000u
#define FOUR_GIB ((uint64_t)1 << 32)
#define SPACE ((uint64_t)1 << 47)

static const struct in_image image = { .low = LOW, .high = HIGH, .base = GATE, .agent = AGENT,
				       .info = { .gate = GATE, .gate_end = GATE + 4096 } };
static struct mv_policy policy;
static struct bpf bpf;
static struct sock_fprog program;
static unsigned steps;

static uint32_t field(const struct seccomp_data *d, uint32_t offset)
{
	uint32_t v;

	assert_true(offset % 4 == 0 && offset + 4 <= sizeof(*d));
	memcpy(&v, (const char *)d + offset, 4);
	return v;
}

static uint32_t filtered(const struct seccomp_data *d)
{
	uint32_t a = 0, x = 0;
	bool yes;

	steps = 0;
	for (unsigned pc = 0; pc < program.len; pc++, steps++) {
		const struct sock_filter *i = &program.filter[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = field(d, i->k);
			continue;
		case BPF_MISC | BPF_TAX:
			x = a;
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_ALU | BPF_ADD | BPF_K:
			a += i->k;
			continue;
		case BPF_ALU | BPF_ADD | BPF_X:
			a += x;
			continue;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			continue;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == i->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = a > i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= i->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = a & i->k;
			break;
		default:
			fail_msg("code %#x at %u", i->code, pc);
			return 0;
		}
		pc += yes ? i->jt : i->jf;
	}
	fail_msg("ran over the end");
	return 0;
}

/* ---- what is to be decided ---- */

static bool touches(uint64_t addr, uint64_t len)
{
	return addr < HIGH && (len > HIGH - addr || addr + len > LOW);
}

static const struct mv_desc *row_of(uint32_t nr, const __u64 *args)
{
	const struct mv_desc *d = &mv_table[nr];

	for (unsigned i = 0; i < d->nsubs; i++)
		if ((uint32_t)args[d->sel_arg] >= d->subs[i].selector && (uint32_t)args[d->sel_arg] <= d->subs[i].selector_last)
			return &d->subs[i];
	return d;
}

static bool changes_monitor(const struct seccomp_data *d)
{
	const __u64 *a = d->args;

	switch (d->nr) {
	case SYS_mmap:
		return a[3] & MAP_FIXED && touches(a[0], a[1]);
	case SYS_mremap:
		return touches(a[0], a[1]) || (a[3] & MREMAP_FIXED && touches(a[4], a[2]));
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
	case SYS_madvise:
		return touches(a[0], a[1]);
	default:
		return false;
	}
}

static bool needs_all(const struct seccomp_data *d)
{
	struct mv_call c = { .nr = (uint32_t)d->nr, .args = { d->args[0], d->args[1], d->args[2], d->args[3], d->args[4], d->args[5] } };

	return mv_call_is_sensitive(&policy, &c) || mv_table[d->nr].flags & MV_DESC_EXEC || (mv_table[d->nr].flags & MV_DESC_PROT && d->args[2] & mv_exec_bit((uint32_t)d->nr));
}

static bool opens_to_write(const struct seccomp_data *d)
{
	switch (d->nr) {
	case SYS_creat:
	case SYS_openat2:
		return true;
	case SYS_open:
		return d->args[1] & (O_WRONLY | O_RDWR);
	case SYS_openat:
		return d->args[2] & (O_WRONLY | O_RDWR);
	default:
		return false;
	}
}

static uint32_t wanted(const struct seccomp_data *d)
{
	const struct mv_desc *row;

	if (d->arch != AUDIT_ARCH_X86_64)
		return SECCOMP_RET_TRACE | IN_32BIT;
	if ((uint32_t)d->nr == PT_IMPORT_NR)
		return d->args[5] == COOKIE ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_TRACE | IN_CALL;
	if (d->instruction_pointer / 4096 == AGENT / 4096)
		return SECCOMP_RET_ALLOW;
	if (d->instruction_pointer / 4096 != GATE / 4096)
		return SECCOMP_RET_TRACE | IN_CALL;
	if ((uint32_t)d->nr == MON_SERVICE_NR)
		return SECCOMP_RET_TRACE | IN_SERVICE;
	if ((uint32_t)d->nr == PT_TRAP_NR)
		return SECCOMP_RET_TRAP;
	if ((uint32_t)d->nr == PT_KILL_NR)
		return SECCOMP_RET_KILL_PROCESS;
	if ((uint32_t)d->nr >= MV_TABLE_SIZE || mv_table[d->nr].cls == MV_CLASS_NONE)
		return SECCOMP_RET_ERRNO | ENOSYS;
	row = row_of((uint32_t)d->nr, d->args);
	if (row->cls == MV_CLASS_DENY)
		return SECCOMP_RET_ERRNO | row->err;
	if (row->cls == MV_CLASS_EMUL)
		return SECCOMP_RET_ERRNO | EPERM;
	if (d->nr == SYS_shmat && d->args[2] & SHM_REMAP)
		return SECCOMP_RET_ERRNO | EINVAL;
	if (needs_all(d))
		return SECCOMP_RET_TRACE | IN_SENSITIVE;
	if (opens_to_write(d))
		return SECCOMP_RET_TRACE | IN_OPENING;
	return changes_monitor(d) ? SECCOMP_RET_TRACE | IN_GUARDED : SECCOMP_RET_ALLOW;
}

/* The supervisor looks closer at what comes near. */
static bool near(const struct seccomp_data *d)
{
	const __u64 *a = d->args;

	for (unsigned i = 0; i < 6; i++)
		if (a[i] >= SPACE || (a[i] < HIGH + FOUR_GIB && a[i] + a[i == 4 ? 2 : 1] + 2 * FOUR_GIB > LOW))
			return true;
	return false;
}

static void check(const struct seccomp_data *d)
{
	uint32_t is = filtered(d), want = wanted(d);

	if (is == want || (want == SECCOMP_RET_ALLOW && is == (SECCOMP_RET_TRACE | IN_GUARDED) && near(d)))
		return;
	fail_msg("%s (%d) at %#llx (%#llx, %#llx, %#llx, %#llx, %#llx, %#llx): %#x, not %#x",
		 (uint32_t)d->nr < MV_TABLE_SIZE ? mv_table[d->nr].name : "?", d->nr, d->instruction_pointer, d->args[0], d->args[1],
		 d->args[2], d->args[3], d->args[4], d->args[5], is, want);
}

/* ---- cases ---- */

static bool with_policy(const char *name)
{
	struct mv_policy_error err;
	const char *text = mv_policy_text(name);

	memset(&bpf, 0, sizeof(bpf));
	if (mv_policy_parse(name, text, strlen(text), &policy, &err))
		return false;
	in_filter_write(&bpf, &image, &policy, COOKIE);
	return bpf_program(&bpf, &program);
}

static int setup(void **state)
{
	(void)state;
	return with_policy("exec") ? 0 : -1;
}

static void every_number(void **state)
{
	static const uint64_t places[] = { GATE, GATE + 4095, GATE - 1, GATE + 4096, GATE + FOUR_GIB, 0,
					   AGENT, AGENT + 4095, AGENT - 1, AGENT + 4096, AGENT + FOUR_GIB };
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64 };

	(void)state;
	for (unsigned p = 0; p < sizeof(places) / sizeof(*places); p++) {
		d.instruction_pointer = places[p];
		for (int nr = -2; nr < 2 * MV_TABLE_SIZE; nr++) {
			d.nr = nr;
			check(&d);
			d.nr = nr | 0x40000000;		/* x32 */
			check(&d);
			d.nr = nr + (int)PT_IMPORT_NR;
			check(&d);
		}
	}
	d.arch = AUDIT_ARCH_I386;
	d.instruction_pointer = GATE;
	check(&d);
	d.instruction_pointer = AGENT;
	check(&d);
}

static void every_selector(void **state)
{
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64, .instruction_pointer = GATE };

	(void)state;
	for (d.nr = 0; d.nr < MV_TABLE_SIZE; d.nr++) {
		const struct mv_desc *row = &mv_table[d.nr];

		for (unsigned i = 0; i < row->nsubs; i++)
			for (int by = -1; by <= 1; by++)
				for (unsigned last = 0; last < 2; last++) {
					memset(d.args, 0, sizeof(d.args));
					d.args[row->sel_arg] = (last ? row->subs[i].selector_last : row->subs[i].selector) + (uint64_t)by;
					check(&d);
				}
	}
}

/* Calls that are sensitive by an argument. */
static void every_argument(void **state)
{
	static const uint64_t values[] = { 0, 1, 2, 3, 4, 7, 0x8000, O_CREAT, O_CREAT | O_WRONLY, FOUR_GIB, FOUR_GIB | 4 };
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64, .instruction_pointer = GATE };

	(void)state;
	for (d.nr = 0; d.nr < MV_TABLE_SIZE; d.nr++)
		for (unsigned arg = 0; arg < 4; arg++)
			for (unsigned i = 0; i < sizeof(values) / sizeof(*values); i++) {
				memset(d.args, 0, sizeof(d.args));
				d.args[arg] = values[i];
				check(&d);
			}
}

/* What does not wait for all is nobody's business outside; what is denied and guarded is so by every policy. */
static void every_policy(void **state)
{
	static const struct { const char *name; bool sensitive; } policies[] = {
		{ "performance", false }, { "leak", true }, { "comprehensive", true }, { "exec", true },
	};
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64, .instruction_pointer = GATE };

	for (unsigned i = 0; i < sizeof(policies) / sizeof(*policies); i++) {
		assert_true(with_policy(policies[i].name));
		every_number(state);
		every_selector(state);
		every_argument(state);
		d.nr = SYS_setuid;
		assert_int_equal(filtered(&d) == (SECCOMP_RET_TRACE | IN_SENSITIVE), policies[i].sensitive);
	}
}

static void import(void **state)
{
	static const uint64_t cookies[] = { COOKIE, COOKIE + 1, COOKIE + FOUR_GIB, 0 };
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64, .nr = (int)PT_IMPORT_NR };

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		d.instruction_pointer = i % 3 ? i % 3 == 1 ? GATE : AGENT : 0x1000;
		d.args[5] = cookies[i / 3];
		check(&d);
	}
}

static void ranges(void **state)
{
	static const uint64_t ends[] = { 0, 4096, LOW - 4096, LOW, GATE, HIGH - 4096, HIGH, HIGH + FOUR_GIB, LOW - FOUR_GIB,
					 SPACE - 4096, SPACE, UINT64_MAX & ~4095ull, 1ull << 63, FOUR_GIB };
	static const int numbers[] = { SYS_munmap, SYS_mprotect, SYS_pkey_mprotect, SYS_madvise, SYS_mmap, SYS_mremap };
	const unsigned n = sizeof(ends) / sizeof(*ends);
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64, .instruction_pointer = GATE };
	struct mv_random r;
	unsigned guarded = 0;

	(void)state;
	mv_random_init(&r, (const uint64_t[4]){ 1, 2, 3, 4 }, 0);
	for (unsigned i = 0; i < 400000; i++) {
		uint64_t from = ends[mv_random_next(&r) % n], to = ends[mv_random_next(&r) % n];

		d.nr = numbers[i % 6];
		d.args[0] = from;
		d.args[1] = i & 64 ? to - from : to;
		d.args[2] = d.nr == SYS_madvise ? 4 : i & 128 ? ends[mv_random_next(&r) % n] : 4096;
		d.args[3] = mv_random_next(&r) & (MAP_FIXED | MREMAP_FIXED | MAP_PRIVATE);
		d.args[4] = ends[mv_random_next(&r) % n];
		d.args[5] = 0;
		check(&d);
		guarded += filtered(&d) == (SECCOMP_RET_TRACE | IN_GUARDED);
	}
	assert_in_range(guarded, 10000, 390000);
	/* What programs do where nothing of ours is near does not stop. */
	d = (struct seccomp_data){
		.arch = AUDIT_ARCH_X86_64, .instruction_pointer = GATE, .nr = SYS_munmap, .args = { 0x7ffff7c00000, 8192 },
	};
	assert_int_equal(filtered(&d), SECCOMP_RET_ALLOW);
	d.args[0] = 0x22a000000000;
	assert_int_equal(filtered(&d), SECCOMP_RET_ALLOW);
}

/* Where the monitor's memory has a key nobody can give that back. */
static void key_is_kept(void **state)
{
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64, .instruction_pointer = GATE, .nr = SYS_pkey_free };
	struct in_image keyed = image;

	(void)state;
	keyed.keyed = true;
	memset(&bpf, 0, sizeof(bpf));
	in_filter_write(&bpf, &keyed, &policy, COOKIE);
	assert_true(bpf_program(&bpf, &program));
	for (uint64_t key = 0; key < 20; key++) {
		d.args[0] = key | key << 32;
		assert_int_equal(filtered(&d), key == MON_KEY ? SECCOMP_RET_ERRNO | EINVAL : SECCOMP_RET_ALLOW);
	}
	assert_true(with_policy("exec"));
	d.args[0] = MON_KEY;
	assert_int_equal(filtered(&d), SECCOMP_RET_ALLOW);
}

/* Before there was anything to guard and deny it took 11 instructions. */
static void frequent_calls_are_short(void **state)
{
	static const int numbers[] = { SYS_read, SYS_write, SYS_getppid, SYS_futex, SYS_epoll_wait, SYS_recvfrom, SYS_clock_gettime };
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64, .instruction_pointer = GATE };

	(void)state;
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		d.nr = numbers[i];
		assert_int_equal(filtered(&d), SECCOMP_RET_ALLOW);
		print_message("%s: %u instructions\n", mv_table[d.nr].name, steps + 1);
		assert_in_range(steps + 1, 8, 17);
	}
	print_message("%u instructions in all\n", program.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number),
		cmocka_unit_test(every_selector),
		cmocka_unit_test(every_argument),
		cmocka_unit_test(every_policy),
		cmocka_unit_test(import),
		cmocka_unit_test(ranges),
		cmocka_unit_test(key_is_kept),
		cmocka_unit_test(frequent_calls_are_short),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
