/* Boots real programs: execs them under ptrace, plans, injects, and lets them run without any engine. */
#include "boot_child.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * Checks from the inside what every start-up code relies on, then uses the stack, the heap and libc.  "align" needs the
 * program's place to be kept modulo 64 KiB.
 */
static const char probe_source[] =
	"#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <errno.h>\n#include <time.h>\n"
	"#include <sys/auxv.h>\n#include <unistd.h>\n#include <stdint.h>\n"
	"static char align[64] __attribute__((aligned(65536))) = \"x\";\nstatic volatile char bss[100000];\n"
	"static int deep(int n) { volatile char page[4096]; page[0] = (char)n; page[4095] = 1;\n"
	"	return n ? deep(n - 1) + page[4095] : 0; }\n"
	"#ifdef GO_NOTE\n"
	"asm(\".section .note.go.buildid,\\\"a\\\",@note\\n.long 4,4,4\\n.ascii \\\"Go\\\\0\\\\0id..\\\"\\n.text\");\n"
	"#endif\n"
	"int main(int argc, char **argv, char **envp) {\n"
	"	struct timespec ts; int n = 0; char *volatile al = align;\n"
	"	const char *r = (const char *)getauxval(AT_RANDOM);\n"
	"	while (envp[n]) n++;\n"
	"	for (size_t i = 0; i < sizeof bss; i++) if (bss[i]) return 3;\n"
	"	const char *vdso = (const char *)getauxval(AT_SYSINFO_EHDR); if (vdso && memcmp(vdso, \"\\177ELF\", 4)) return 4;\n"
	"	if ((uintptr_t)argv % 16 != 8 || (uintptr_t)al % 65536 || al[0] != 'x') return 5;\n"
	"	if (clock_gettime(CLOCK_MONOTONIC, &ts) || ts.tv_sec == 0) return 6;\n"
	"	char *big = malloc(5 << 20), *small = malloc(100); memset(big, 1, 5 << 20); memset(small, 1, 100);\n"
	"	if (getauxval(AT_UID) != getuid() || strcmp((char *)getauxval(AT_PLATFORM), \"x86_64\")) return 7;\n"
	"	printf(\"%d %s %s %d %s %s %.16s %d\\n\",\n"
	"	       argc, argv[0], argc > 1 ? argv[1] : \"-\", n, getenv(\"FIRST\"),\n"
	"	       (char *)getauxval(AT_EXECFN), r, deep(1500));\n"
	"	return 42;\n}\n";

static void boot_and_expect(char *const argv[], enum mv_layout_mode mode, bool seccomp, int status, const char *expected)
{
	struct child c;
	char output[4096];

	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		child_spawn(&c, argv, boot_environment, seccomp);
		assert_true(c.pid > 0);
		child_plan(&c, mode, variant, (uint64_t)getpid() + variant);
		child_inject(&c);
		child_check_maps(&c);
		child_check_proc(&c, argv, boot_environment);
		assert_int_equal(child_finish(&c, output, sizeof(output)), status);
		assert_string_equal(output, expected);
	}
}

static void test_true(void **state)
{
	char *const argv[] = { "/bin/true", NULL };

	(void)state;
	for (enum mv_layout_mode mode = MV_LAYOUT_SAME; mode <= MV_LAYOUT_DISJOINT; mode++) {
		boot_and_expect(argv, mode, false, EXITED(0), "");
		boot_and_expect(argv, mode, true, EXITED(0), "");
	}
}

/* A shell forks; its function calls recurse deeply. */
static void test_shell(void **state)
{
	static char script[] = "echo $0 $FIRST; f() { if [ $1 -gt 0 ]; then f $(($1 - 1)); else echo deep; fi; }; "
			       "f 2000; tr '\\0' ' ' </proc/$$/cmdline | cut -c1-12; cat /proc/self/comm; exit 3";
	char *const argv[] = { "/bin/bash", "-c", script, "name", NULL };

	(void)state;
	boot_and_expect(argv, MV_LAYOUT_DISJOINT, false, EXITED(3), "name 1st\ndeep\n/bin/bash -c\ncat\n");
	boot_and_expect(argv, MV_LAYOUT_ASLR, false, EXITED(3), "name 1st\ndeep\n/bin/bash -c\ncat\n");
}

