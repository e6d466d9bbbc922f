#include "boot_child.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "frontend/ptrace/inject.h"
#include "supervisor/procmaps.h"

#define PAGE 4096

static char scratch[] = "/tmp/test_boot.XXXXXX";
const struct mv_boot_random boot_random = { .own = "0123456789abcdef", .common = "fedcba9876543210" };
char *const boot_environment[] = { "FIRST=1st", "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };

int scratch_make(void **state)
{
	(void)state;
	return mkdtemp(scratch) ? 0 : -1;
}

int scratch_remove(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", scratch);
	return system(command);
}

void scratch_path(char path[64], const char *name)
{
	assert_true(snprintf(path, 64, "%s/%s", scratch, name) < 64);
}

bool scratch_compile(const char *name, const char *source, const char *flags)
{
	char command[512], src[64];
	FILE *f;

	scratch_path(src, "x.c");
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

void child_spawn(struct child *c, char *const argv[], char *const envp[], bool seccomp)
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

void child_plan(struct child *c, enum mv_layout_mode mode, unsigned variant, uint64_t seed)
{
	uint64_t seeds[4] = { seed, 2, 3, 4 };
	struct mv_error err;

	mv_layout_init(&c->layout, mode, variant, VARIANTS, seeds);
	if (mv_boot_plan(c->pid, &c->regs, &c->layout, &boot_random, MV_VDSO_SYSCALL, NULL, NULL, &c->plan, &err))
		fail_msg("plan: %s", err.text);
}

void child_inject(struct child *c)
{
	struct mv_error err;

	if (mv_inject_agent(c->pid, &c->plan, &c->regs, &err))
		fail_msg("inject: %s", err.text);
	assert_true(c->regs.rip == c->plan.entry && c->regs.rsp == c->plan.sp);
}

int child_finish(struct child *c, char *output, size_t size)
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

int child_kill(struct child *c)
{
	int status;

	kill(c->pid, SIGKILL);
	assert_int_equal(waitpid(c->pid, &status, __WALL), c->pid);
	close(c->out);
	mv_boot_plan_free(&c->plan);
	return status;
}

static bool in_window(const struct mv_layout *l, uint64_t start, uint64_t end)
{
	uint64_t base = l->slice + ((uint64_t)l->stripe << MV_STRIPE_SHIFT) + l->window;

	return start >= base && end <= base + l->window_size;
}

const struct mv_boot_mapping *child_planned(const struct mv_boot_plan *p, uint32_t ordinal)
{
	for (unsigned i = 0; i < p->nmappings; i++)
		if (p->mappings[i].ordinal == ordinal)
			return &p->mappings[i];
	return NULL;
}

/* Nothing of the kernel's is left in it. */
static void check_vdso(struct child *c, const struct mv_map *m)
{
	uint8_t *bytes = malloc(c->plan.vdso_len);

	assert_true(m->start == c->plan.vdso_addr && m->end == m->start + c->plan.vdso_len);
	assert_string_equal(m->perms, "r-xp");
	assert_int_equal(mv_proc_peek(c->pid, m->start, bytes, c->plan.vdso_len, NULL), 0);
	assert_memory_equal(bytes, c->plan.vdso_bytes, c->plan.vdso_len);
	assert_memory_equal(bytes, "\177ELF", 4);
	free(bytes);
}

void child_check_maps(struct child *c)
{
	bool disjoint = c->layout.mode == MV_LAYOUT_DISJOINT, stack = false;
	const struct mv_boot_mapping *program = child_planned(&c->plan, MV_MAP_PROGRAM);
	struct mv_maps maps;

	assert_int_equal(mv_maps_read(c->pid, &maps, NULL), 0);
	assert_non_null(program);
	for (unsigned i = 0; i < maps.n; i++) {
		const struct mv_map *m = &maps.maps[i];
		bool known = false;

		assert_true(strncmp(m->name, "[vvar", 5) && strcmp(m->name, "[heap]"));
		if (!strcmp(m->name, "[vdso]"))
			check_vdso(c, m);
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

/* Whether the kernel tells us, or we have to read it. */
static void limits_agree(pid_t pid)
{
	static const struct { int resource; const char *name; } limits[] = {
		{ RLIMIT_STACK, "Max stack size" }, { RLIMIT_AS, "Max address space" }, { RLIMIT_DATA, "Max data size" },
	};

	for (unsigned i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		struct rlimit told, read;

		assert_int_equal(mv_proc_limit(pid, limits[i].resource, &told, NULL), 0);
		assert_int_equal(mv_proc_limit_by_name(pid, limits[i].name, &read, NULL), 0);
		assert_int_equal(told.rlim_cur, read.rlim_cur);
		assert_int_equal(told.rlim_max, read.rlim_max);
	}
}

void child_check_proc(struct child *c, char *const argv[], char *const envp[])
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

	limits_agree(c->pid);
	assert_int_equal(mv_auxv_read(c->pid, &auxv, NULL), 0);
	assert_int_equal(mv_auxv_get(&auxv, 33 /* AT_SYSINFO_EHDR */), c->plan.vdso_addr);
	if (c->layout.mode == MV_LAYOUT_DISJOINT) {
		assert_true(in_window(&c->layout, mv_auxv_get(&auxv, 25 /* AT_RANDOM */), mv_auxv_get(&auxv, 25)));
		assert_true(in_window(&c->layout, mv_auxv_get(&auxv, 31 /* AT_EXECFN */), mv_auxv_get(&auxv, 31)));
		if (!c->plan.program_fixed)
			assert_true(in_window(&c->layout, mv_auxv_get(&auxv, 9 /* AT_ENTRY */), mv_auxv_get(&auxv, 9)));
	}
}
