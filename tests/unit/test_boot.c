/*
 * Boots real programs: execs them under ptrace, plans, injects, and lets them run without any engine.
 * Programs that Debian does not have are compiled on the spot into a scratch directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "engine/mm.h"
#include "frontend/ptrace/inject.h"
#include "supervisor/boot.h"
#include "supervisor/procmaps.h"

#define PAGE 4096
#define VARIANTS 3

static char scratch[] = "/tmp/test_boot.XXXXXX";
static const uint8_t canary[16] = "0123456789abcdef";

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
	"int main(int argc, char **argv, char **envp) {\n"
	"	struct timespec ts; int n = 0; char *volatile al = align;\n"
	"	const char *r = (const char *)getauxval(AT_RANDOM);\n"
	"	while (envp[n]) n++;\n"
	"	for (size_t i = 0; i < sizeof bss; i++) if (bss[i]) return 3;\n"
	"	errno = 0; if (getauxval(AT_SYSINFO_EHDR) || errno != ENOENT) return 4;\n"
	"	if ((uintptr_t)argv % 16 != 8 || (uintptr_t)al % 65536 || al[0] != 'x') return 5;\n"
	"	if (clock_gettime(CLOCK_MONOTONIC, &ts) || ts.tv_sec == 0) return 6;\n"
	"	char *big = malloc(5 << 20), *small = malloc(100); memset(big, 1, 5 << 20); memset(small, 1, 100);\n"
	"	if (getauxval(AT_UID) != getuid() || strcmp((char *)getauxval(AT_PLATFORM), \"x86_64\")) return 7;\n"
	"	printf(\"%d %s %s %d %s %s %.16s %d\\n\",\n"
	"	       argc, argv[0], argc > 1 ? argv[1] : \"-\", n, getenv(\"FIRST\"),\n"
	"	       (char *)getauxval(AT_EXECFN), r, deep(1500));\n"
	"	return 42;\n}\n";

struct child {
	pid_t pid;
	int out;		/* read end of its standard output */
	bool seccomp;
	struct mv_layout layout;
	struct mv_boot_plan plan;
	struct user_regs_struct regs;
};

static void full_path(char path[64], const char *name)
{
	assert_true(snprintf(path, 64, "%s/%s", scratch, name) < 64);
}

/* Whether gcc could make it; says so if not. */
static bool compile(const char *name, const char *source, const char *flags)
{
	char command[512], src[64];
	FILE *f;

	full_path(src, "x.c");
	f = fopen(src, "w");
	assert_non_null(f);
	fputs(source, f);
	fclose(f);
	snprintf(command, sizeof(command), "cd %s && ${CC:-cc} -w -O1 %s x.c -o %s 2>cc.log", scratch, flags, name);
	if (system(command) == 0)
		return true;
	fprintf(stderr, "SKIPPED: cannot compile with \"%s\", its part of the test did not run\n", flags);
	return false;
}

static void filter_everything(void)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE) };
	struct sock_fprog program = { 1, code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(124);
}

static void spawn(struct child *c, char *const argv[], char *const envp[], bool seccomp)
{
	int out[2], go[2], status;
	char byte;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	fflush(NULL);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		close(go[1]);
		dup2(out[1], 1);
		if (read(go[0], &byte, 1) != 0)
			_exit(125);
		if (seccomp)
			filter_everything();
		execve(argv[0], argv, envp);
		_exit(errno == ENOEXEC ? 126 : 127);
	}
	close(out[1]);
	close(go[0]);
	c->out = out[0];
	c->seccomp = seccomp;
	assert_int_equal(ptrace(PTRACE_SEIZE, c->pid, NULL, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL |
				(seccomp ? PTRACE_O_TRACESECCOMP : 0)), 0);
	close(go[1]);
	for (;;) {
		assert_int_equal(waitpid(c->pid, &status, __WALL), c->pid);
		if (!WIFSTOPPED(status)) {
			c->pid = -status;	/* the exec failed */
			return;
		}
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
			break;
		assert_int_equal(ptrace(PTRACE_CONT, c->pid, NULL, NULL), 0);
	}
	assert_int_equal(ptrace(PTRACE_GETREGS, c->pid, NULL, &c->regs), 0);
}

