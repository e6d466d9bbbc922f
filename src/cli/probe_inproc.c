/* Probes of what the in-process front-end stands on, and of what makes it faster or harder. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/probe_internal.h"
#include "frontend/inproc/needs.h"

#define PAGE 4096
#define ANSWER 42
#define HWCAP2_FSGSBASE 2
#define NR_MSEAL 462

static void say(struct mv_finding *f, int r, const struct mv_error *err)
{
	if (r)
		mv_probe_say(f, false, "%s", err->text);
	else
		mv_probe_say(f, true, "works");
}

void mv_probe_memory_code(struct mv_finding *f)
{
	struct mv_error err;

	say(f, in_needs_code(&err), &err);
}

void mv_probe_memory_room(struct mv_finding *f)
{
	struct mv_settings s;
	struct mv_error err;

	mv_options_defaults(&s);
	say(f, in_needs_room(mv_cli_arena(s.arena), &err), &err);
}

/* getppid from here is the call that the filter knows by its place. */
long mv_probe_getppid_here(void);
extern const char mv_probe_after_getppid[];
__asm__(".pushsection .text\n"
	"mv_probe_getppid_here:\n"
	"	mov	$110, %eax\n"
	"	syscall\n"
	"mv_probe_after_getppid:\n"
	"	ret\n"
	".popsection");

void mv_probe_seccomp_place(struct mv_finding *f)
{
	uint64_t place = (uint64_t)mv_probe_after_getppid;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)place, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(place >> 32), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ANSWER),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		mv_probe_say_errno(f, "seccomp filter");
	else if (mv_probe_getppid_here() != -ANSWER || syscall(SYS_getppid) < 0)
		mv_probe_say(f, false, "the filter does not see where a call is made");
	else
		mv_probe_say(f, true, "works");
}

/* A traced child that is stopped and then does act(); -1 with *f filled. */
static pid_t stopped_child(struct mv_finding *f, int (*act)(void))
{
	pid_t pid = mv_probe_fork();
	int status;

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(1);
		raise(SIGSTOP);
		_exit(act());
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
		return pid;
	mv_probe_say(f, false, "no traced process");
	return -1;
}

static const uint64_t word = ANSWER;

static int read_by_gs(void)
{
	uint64_t value;

	__asm__("mov %%gs:0, %0" : "=r"(value));
	return value == ANSWER ? 0 : 1;
}

void mv_probe_gs(struct mv_finding *f)
{
	pid_t pid = stopped_child(f, read_by_gs);
	struct user_regs_struct regs;
	int status;

	if (pid < 0)
		return;
	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0) {
		mv_probe_say_errno(f, "PTRACE_GETREGS");
		return;
	}
	regs.gs_base = (uint64_t)&word;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0 || ptrace(PTRACE_CONT, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) < 0)
		mv_probe_say_errno(f, "PTRACE_SETREGS");
	else if (!WIFEXITED(status) || WEXITSTATUS(status))
		mv_probe_say(f, false, "what was set is not there");
	else
		mv_probe_say(f, true, "works, %s fsgsbase", getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE ? "with" : "without");
}

static int nothing(void)
{
	return 0;
}

void mv_probe_text_write(struct mv_finding *f)
{
	static const uint8_t constant[16];
	pid_t pid = stopped_child(f, nothing);
	char path[64];
	int fd;

	if (pid < 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, "x", 1, (off_t)(uintptr_t)constant) != 1)
		mv_probe_say_errno(f, path);
	else
		mv_probe_say(f, true, "works");
	kill(pid, SIGKILL);
}

static void sealed(struct mv_finding *f, bool kept)
{
	mv_probe_say(f, kept, "%s", kept ? "works" : "sealed memory can be unmapped");
}

void mv_probe_mseal(struct mv_finding *f)
{
	void *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || syscall(NR_MSEAL, p, PAGE, 0) < 0)
		mv_probe_say_errno(f, "mseal");
	else
		sealed(f, munmap(p, PAGE) < 0);
}

void mv_probe_pkeys(struct mv_finding *f)
{
	struct mv_error err;

	say(f, in_needs_keys(&err), &err);
}