static void test_script(void **state)
{
	char path[64], expected[128];
	char *const argv[] = { path, "arg", NULL };
	struct child c;
	char output[256];
	FILE *f;

	(void)state;
	scratch_path(path, "script");
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("#!/bin/sh -e\necho $0 $1\n", f);
	fclose(f);
	assert_int_equal(chmod(path, 0755), 0);
	snprintf(expected, sizeof(expected), "%s arg\n", path);
	child_spawn(&c, argv, boot_environment, false);
	child_plan(&c, MV_LAYOUT_DISJOINT, 1, 5);
	child_inject(&c);
	child_check_maps(&c);
	assert_int_equal(child_finish(&c, output, sizeof(output)), EXITED(0));
	assert_string_equal(output, expected);
}

/* One source, linked in all the ways there are. */
static void test_kinds(void **state)
{
	static const struct { const char *name, *flags; bool fixed, interp, seeds; } kinds[] = {
		{ "pie", "-fPIE -pie", false, true, false },
		{ "fixed", "-no-pie", true, true, false },
		{ "static-pie", "-fPIE -static-pie", false, false, false },
		{ "static-fixed", "-static -no-pie", true, false, false },
		{ "static-go", "-static -no-pie -DGO_NOTE", true, false, true },
		{ "static-pie-go", "-fPIE -static-pie -DGO_NOTE", false, false, true },
		{ "dynamic-go", "-fPIE -pie -DGO_NOTE", false, true, false },	/* it has a C library, which makes canaries */
		{ "pie-2m", "-fPIE -pie -Wl,-z,max-page-size=0x200000", false, true, false },
		{ "pie-one", "-fPIE -pie -Wl,-z,noseparate-code", false, true, false },
	};
	char path[64], expected[256];
	char *const argv[] = { path, "one", "two", NULL };
	struct child c;

	(void)state;
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!scratch_compile(kinds[i].name, probe_source, kinds[i].flags))
			continue;
		scratch_path(path, kinds[i].name);
		snprintf(expected, sizeof(expected), "3 %s one 3 1st %s %.16s 1500\n", path, path,
			 (const char *)(kinds[i].seeds ? boot_random.common : boot_random.own));
		for (enum mv_layout_mode mode = MV_LAYOUT_SAME; mode <= MV_LAYOUT_DISJOINT; mode++) {
			boot_and_expect(argv, mode, false, EXITED(42), expected);
			boot_and_expect(argv, mode, true, EXITED(42), expected);
		}
		child_spawn(&c, argv, boot_environment, false);
		child_plan(&c, MV_LAYOUT_DISJOINT, 0, 1);
		assert_int_equal(c.plan.program_fixed, kinds[i].fixed);
		assert_int_equal(child_planned(&c.plan, MV_MAP_INTERP) != NULL, kinds[i].interp);
		assert_int_equal(!!(child_planned(&c.plan, MV_MAP_PROGRAM)->flags & MV_MM_FIXED_PLACE), kinds[i].fixed);
		child_inject(&c);
		assert_int_equal(child_finish(&c, NULL, 0), EXITED(42));
	}
}

