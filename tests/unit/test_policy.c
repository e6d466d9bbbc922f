#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <cmocka.h>
#include <multivar/policy.h>
#include "engine/table.h"
#include "policy/nearest.h"

static struct mv_policy policy;
static struct mv_policy_error err;

static int parse(const char *text)
{
	return mv_policy_parse("dir/site.policy", text, strlen(text), &policy, &err);
}

static void parse_ok(const char *text)
{
	if (parse(text) < 0)
		fail_msg("%s:%u: %s", err.file, err.line, err.text);
}

static void parse_bad(const char *text, unsigned line, const char *message)
{
	assert_int_equal(parse(text), -1);
	assert_string_equal(err.file, "dir/site.policy");
	assert_int_equal(err.line, line);
	assert_string_equal(err.text, message);
}

static void load(const char *name)
{
	const char *text = mv_policy_text(name);

	assert_non_null(text);
	assert_int_equal(mv_policy_parse(name, text, strlen(text), &policy, &err), 0);
	assert_string_equal(policy.name, name);
}

/* Every kind of descriptor of every call that is in one of the groups (all calls: ~0) has the level. */
static void assert_levels(uint32_t in, enum mv_level level, enum mv_level others)
{
	unsigned n = 0;

	for (unsigned nr = 0; nr < MV_TABLE_SIZE; nr++) {
		bool member = in == ~0u || (mv_table[nr].groups & in) != 0;

		if (!mv_table[nr].name)
			continue;
		n += member;
		for (unsigned k = 0; k < MV_POLICY_FDKINDS; k++)
			if (policy.level[nr][k] != (member ? level : others))
				fail_msg("%s has level %d for kind %u", mv_table[nr].name, policy.level[nr][k], k);
	}
	assert_true(n > 0);
}

static void test_builtins(void **state)
{
	static const char *const expected[] = { "performance", "comprehensive", "exec", "leak", NULL };
	const char *const *names = mv_policy_names();

	(void)state;
	for (unsigned i = 0; expected[i]; i++) {
		assert_string_equal(names[i], expected[i]);
		assert_true(strlen(mv_policy_about(names[i])) > 20);
		assert_null(strchr(mv_policy_about(names[i]), '\n'));
	}
	assert_null(names[4]);
	assert_null(mv_policy_text("nonesuch"));
	assert_null(mv_policy_about("nonesuch"));

	load("performance");
	assert_levels(~0u, MV_LEVEL_RELAXED, MV_LEVEL_RELAXED);
	load("comprehensive");
	assert_levels(~0u, MV_LEVEL_LOCKSTEP, MV_LEVEL_RELAXED);
	load("exec");
	assert_levels(MV_GROUP_EXEC | MV_GROUP_PRIVILEGE, MV_LEVEL_LOCKSTEP, MV_LEVEL_RELAXED);
	assert_int_equal(policy.level[SYS_execve][0], MV_LEVEL_LOCKSTEP);
	assert_int_equal(policy.level[SYS_clone3][0], MV_LEVEL_LOCKSTEP);
	assert_int_equal(policy.level[SYS_write][MV_FDKIND_SOCKET], MV_LEVEL_RELAXED);
	load("leak");
	assert_levels(MV_GROUP_EXEC | MV_GROUP_PRIVILEGE | MV_GROUP_OUTPUT, MV_LEVEL_LOCKSTEP, MV_LEVEL_RELAXED);
	assert_int_equal(policy.level[SYS_write][MV_FDKIND_SOCKET], MV_LEVEL_LOCKSTEP);
}

static bool sensitive(unsigned nr, uint64_t a, uint64_t b, uint64_t c)
{
	struct mv_call call = { .nr = nr, .args = { a, b, c } };

	return mv_call_is_sensitive(&policy, &call);
}