static void plan(struct child *c, enum mv_layout_mode mode, unsigned variant, uint64_t seed)
{
	uint64_t seeds[4] = { seed, 2, 3, 4 };
	struct mv_error err;

	mv_layout_init(&c->layout, mode, variant, VARIANTS, seeds);
	if (mv_boot_plan(c->pid, &c->regs, &c->layout, canary, &c->plan, &err))
		fail_msg("plan: %s", err.text);
}

static void inject(struct child *c)
{
	struct mv_error err;

	if (mv_inject_agent(c->pid, &c->plan, &c->regs, &err))
		fail_msg("inject: %s", err.text);
	assert_true(c->regs.rip == c->plan.entry && c->regs.rsp == c->plan.sp);
}

/* Run to the end; the wait status.  Signals are delivered; output (if not NULL) gets what it wrote. */
static int finish(struct child *c, char *output, size_t size)
{
	int status, sig = 0;
	size_t used = 0;
	ssize_t n;

	for (;;) {
		assert_int_equal(ptrace(PTRACE_CONT, c->pid, NULL, (void *)(intptr_t)sig), 0);
		assert_int_equal(waitpid(c->pid, &status, __WALL), c->pid);
		if (!WIFSTOPPED(status))
			break;
		sig = status >> 16 ? 0 : WSTOPSIG(status);
	}
	while (output && used + 1 < size && (n = read(c->out, output + used, size - 1 - used)) > 0)
		used += (size_t)n;
	if (output)
		output[used] = 0;
	close(c->out);
	mv_boot_plan_free(&c->plan);
	return status;
}

static bool in_window(const struct mv_layout *l, uint64_t start, uint64_t end)
{
	uint64_t base = l->slice + ((uint64_t)l->stripe << MV_STRIPE_SHIFT) + l->window;

	return start >= base && end <= base + l->window_size;
}

static const struct mv_boot_mapping *planned(const struct mv_boot_plan *p, uint32_t ordinal)
{
	for (unsigned i = 0; i < p->nmappings; i++)
		if (p->mappings[i].ordinal == ordinal)
			return &p->mappings[i];
	return NULL;
}

/* Every mapping is where the plan says, and nothing of the kernel's choice is left but the vsyscall page. */
static void check_maps(struct child *c)
{
	bool disjoint = c->layout.mode == MV_LAYOUT_DISJOINT, stack = false;
	const struct mv_boot_mapping *program = planned(&c->plan, MV_MAP_PROGRAM);
	struct mv_maps maps;

	assert_int_equal(mv_maps_read(c->pid, &maps, NULL), 0);
	assert_non_null(program);
	for (unsigned i = 0; i < maps.n; i++) {
		const struct mv_map *m = &maps.maps[i];
		bool known = false;

		assert_true(strncmp(m->name, "[vvar", 5) && strcmp(m->name, "[vdso]") && strcmp(m->name, "[heap]"));
		for (unsigned j = 0; j < c->plan.nmappings; j++)
			known |= m->start >= c->plan.mappings[j].start &&
				 m->end <= c->plan.mappings[j].start + c->plan.mappings[j].len;
		assert_true(known);
		stack |= !strcmp(m->name, "[stack]");
		if (!disjoint || !strcmp(m->name, "[vsyscall]"))
			continue;
		if (c->plan.program_fixed && m->start >= program->start && m->end <= program->start + program->len)
			continue;
		if (!in_window(&c->layout, m->start, m->end))
			fail_msg("%llx-%llx %s is outside of the window", (unsigned long long)m->start,
				 (unsigned long long)m->end, m->name);
	}
	assert_true(stack);		/* the kernel knows where the stack is now */
	assert_null(mv_maps_overlap(&maps, c->plan.agent, c->plan.agent + c->plan.agent_len));
	assert_null(mv_maps_overlap(&maps, c->plan.brk_start, c->plan.brk_limit));
	assert_true(c->plan.brk_start % PAGE == 0 && c->plan.brk_limit % PAGE == 0);
	assert_true(c->plan.brk_limit >= c->plan.brk_start + (64 << 20));
	if (disjoint) {
		assert_true(in_window(&c->layout, c->plan.brk_start, c->plan.brk_limit));
		assert_true(in_window(&c->layout, c->plan.agent, c->plan.agent + c->plan.agent_len));
	}
	mv_maps_free(&maps);
}