/* Unlimited, small and odd stack limits; a stack that is full of strings. */
static void test_stacks(void **state)
{
	static const rlim_t limits[] = { RLIM_INFINITY, 7 << 20, (64 << 20) + 1 };
	char path[64], expected[256], *many[3001], output[256];
	char *const argv[] = { path, NULL };
	struct rlimit old, now;
	struct child c;

	(void)state;
	scratch_path(path, "pie");
	if (access(path, X_OK) && !scratch_compile("pie", probe_source, "-fPIE -pie"))
		return;
	assert_int_equal(getrlimit(RLIMIT_STACK, &old), 0);
	snprintf(expected, sizeof(expected), "1 %s - 3 1st %s %.16s 1500\n", path, path, (const char *)boot_random.own);
	for (unsigned i = 0; i < 3; i++) {
		now = old;
		now.rlim_cur = limits[i] < old.rlim_max ? limits[i] : old.rlim_max;
		assert_int_equal(setrlimit(RLIMIT_STACK, &now), 0);
		boot_and_expect(argv, MV_LAYOUT_DISJOINT, false, EXITED(42), expected);
		boot_and_expect(argv, MV_LAYOUT_ASLR, false, EXITED(42), expected);
	}
	setrlimit(RLIMIT_STACK, &old);

	for (unsigned i = 0; i < 3000; i++)
		assert_true(asprintf(&many[i], "%s%u=%0500u", i ? "V" : "FIRST", i, i) > 0);
	strcpy(many[0], "FIRST=1st");
	many[3000] = NULL;
	child_spawn(&c, argv, many, false);
	child_plan(&c, MV_LAYOUT_DISJOINT, 1, 9);
	child_inject(&c);
	child_check_proc(&c, argv, many);
	assert_int_equal(child_finish(&c, output, sizeof(output)), EXITED(42));
	snprintf(expected, sizeof(expected), "1 %s - 3000 1st %s %.16s 1500\n", path, path, (const char *)boot_random.own);
	assert_string_equal(output, expected);
	for (unsigned i = 0; i < 3000; i++)
		free(many[i]);
}

/* The places differ from run to run and from variant to variant; the same seed gives the same places. */
static void test_places(void **state)
{
	char *const argv[] = { "/bin/true", NULL };
	uint64_t program[4], sp[4], interp[4];
	struct child c;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		static const struct { unsigned variant; uint64_t seed; } runs[] = {
			{ 0, 1 }, { 0, 2 }, { 1, 1 }, { 0, 1 },
		};

		child_spawn(&c, argv, boot_environment, false);
		child_plan(&c, MV_LAYOUT_DISJOINT, runs[i].variant, runs[i].seed);
		program[i] = child_planned(&c.plan, MV_MAP_PROGRAM)->start;
		interp[i] = child_planned(&c.plan, MV_MAP_INTERP)->start;
		sp[i] = c.plan.sp;
		child_inject(&c);
		assert_int_equal(child_finish(&c, NULL, 0), 0);
	}
	assert_true(program[0] == program[3] && interp[0] == interp[3]);
	for (unsigned i = 1; i < 3; i++)
		assert_true(program[0] != program[i] && interp[0] != interp[i] && sp[0] != sp[i]);
}

static double us(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - from->tv_sec) * 1e6 + (double)(now.tv_nsec - from->tv_nsec) / 1e3;
}

/* Not an assertion: what a boot costs here. */
static void test_cost(void **state)
{
	char *const argv[] = { "/bin/true", NULL };
	enum { ROUNDS = 50 };

	(void)state;
	for (int seccomp = 0; seccomp < 2; seccomp++) {
		double planning = 0, injecting = 0, best = 1e9, t;
		struct timespec start;
		unsigned nops = 0;

		for (unsigned i = 0; i < ROUNDS; i++) {
			struct child c;

			child_spawn(&c, argv, boot_environment, seccomp);
			clock_gettime(CLOCK_MONOTONIC, &start);
			child_plan(&c, MV_LAYOUT_DISJOINT, 0, i);
			planning += us(&start);
			nops = c.plan.nops;
			clock_gettime(CLOCK_MONOTONIC, &start);
			child_inject(&c);
			t = us(&start);
			injecting += t;
			best = t < best ? t : best;
			assert_int_equal(child_finish(&c, NULL, 0), 0);
		}
		fprintf(stderr, "boot of /bin/true%s: %u operations, plan %.0f us, inject %.0f us (best %.0f)\n",
			seccomp ? " with seccomp" : "", nops, planning / ROUNDS, injecting / ROUNDS, best);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_true),
		cmocka_unit_test(test_shell),
		cmocka_unit_test(test_script),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
