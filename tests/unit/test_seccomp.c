/* Filters of the program's own: what the kernel would not take, what they compute, how several are combined. */
#include "engine_sim.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include "engine/seccomp.h"

#define LEN(a) (sizeof(a) / sizeof(*(a)))

static struct mv_seccomp *make(struct mv_seccomp *old, const struct sock_filter *code, unsigned n)
{
	struct mv_seccomp *f;

	assert_int_equal(mv_seccomp_add(&sim_ops, old, (const struct mv_insn *)code, n, &f), 0);
	return f;
}

static void refused_programs(void **state)
{
	static const struct sock_filter ret = BPF_STMT(BPF_RET | BPF_K, 0);
	static const struct sock_filter bad[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2),		/* not aligned */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof(struct seccomp_data)),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3),
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 32),
		BPF_STMT(BPF_LD | BPF_MEM, 0),			/* nothing was stored there */
		BPF_STMT(BPF_ST, BPF_MEMWORDS),
		BPF_STMT(BPF_JMP | BPF_JA, 1),			/* behind the end */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(0xffff, 0),
	};
	struct mv_seccomp *f;

	(void)state;
	for (unsigned i = 0; i < LEN(bad); i++) {
		struct sock_filter code[] = { bad[i], ret };

		assert_int_equal(mv_seccomp_add(&sim_ops, NULL, (struct mv_insn *)code, 2, &f), -EINVAL);
	}
	assert_int_equal(mv_seccomp_add(&sim_ops, NULL, (struct mv_insn *)bad, 1, &f), -EINVAL);	/* no end */
	assert_int_equal(mv_seccomp_add(&sim_ops, NULL, (struct mv_insn *)&ret, 0, &f), -EINVAL);
	assert_int_equal(sim_allocated(), 0);
}

/* Stored on one of two ways that meet. */
static void memory_on_all_ways(void **state)
{
	struct sock_filter code[] = {
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LD | BPF_MEM, 3), BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct mv_seccomp *f;

	(void)state;
	assert_int_equal(mv_seccomp_add(&sim_ops, NULL, (struct mv_insn *)code, LEN(code), &f), -EINVAL);
	code[0].jt = 0;
	assert_int_equal(mv_seccomp_add(&sim_ops, NULL, (struct mv_insn *)code, LEN(code), &f), 0);
	mv_seccomp_unref(&sim_ops, f);
}

/* a op x, with x in the first argument's low half. */
static uint32_t compute(uint16_t op, uint32_t a, uint32_t x)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)), BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_IMM, a), BPF_STMT(BPF_ALU | op | (op == BPF_NEG ? 0 : BPF_X), 0), BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct mv_seccomp *f = make(NULL, code, LEN(code));
	uint32_t said = mv_seccomp_run(f, &CALL(1, x));

	mv_seccomp_unref(&sim_ops, f);
	return said;
}

static void arithmetic(void **state)
{
	(void)state;
	/* Results are below SECCOMP_RET_ALLOW, as signed numbers: they are what is answered. */
	assert_int_equal(compute(BPF_ADD, 0xffffffff, 3), 2);
	assert_int_equal(compute(BPF_SUB, 7, 5), 2);
	assert_int_equal(compute(BPF_MUL, 70000, 70000), (uint32_t)(70000u * 70000u));
	assert_int_equal(compute(BPF_DIV, 7, 2), 3);
	assert_int_equal(compute(BPF_DIV, 7, 0), SECCOMP_RET_KILL_THREAD);
	assert_int_equal(compute(BPF_AND, 12, 10), 8);
	assert_int_equal(compute(BPF_OR, 12, 10), 14);
	assert_int_equal(compute(BPF_XOR, 12, 10), 6);
	assert_int_equal(compute(BPF_LSH, 1, 4), 16);
	assert_int_equal(compute(BPF_RSH, 0x80000000, 31), 1);
	assert_int_equal(compute(BPF_NEG, 5, 0), (uint32_t)-5);
}

static bool jumps(uint16_t op, uint32_t a, uint32_t k)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)), BPF_JUMP(BPF_JMP | op | BPF_K, k, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 1), BPF_STMT(BPF_RET | BPF_K, 2),
	};
	struct mv_seccomp *f = make(NULL, code, LEN(code));
	uint32_t said = mv_seccomp_run(f, &CALL(1, a));

	mv_seccomp_unref(&sim_ops, f);
	return said == 1;
}

static void conditions(void **state)
{
	(void)state;
	assert_true(jumps(BPF_JEQ, 5, 5));
	assert_false(jumps(BPF_JEQ, 5, 6));
	assert_true(jumps(BPF_JGT, 0x80000000, 5));	/* unsigned */
	assert_false(jumps(BPF_JGT, 5, 5));
	assert_true(jumps(BPF_JGE, 5, 5));
	assert_true(jumps(BPF_JSET, 6, 2));
	assert_false(jumps(BPF_JSET, 4, 2));
}