/* /proc/PID tells the truth: cmdline, environ, comm, exe, auxv. */
static void check_proc(struct child *c, char *const argv[], char *const envp[])
{
	char *text, link[64], exe[256], real[4096];
	struct mv_auxv auxv;
	size_t len, at = 0;
	ssize_t n;

	assert_int_equal(mv_proc_slurp(c->pid, "cmdline", &text, &len, NULL), 0);
	for (char *const *a = argv; *a; a++) {
		assert_true(at < len);
		assert_string_equal(text + at, *a);
		at += strlen(*a) + 1;
	}
	assert_int_equal(at, len);
	free(text);
	assert_int_equal(mv_proc_slurp(c->pid, "environ", &text, &len, NULL), 0);
	at = 0;
	for (char *const *e = envp; *e; e++) {
		assert_true(at < len);
		assert_string_equal(text + at, *e);
		at += strlen(*e) + 1;
	}
	assert_int_equal(at, len);
	free(text);
	assert_int_equal(mv_proc_slurp(c->pid, "comm", &text, &len, NULL), 0);
	assert_int_equal(strncmp(text, strrchr(argv[0], '/') + 1, len - 1 < 15 ? len - 1 : 15), 0);
	free(text);
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)c->pid);
	n = readlink(link, exe, sizeof(exe) - 1);
	assert_true(n > 0);
	exe[n] = 0;
	assert_non_null(realpath(argv[0], real));
	assert_string_equal(exe, real);
	assert_string_equal(c->plan.program, real);

	assert_int_equal(mv_auxv_read(c->pid, &auxv, NULL), 0);
	assert_int_equal(mv_auxv_get(&auxv, 33 /* AT_SYSINFO_EHDR */), 0);
	if (c->layout.mode == MV_LAYOUT_DISJOINT) {
		assert_true(in_window(&c->layout, mv_auxv_get(&auxv, 25 /* AT_RANDOM */), mv_auxv_get(&auxv, 25)));
		assert_true(in_window(&c->layout, mv_auxv_get(&auxv, 31 /* AT_EXECFN */), mv_auxv_get(&auxv, 31)));
		if (!c->plan.program_fixed)
			assert_true(in_window(&c->layout, mv_auxv_get(&auxv, 9 /* AT_ENTRY */), mv_auxv_get(&auxv, 9)));
	}
}

static char *const environment[] = { "FIRST=1st", "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };

static void boot_and_expect(char *const argv[], enum mv_layout_mode mode, bool seccomp, int status, const char *expected)
{
	struct child c;
	char output[4096];

	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		spawn(&c, argv, environment, seccomp);
		assert_true(c.pid > 0);
		plan(&c, mode, variant, (uint64_t)getpid() + variant);
		inject(&c);
		check_maps(&c);
		check_proc(&c, argv, environment);
		assert_int_equal(finish(&c, output, sizeof(output)), status);
		assert_string_equal(output, expected);
	}
}

#define EXITED(n) ((n) << 8)

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
	full_path(path, "script");
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("#!/bin/sh -e\necho $0 $1\n", f);
	fclose(f);
	assert_int_equal(chmod(path, 0755), 0);
	snprintf(expected, sizeof(expected), "%s arg\n", path);
	spawn(&c, argv, environment, false);
	plan(&c, MV_LAYOUT_DISJOINT, 1, 5);
	inject(&c);
	check_maps(&c);
	assert_int_equal(finish(&c, output, sizeof(output)), EXITED(0));
	assert_string_equal(output, expected);
}