static void test_sensitive(void **state)
{
	(void)state;
	load("exec");
	assert_true(sensitive(SYS_execve, 0, 0, 0));
	assert_true(sensitive(SYS_setuid, 0, 0, 0));
	assert_true(sensitive(SYS_kill, 0, 0, 0));
	assert_true(sensitive(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC));
	assert_false(sensitive(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE));
	assert_false(sensitive(SYS_munmap, 0, 4096, PROT_EXEC));
	assert_true(sensitive(SYS_shmat, 0, 0, SHM_EXEC));
	assert_false(sensitive(SYS_shmat, 0, 0, PROT_EXEC));
	assert_true(sensitive(SYS_prctl, PR_SET_SECUREBITS, 0, 0));
	assert_false(sensitive(SYS_prctl, PR_SET_NAME, 0, 0));
	assert_false(sensitive(SYS_prctl, PR_SET_MM, 0, 0));	/* denied */
	assert_true(sensitive(SYS_prlimit64, 1, 0, 0));
	assert_false(sensitive(SYS_prlimit64, 0, 0, 0));
	assert_false(sensitive(SYS_write, 1, 0, 1));
	load("comprehensive");
	assert_false(sensitive(SYS_write, 1, 0, 1));		/* waits, and is no such call */
	load("performance");
	assert_false(sensitive(SYS_execve, 0, 0, 0));
	assert_false(sensitive(SYS_mmap, 0, 4096, PROT_EXEC));
	parse_ok("base exec\nrelaxed setuid execve\nrelaxed pidfd_getfd@file");
	assert_false(sensitive(SYS_setuid, 0, 0, 0));
	assert_false(sensitive(SYS_mprotect, 0, 4096, PROT_EXEC));
	assert_false(sensitive(SYS_pidfd_getfd, 0, 0, 0));	/* who watches does not know what the descriptor is */
	assert_true(sensitive(SYS_setgid, 0, 0, 0));
}

static void test_default(void **state)
{
	(void)state;
	parse_ok("");
	assert_string_equal(policy.name, "site.policy");
	assert_levels(~0u, MV_LEVEL_RELAXED, MV_LEVEL_RELAXED);
	parse_ok("\n \t\r\n# only a comment\n   # another");
	assert_levels(~0u, MV_LEVEL_RELAXED, MV_LEVEL_RELAXED);
}

static void test_kinds(void **state)
{
	(void)state;
	parse_ok("lockstep write@socket,pipe writev # with a comment\r\nrelaxed write@pipe");
	assert_int_equal(policy.level[SYS_write][MV_FDKIND_SOCKET], MV_LEVEL_LOCKSTEP);
	assert_int_equal(policy.level[SYS_write][MV_FDKIND_PIPE], MV_LEVEL_RELAXED);
	assert_int_equal(policy.level[SYS_write][MV_FDKIND_FILE], MV_LEVEL_RELAXED);
	assert_int_equal(policy.level[SYS_write][MV_FDKIND_NONE], MV_LEVEL_RELAXED);
	for (unsigned k = 0; k < MV_POLICY_FDKINDS; k++)
		assert_int_equal(policy.level[SYS_writev][k], MV_LEVEL_LOCKSTEP);
	/* A group with kinds leaves calls without a descriptor alone. */
	parse_ok("lockstep all@socket");
	assert_int_equal(policy.level[SYS_read][MV_FDKIND_SOCKET], MV_LEVEL_LOCKSTEP);
	assert_int_equal(policy.level[SYS_read][MV_FDKIND_FILE], MV_LEVEL_RELAXED);
	assert_int_equal(policy.level[SYS_getuid][MV_FDKIND_SOCKET], MV_LEVEL_RELAXED);
}

static void test_later_wins(void **state)
{
	(void)state;
	parse_ok("base comprehensive\nunchecked getrusage\nrelaxed group:output\nlockstep write");
	assert_int_equal(policy.level[SYS_getrusage][0], MV_LEVEL_UNCHECKED);
	assert_int_equal(policy.level[SYS_writev][0], MV_LEVEL_RELAXED);
	assert_int_equal(policy.level[SYS_write][0], MV_LEVEL_LOCKSTEP);
	assert_int_equal(policy.level[SYS_getuid][0], MV_LEVEL_LOCKSTEP);
}

static void test_deny(void **state)
{
	(void)state;
	parse_ok("deny mount\ndeny bpf keyctl ENOSYS\ndeny write@socket EACCES\ndeny write@pipe EACCES");
	assert_int_equal(policy.level[SYS_mount][0], MV_LEVEL_DENY);
	assert_int_equal(policy.deny_errno[SYS_mount], EPERM);
	assert_int_equal(policy.deny_errno[SYS_bpf], ENOSYS);
	assert_int_equal(policy.deny_errno[SYS_keyctl], ENOSYS);
	assert_int_equal(policy.level[SYS_write][MV_FDKIND_PIPE], MV_LEVEL_DENY);
	assert_int_equal(policy.level[SYS_write][MV_FDKIND_FILE], MV_LEVEL_RELAXED);
	assert_int_equal(policy.deny_errno[SYS_write], EACCES);
	parse_ok("deny mount EACCES\ndeny mount EBUSY");
	assert_int_equal(policy.deny_errno[SYS_mount], EBUSY);
	parse_bad("deny write@socket EPERM\ndeny write@pipe EIO", 2,
		  "write is already denied with EPERM for other descriptors: one errno to a call");
	parse_bad("deny mount EPREM", 1, "unknown errno 'EPREM': did you mean EPERM?");
	parse_bad("deny EPERM", 1, "deny what? (calls by name, group:NAME, all)");
	parse_bad("deny ENOSYS mount", 1, "'mount' after the errno: an errno ends the line");
}

