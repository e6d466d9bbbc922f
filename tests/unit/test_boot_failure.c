/* Boots that something comes between: signals, a death, an operation that fails, a program that cannot be booted. */
#include "boot_child.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "frontend/ptrace/inject.h"

/* A signal that arrives during the boot is delivered after it; its dispositions and the mask stay as inherited. */
static void test_signals(void **state)
{
	char *const argv[] = { "/bin/sleep", "10", NULL };
	struct child c;
	uint64_t mask = 0;
	int status;

	(void)state;
	child_spawn(&c, argv, boot_environment, false);
	child_plan(&c, MV_LAYOUT_DISJOINT, 1, 6);
	kill(c.pid, SIGTERM);
	child_inject(&c);
	assert_int_equal(ptrace(PTRACE_GETSIGMASK, c.pid, sizeof(mask), &mask), 0);
	assert_int_equal(mask, 0);
	assert_int_equal(child_finish(&c, NULL, 0), SIGTERM);

	child_spawn(&c, argv, boot_environment, true);
	child_plan(&c, MV_LAYOUT_DISJOINT, 1, 7);
	kill(c.pid, SIGSTOP);
	child_inject(&c);
	assert_int_equal(ptrace(PTRACE_CONT, c.pid, NULL, NULL), 0);
	assert_int_equal(waitpid(c.pid, &status, __WALL), c.pid);
	assert_int_equal(status >> 8, SIGSTOP);
	assert_int_equal(child_kill(&c), SIGKILL);
}

static void test_killed(void **state)
{
	char *const argv[] = { "/bin/true", NULL };
	uint64_t seed[4] = { 1 };
	struct mv_error err;
	struct child c;

	(void)state;
	child_spawn(&c, argv, boot_environment, false);
	child_plan(&c, MV_LAYOUT_DISJOINT, 0, 8);
	kill(c.pid, SIGKILL);
	assert_int_equal(mv_inject_agent(c.pid, &c.plan, &c.regs, &err), -ESRCH);
	assert_int_equal(child_kill(&c), SIGKILL);

	child_spawn(&c, argv, boot_environment, false);
	kill(c.pid, SIGKILL);
	usleep(10000);
	mv_layout_init(&c.layout, MV_LAYOUT_DISJOINT, 0, VARIANTS, seed);
	assert_int_equal(mv_boot_plan(c.pid, &c.regs, &c.layout, NULL, MV_VDSO_SYSCALL, NULL, NULL, &c.plan, &err), -ESRCH);
	assert_int_equal(err.code, ESRCH);
	assert_int_equal(child_kill(&c), SIGKILL);
}

/* An operation that fails is named; one that may fail does not matter. */
static void test_failing_op(void **state)
{
	char *const argv[] = { "/bin/true", NULL };
	struct mv_boot_op *ops;
	struct mv_error err;
	struct child c;

	(void)state;
	for (int seccomp = 0; seccomp < 2; seccomp++) {
		child_spawn(&c, argv, boot_environment, seccomp);
		child_plan(&c, MV_LAYOUT_DISJOINT, 0, 8);
		ops = (struct mv_boot_op *)(void *)(c.plan.agent_bytes + mv_agent_ops_offset + 8);
		ops[1].args[4]++;	/* an odd place to move to */
		assert_int_equal(mv_inject_agent(c.pid, &c.plan, &c.regs, &err), -EINVAL);
		assert_non_null(strstr(err.text, "operation 1, system call 25("));
		child_kill(&c);
	}
	child_spawn(&c, argv, boot_environment, false);
	child_plan(&c, MV_LAYOUT_DISJOINT, 0, 8);
	ops = (struct mv_boot_op *)(void *)(c.plan.agent_bytes + mv_agent_ops_offset + 8);
	assert_int_equal(ops[c.plan.nops - 2].flags, MV_BOOT_MAY_FAIL);
	ops[c.plan.nops - 2].args[1] = 12345;
	child_inject(&c);
	assert_int_equal(child_finish(&c, NULL, 0), 0);
}

static void test_32_bit(void **state)
{
	static const unsigned char elf[] = {
		0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 1, 0, 0, 0,	/* ET_EXEC, EM_386 */
		0x54, 0x80, 0x04, 0x08, 52, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 52, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0,
		1, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x04, 0x08, 0, 0x80, 0x04, 0x08, 0x60, 0, 0, 0, 0x60, 0, 0, 0,
		5, 0, 0, 0, 0, 0x10, 0, 0, 0x31, 0xdb, 0x31, 0xc0, 0x40, 0xcd, 0x80, 0, 0, 0, 0, 0,
	};
	char path[64];
	char *const argv[] = { path, NULL };
	uint64_t seed[4] = { 1 };
	struct mv_error err;
	struct child c;
	int fd;

	(void)state;
	scratch_path(path, "elf32");
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, elf, sizeof(elf)), sizeof(elf));
	close(fd);
	child_spawn(&c, argv, boot_environment, false);
	if (c.pid < 0) {
		fprintf(stderr, "SKIPPED: this kernel does not run 32-bit programs\n");
		close(c.out);
		return;
	}
	mv_layout_init(&c.layout, MV_LAYOUT_DISJOINT, 0, VARIANTS, seed);
	assert_int_equal(mv_boot_plan(c.pid, &c.regs, &c.layout, NULL, MV_VDSO_SYSCALL, NULL, NULL, &c.plan, &err), -ENOEXEC);
	assert_int_equal(err.status, 126);
	assert_non_null(strstr(err.text, "is a 32-bit program"));
	child_kill(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_failing_op),
		cmocka_unit_test(test_32_bit),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
