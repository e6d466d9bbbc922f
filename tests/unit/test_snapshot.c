/* Snapshots of real stopped processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/unistd.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "supervisor/report.h"

/* Not static, so that they have names in .dynsym or .symtab; the volatile keeps the calls from becoming jumps. */
int snapshot_test_inner(int n);
int snapshot_test_outer(int n);
volatile int snapshot_test_sink;

__attribute__((noinline)) int snapshot_test_inner(int n)
{
	raise(SIGSTOP);
	snapshot_test_sink = n;
	return snapshot_test_sink + 1;
}

__attribute__((noinline)) int snapshot_test_outer(int n)
{
	snapshot_test_sink = snapshot_test_inner(n + 1);
	return snapshot_test_sink + 1;
}

/* Where a call through a bad pointer leads to: no code. */
__attribute__((noinline)) static int jump_wild(int n)
{
	int (*volatile wild)(int) = (int (*)(int))(uintptr_t)0x41414141;

	snapshot_test_sink = wild(n);
	return snapshot_test_sink + 1;
}

static pid_t traced_child(int (*function)(int), int expected_signal)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			function(1);
		_exit(77);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(WSTOPSIG(status), expected_signal);
	return pid;
}

static void end_child(pid_t pid)
{
	struct user_regs_struct regs;
	int status;

	/* It must still be stopped and ours, so that the snapshot has neither resumed nor detached it. */
	assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &regs), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static int frame_of(const struct mv_snapshot *s, const char *symbol)
{
	unsigned i;

	for (i = 0; i < s->nframes; i++)
		if (s->frames[i].symbol && !strcmp(s->frames[i].symbol, symbol))
			return (int)i;
	return -1;
}

static void snapshot_nested(void **state)
{
	pid_t pid = traced_child(snapshot_test_outer, SIGSTOP);
	struct mv_snapshot s;
	char self[sizeof(s.program)] = "";
	unsigned i, code = 0;
	int inner, outer;

	(void)state;
	assert_int_equal(mv_snapshot_take(pid, NULL, NULL, &s), 0);
	end_child(pid);
	assert_int_equal(s.host_tid, pid);
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_string_equal(s.program, self);
	inner = frame_of(&s, "snapshot_test_inner");
	outer = frame_of(&s, "snapshot_test_outer");
	assert_true(inner > 0);		/* below raise() */
	assert_int_equal(outer, inner + 1);
	assert_true(frame_of(&s, "main") > outer);
	assert_int_equal(s.frames[0].pc, s.regs.rip);
	assert_int_equal(s.frames[inner].pc, (uintptr_t)snapshot_test_inner + s.frames[inner].offset);
	assert_string_equal(s.frames[inner].module, self);
	assert_non_null(strstr(s.frames[0].module, "libc"));
	assert_non_null(s.frames[0].symbol);
	for (i = 0; i < s.nregions; i++)
		code += s.regions[i].perms[2] == 'x' && (uintptr_t)snapshot_test_inner >= s.regions[i].start &&
			(uintptr_t)snapshot_test_inner < s.regions[i].end;
	assert_int_equal(code, 1);
	mv_snapshot_free(&s);
}

static void snapshot_without_vdso(void **state)
{
	pid_t pid;
	struct mv_snapshot s;
	unsigned i;

	(void)state;
	pid = traced_child(snapshot_test_outer, SIGSTOP);
	assert_int_equal(mv_snapshot_take(pid, NULL, NULL, &s), 0);
	for (i = 0; i < s.nregions; i++) {
		struct user_regs_struct regs = s.regs;
		int status;

		if (!s.regions[i].name || strcmp(s.regions[i].name, "[vdso]"))
			continue;
		/* Have the child unmap it, as boot does: rewind onto the syscall instruction it is stopped behind. */
		regs.rip -= 2;
		regs.rax = __NR_munmap;
		regs.orig_rax = (unsigned long long)-1;
		regs.rdi = s.regions[i].start;
		regs.rsi = s.regions[i].end - s.regions[i].start;
		assert_int_equal(ptrace(PTRACE_SETREGS, pid, NULL, &regs), 0);
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSTOPPED(status));
		assert_int_equal(ptrace(PTRACE_SETREGS, pid, NULL, &s.regs), 0);
	}
	mv_snapshot_free(&s);
	assert_int_equal(mv_snapshot_take(pid, NULL, NULL, &s), 0);
	end_child(pid);
	for (i = 0; i < s.nregions; i++)
		assert_false(s.regions[i].name && !strcmp(s.regions[i].name, "[vdso]"));
	assert_true(frame_of(&s, "snapshot_test_inner") > 0);
	assert_true(frame_of(&s, "main") > frame_of(&s, "snapshot_test_inner"));
	mv_snapshot_free(&s);
}

static void snapshot_wild_jump(void **state)
{
	pid_t pid = traced_child(jump_wild, SIGSEGV);
	struct mv_snapshot s;

	(void)state;
	assert_int_equal(mv_snapshot_take(pid, NULL, NULL, &s), 0);
	end_child(pid);
	assert_int_equal(s.frames[0].pc, 0x41414141);
	assert_null(s.frames[0].symbol);
	assert_null(s.frames[0].module);
	assert_int_equal(frame_of(&s, "jump_wild"), 1);
	assert_true(frame_of(&s, "main") > 1);
	mv_snapshot_free(&s);
}

static void snapshot_of_nobody(void **state)
{
	struct mv_snapshot s;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(mv_snapshot_take(pid, NULL, NULL, &s), 0);
	assert_int_equal(s.nframes, 0);
	assert_int_equal(s.nregions, 0);
	assert_string_equal(s.program, "");
	mv_snapshot_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshot_nested),
		cmocka_unit_test(snapshot_without_vdso),
		cmocka_unit_test(snapshot_wild_jump),
		cmocka_unit_test(snapshot_of_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