static void test_errors(void **state)
{
	(void)state;
	parse_bad("\n# x\nlokstep write", 3,
		  "unknown directive 'lokstep': did you mean lockstep? (known: base, lockstep, relaxed, unchecked, deny)");
	parse_bad("zzz", 1, "unknown directive 'zzz' (known: base, lockstep, relaxed, unchecked, deny)");
	parse_bad("lockstep wrtie", 1, "unknown system call 'wrtie': did you mean write?");
	parse_bad("lockstep x$y", 1, "unknown system call 'x$y' (known: x86-64 system calls by name, group:NAME, all)");
	parse_bad("lockstep a\x1b[31mb", 1,
		  "unknown system call 'a?[31mb' (known: x86-64 system calls by name, group:NAME, all)");
	parse_bad("lockstep fcntl(F_DUPFD)", 1, "'fcntl(F_DUPFD)': policies take calls as a whole: write fcntl");
	parse_bad("lockstep write relaxed read", 1, "'relaxed' in the place of a call: one directive to a line");
	parse_bad("lockstep group:outputs", 1, "unknown group 'outputs': did you mean output? (known: exec, privilege, "
		  "output, files, network, memory, signal)");
	parse_bad("lockstep write@sokcet", 1, "unknown descriptor kind 'sokcet': did you mean socket? (known: file, "
		  "socket, pipe, tty, other)");
	parse_bad("lockstep write@", 1, "unknown descriptor kind '' (known: file, socket, pipe, tty, other)");
	parse_bad("lockstep write@pipe,", 1, "unknown descriptor kind '' (known: file, socket, pipe, tty, other)");
	parse_bad("lockstep getuid@socket", 1,
		  "'getuid@socket': no descriptor tells kinds of this call apart: leave out what follows '@'");
	parse_bad("relaxed", 1, "relaxed what? (calls by name, group:NAME, all)");
	parse_bad("relaxed write EPERM", 1, "unknown system call 'EPERM' (known: x86-64 system calls by name, group:NAME, all)");
	parse_bad("base exce", 1, "unknown base policy 'exce': did you mean exec? (known: performance, comprehensive, "
		  "exec, leak)");
	parse_bad("base", 1, "base what? (the name of a built-in policy)");
	parse_bad("base exec leak", 1, "'leak' after the name: base takes one policy");
	parse_bad("relaxed all\nbase exec", 2, "base must come before all other lines: it would undo them");
	assert_int_equal(mv_policy_parse("dir/site.policy", "a\0b", 3, &policy, &err), -1);
	assert_int_equal(err.line, 0);
	assert_string_equal(err.text, "not a text file: it has a zero byte");
}

/* A built-in policy that starts from itself must not recurse, and says that it is built in. */
static void test_builtin_error(void **state)
{
	static const char text[] = "base exec\n";

	(void)state;
	assert_int_equal(mv_policy_parse("exec", text, sizeof(text) - 1, &policy, &err), -1);
	assert_string_equal(err.file, "(built in)");
	assert_int_equal(err.line, 1);
}

/* Words of any length end in an error, never beyond a buffer (the test also runs under ASan). */
static void test_long_words(void **state)
{
	static char text[4096];

	(void)state;
	for (size_t len = 1; len < sizeof(text) - 10; len = len * 3 / 2 + 1) {
		memcpy(text, "deny ", 5);
		memset(text + 5, 'q', len);
		assert_int_equal(mv_policy_parse("f", text, len + 5, &policy, &err), -1);
		text[5] = 'E';
		assert_int_equal(mv_policy_parse("f", text, len + 5, &policy, &err), -1);
		memset(text, 'q', len);
		assert_int_equal(mv_policy_parse("f", text, len, &policy, &err), -1);
	}
}

static void test_nearest(void **state)
{
	struct mv_nearest n = { .word = "socekt", .len = 6 };

	(void)state;
	mv_nearest_offer(&n, "pocket");
	mv_nearest_offer(&n, "socket");
	mv_nearest_offer(&n, "docket");
	assert_string_equal(n.best, "socket");
	assert_int_equal(n.distance, 1);
	n = (struct mv_nearest){ .word = "abc", .len = 3 };
	mv_nearest_offer(&n, "xyz");
	assert_null(n.best);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builtins), cmocka_unit_test(test_sensitive), cmocka_unit_test(test_default), cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_later_wins), cmocka_unit_test(test_deny), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_builtin_error), cmocka_unit_test(test_long_words), cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