/* One source, linked in all the ways there are. */
static void test_kinds(void **state)
{
	static const struct { const char *name, *flags; bool fixed, interp; } kinds[] = {
		{ "pie", "-fPIE -pie", false, true },
		{ "fixed", "-no-pie", true, true },
		{ "static-pie", "-fPIE -static-pie", false, false },
		{ "static-fixed", "-static -no-pie", true, false },
		{ "pie-2m", "-fPIE -pie -Wl,-z,max-page-size=0x200000", false, true },
		{ "pie-one", "-fPIE -pie -Wl,-z,noseparate-code", false, true },
	};
	char path[64], expected[256];
	char *const argv[] = { path, "one", "two", NULL };
	struct child c;

	(void)state;
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!compile(kinds[i].name, probe_source, kinds[i].flags))
			continue;
		full_path(path, kinds[i].name);
		snprintf(expected, sizeof(expected), "3 %s one 3 1st %s %.16s 1500\n", path, path, (const char *)canary);
		for (enum mv_layout_mode mode = MV_LAYOUT_SAME; mode <= MV_LAYOUT_DISJOINT; mode++) {
			boot_and_expect(argv, mode, false, EXITED(42), expected);
			boot_and_expect(argv, mode, true, EXITED(42), expected);
		}
		spawn(&c, argv, environment, false);
		plan(&c, MV_LAYOUT_DISJOINT, 0, 1);
		assert_int_equal(c.plan.program_fixed, kinds[i].fixed);
		assert_int_equal(planned(&c.plan, MV_MAP_INTERP) != NULL, kinds[i].interp);
		assert_int_equal(!!(planned(&c.plan, MV_MAP_PROGRAM)->flags & MV_MM_FIXED_PLACE), kinds[i].fixed);
		inject(&c);
		assert_int_equal(finish(&c, NULL, 0), EXITED(42));
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
	full_path(path, "pie");
	if (access(path, X_OK) && !compile("pie", probe_source, "-fPIE -pie"))
		return;
	assert_int_equal(getrlimit(RLIMIT_STACK, &old), 0);
	snprintf(expected, sizeof(expected), "1 %s - 3 1st %s %.16s 1500\n", path, path, (const char *)canary);
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
	spawn(&c, argv, many, false);
	plan(&c, MV_LAYOUT_DISJOINT, 1, 9);
	inject(&c);
	check_proc(&c, argv, many);
	assert_int_equal(finish(&c, output, sizeof(output)), EXITED(42));
	snprintf(expected, sizeof(expected), "1 %s - 3000 1st %s %.16s 1500\n", path, path, (const char *)canary);
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

		spawn(&c, argv, environment, false);
		plan(&c, MV_LAYOUT_DISJOINT, runs[i].variant, runs[i].seed);
		program[i] = planned(&c.plan, MV_MAP_PROGRAM)->start;
		interp[i] = planned(&c.plan, MV_MAP_INTERP)->start;
		sp[i] = c.plan.sp;
		inject(&c);
		assert_int_equal(finish(&c, NULL, 0), 0);
	}
	assert_true(program[0] == program[3] && interp[0] == interp[3]);
	for (unsigned i = 1; i < 3; i++)
		assert_true(program[0] != program[i] && interp[0] != interp[i] && sp[0] != sp[i]);
}

/* A signal that arrives during the boot is delivered after it; its dispositions and the mask stay as inherited. */
static void test_signals(void **state)
{
	char *const argv[] = { "/bin/sleep", "10", NULL };
	struct child c;
	uint64_t mask = 0;
	int status;

	(void)state;
	spawn(&c, argv, environment, false);
	plan(&c, MV_LAYOUT_DISJOINT, 1, 6);
	kill(c.pid, SIGTERM);
	inject(&c);
	assert_int_equal(ptrace(PTRACE_GETSIGMASK, c.pid, sizeof(mask), &mask), 0);
	assert_int_equal(mask, 0);
	assert_int_equal(finish(&c, NULL, 0), SIGTERM);

	spawn(&c, argv, environment, true);
	plan(&c, MV_LAYOUT_DISJOINT, 1, 7);
	kill(c.pid, SIGSTOP);
	inject(&c);
	assert_int_equal(ptrace(PTRACE_CONT, c.pid, NULL, NULL), 0);
	assert_int_equal(waitpid(c.pid, &status, __WALL), c.pid);
	assert_int_equal(status >> 8, SIGSTOP);
	kill(c.pid, SIGKILL);
	assert_int_equal(waitpid(c.pid, &status, __WALL), c.pid);
	assert_int_equal(status, SIGKILL);
	close(c.out);
	mv_boot_plan_free(&c.plan);
}