static void data(void **state)
{
	static const struct { unsigned offset; uint32_t is; } words[] = {
		{ offsetof(struct seccomp_data, nr), 17 }, { offsetof(struct seccomp_data, arch), AUDIT_ARCH_X86_64 },
		{ offsetof(struct seccomp_data, args[5]), 0x55667788 }, { offsetof(struct seccomp_data, args[5]) + 4, 0x11223344 },
	};

	(void)state;
	for (unsigned i = 0; i < LEN(words); i++) {
		struct sock_filter code[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, words[i].offset), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, words[i].is, 0, 1),
			BPF_STMT(BPF_RET | BPF_K, 1), BPF_STMT(BPF_RET | BPF_K, 2),
		};
		struct mv_seccomp *f = make(NULL, code, LEN(code));

		assert_int_equal(mv_seccomp_run(f, &CALL(17, 0, 0, 0, 0, 0, 0x1122334455667788)), 1);
		mv_seccomp_unref(&sim_ops, f);
	}
}

static struct mv_seccomp *always(struct mv_seccomp *old, uint32_t answer)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, answer);
	struct mv_seccomp *f = make(old, &code, 1);

	mv_seccomp_unref(&sim_ops, old);
	return f;
}

static void several(void **state)
{
	struct mv_seccomp *f = always(NULL, SECCOMP_RET_ERRNO | 1), *first = mv_seccomp_ref(f), *thawed;
	char bytes[256];
	size_t size;

	(void)state;
	assert_int_equal(mv_seccomp_run(NULL, &CALL(1)), SECCOMP_RET_ALLOW);
	f = always(f, SECCOMP_RET_ALLOW);
	assert_int_equal(mv_seccomp_run(f, &CALL(1)), SECCOMP_RET_ERRNO | 1);
	f = always(f, SECCOMP_RET_ERRNO | 2);
	assert_int_equal(mv_seccomp_run(f, &CALL(1)), SECCOMP_RET_ERRNO | 2);	/* the newer of equals */
	f = always(f, SECCOMP_RET_TRAP);
	f = always(f, SECCOMP_RET_TRACE);
	assert_int_equal(mv_seccomp_run(f, &CALL(1)), SECCOMP_RET_TRAP);
	f = always(f, SECCOMP_RET_KILL_THREAD);
	f = always(f, SECCOMP_RET_KILL_PROCESS);
	f = always(f, SECCOMP_RET_KILL_THREAD);
	assert_int_equal(mv_seccomp_run(f, &CALL(1)), SECCOMP_RET_KILL_PROCESS);
	assert_true(mv_seccomp_descends(f, first));
	assert_true(mv_seccomp_descends(f, NULL));
	assert_false(mv_seccomp_descends(first, f));
	size = mv_seccomp_frozen_size(f);
	assert_true(size <= sizeof(bytes));
	mv_seccomp_freeze(f, bytes);
	assert_int_equal(mv_seccomp_thaw(&sim_ops, bytes, size, &thawed), 0);
	assert_int_equal(mv_seccomp_run(thawed, &CALL(1)), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(mv_seccomp_frozen_size(thawed), size);
	mv_seccomp_unref(&sim_ops, thawed);
	mv_seccomp_unref(&sim_ops, f);
	assert_int_equal(mv_seccomp_run(first, &CALL(1)), SECCOMP_RET_ERRNO | 1);
	mv_seccomp_unref(&sim_ops, first);
	assert_int_equal(sim_allocated(), 0);
}

static void too_many(void **state)
{
	static struct sock_filter code[MV_SECCOMP_INSNS_MAX];
	struct mv_seccomp *f = NULL, *more;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < LEN(code); i++)
		code[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	while (!mv_seccomp_add(&sim_ops, f, (struct mv_insn *)code, LEN(code), &more)) {
		mv_seccomp_unref(&sim_ops, f);
		f = more;
		n++;
	}
	assert_int_equal(n, 7);		/* 32768 instructions, with four more for each but the last */
	mv_seccomp_unref(&sim_ops, f);
	assert_int_equal(sim_allocated(), 0);
}

/* The filter goes into each variant, and is compared. */
static void installed(void **state)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getuid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 7), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct mv_call install = CALL(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, AT(0x100));

	(void)state;
	for (unsigned differ = 0; differ < 2; differ++) {
		struct sim *s = sim_new(NULL);

		s->result = 1;		/* no new privileges */
		sim_put64(s, 0x100, LEN(code));
		sim_put_pointer(s, 0x108, 0x200);
		sim_put(s, 0x200, code, sizeof(code));
		if (differ)
			*(uint8_t *)sim_mem(s, 1, 0x200 + 2 * sizeof(*code) + 4) = 8;
		assert_int_equal(sim_all(s, install), !differ);
		if (differ) {
			sim_expect_difference(s, MV_DIFF_BYTES, 1);
		} else {
			assert_true(sim_all(s, CALL(__NR_getuid)));
			for (unsigned v = 0; v < 2; v++)
				sim_expect_done(&s->step[v], -7);
			assert_true(sim_all(s, CALL(__NR_getgid)));
			sim_expect_done(&s->step[1], 1);
		}
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_programs),
		cmocka_unit_test(memory_on_all_ways),
		cmocka_unit_test(arithmetic),
		cmocka_unit_test(conditions),
		cmocka_unit_test(data),
		cmocka_unit_test(several),
		cmocka_unit_test(too_many),
		cmocka_unit_test(installed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