static void test_killed(void **state)
{
	char *const argv[] = { "/bin/true", NULL };
	uint64_t seed[4] = { 1 };
	struct mv_error err;
	struct child c;
	int status;

	(void)state;
	spawn(&c, argv, environment, false);
	plan(&c, MV_LAYOUT_DISJOINT, 0, 8);
	kill(c.pid, SIGKILL);
	assert_int_equal(mv_inject_agent(c.pid, &c.plan, &c.regs, &err), -ESRCH);
	assert_int_equal(waitpid(c.pid, &status, __WALL), c.pid);
	assert_int_equal(status, SIGKILL);
	close(c.out);
	mv_boot_plan_free(&c.plan);

	spawn(&c, argv, environment, false);
	kill(c.pid, SIGKILL);
	usleep(10000);
	mv_layout_init(&c.layout, MV_LAYOUT_DISJOINT, 0, VARIANTS, seed);
	assert_int_equal(mv_boot_plan(c.pid, &c.regs, &c.layout, NULL, &c.plan, &err), -ESRCH);
	assert_int_equal(err.code, ESRCH);
	assert_int_equal(waitpid(c.pid, &status, __WALL), c.pid);
	close(c.out);
	mv_boot_plan_free(&c.plan);
}

/* An operation that fails is named; one that may fail does not matter. */
static void test_failing_op(void **state)
{
	char *const argv[] = { "/bin/true", NULL };
	struct mv_boot_op *ops;
	struct mv_error err;
	struct child c;
	int status;

	(void)state;
	for (int seccomp = 0; seccomp < 2; seccomp++) {
		spawn(&c, argv, environment, seccomp);
		plan(&c, MV_LAYOUT_DISJOINT, 0, 8);
		ops = (struct mv_boot_op *)(void *)(c.plan.agent_bytes + mv_agent_ops_offset + 8);
		ops[1].args[4]++;	/* an odd place to move to */
		assert_int_equal(mv_inject_agent(c.pid, &c.plan, &c.regs, &err), -EINVAL);
		assert_non_null(strstr(err.text, "operation 1, system call 25("));
		kill(c.pid, SIGKILL);
		waitpid(c.pid, &status, __WALL);
		close(c.out);
		mv_boot_plan_free(&c.plan);
	}
	spawn(&c, argv, environment, false);
	plan(&c, MV_LAYOUT_DISJOINT, 0, 8);
	ops = (struct mv_boot_op *)(void *)(c.plan.agent_bytes + mv_agent_ops_offset + 8);
	assert_int_equal(ops[c.plan.nops - 2].may_fail, 1);
	ops[c.plan.nops - 2].args[1] = 12345;
	inject(&c);
	assert_int_equal(finish(&c, NULL, 0), 0);
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
	int fd, status;

	(void)state;
	full_path(path, "elf32");
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, elf, sizeof(elf)), sizeof(elf));
	close(fd);
	spawn(&c, argv, environment, false);
	if (c.pid < 0) {
		fprintf(stderr, "SKIPPED: this kernel does not run 32-bit programs\n");
		close(c.out);
		return;
	}
	mv_layout_init(&c.layout, MV_LAYOUT_DISJOINT, 0, VARIANTS, seed);
	assert_int_equal(mv_boot_plan(c.pid, &c.regs, &c.layout, NULL, &c.plan, &err), -ENOEXEC);
	assert_int_equal(err.status, 126);
	assert_non_null(strstr(err.text, "is a 32-bit program"));
	kill(c.pid, SIGKILL);
	waitpid(c.pid, &status, __WALL);
	close(c.out);
	mv_boot_plan_free(&c.plan);
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

			spawn(&c, argv, environment, seccomp);
			clock_gettime(CLOCK_MONOTONIC, &start);
			plan(&c, MV_LAYOUT_DISJOINT, 0, i);
			planning += us(&start);
			nops = c.plan.nops;
			clock_gettime(CLOCK_MONOTONIC, &start);
			inject(&c);
			t = us(&start);
			injecting += t;
			best = t < best ? t : best;
			assert_int_equal(finish(&c, NULL, 0), 0);
		}
		fprintf(stderr, "boot of /bin/true%s: %u operations, plan %.0f us, inject %.0f us (best %.0f)\n",
			seccomp ? " with seccomp" : "", nops, planning / ROUNDS, injecting / ROUNDS, best);
	}
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(scratch) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", scratch);
	return system(command);
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
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_failing_op),
		cmocka_unit_test(test_32_bit),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
