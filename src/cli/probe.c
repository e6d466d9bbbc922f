/* The list of probes, how they are run, and the probes that need few lines. */
#include <asm/prctl.h>
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>
#include "cli/probe_internal.h"

#define TIME_LIMIT 5		/* seconds a probe may take */
#define KERNEL_MAJOR 5
#define KERNEL_MINOR 10
#define FILES_WANTED 1024
#define FAULTED 255		/* exit status: an instruction has raised SIGSEGV; others are errno */

void mv_probe_say(struct mv_finding *f, bool ok, const char *format, ...)
{
	va_list args;

	f->ok = ok;
	va_start(args, format);
	vsnprintf(f->found, sizeof(f->found), format, args);
	va_end(args);
}

void mv_probe_say_errno(struct mv_finding *f, const char *what)
{
	mv_probe_say(f, false, "%s: %s", what, strerror(errno));
}

long mv_probe_read_number(const char *path, long fallback)
{
	FILE *file = fopen(path, "re");
	long n;

	if (!file)
		return fallback;
	if (fscanf(file, "%ld", &n) != 1)
		n = fallback;
	fclose(file);
	return n;
}

pid_t mv_probe_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* ---- kernel and /proc ---- */

static void probe_kernel(struct mv_finding *f)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	uname(&u);
	sscanf(u.release, "%u.%u", &major, &minor);
	mv_probe_say(f, major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR), "%s", u.release);
}

static void probe_machine(struct mv_finding *f)
{
	struct utsname u;

	uname(&u);
	mv_probe_say(f, strcmp(u.machine, "x86_64") == 0, "%s", u.machine);
}

static void probe_proc(struct mv_finding *f)
{
	struct statfs fs;

	if (statfs("/proc", &fs) < 0)
		mv_probe_say_errno(f, "/proc");
	else if (fs.f_type != PROC_SUPER_MAGIC)
		mv_probe_say(f, false, "/proc is not the proc file system");
	else if (access("/proc/self/maps", R_OK) < 0)
		mv_probe_say_errno(f, "/proc/self/maps");
	else
		mv_probe_say(f, true, "mounted");
}

static void probe_files(struct mv_finding *f)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	mv_probe_say(f, limit.rlim_cur >= FILES_WANTED, "%llu now, %llu at most", (unsigned long long)limit.rlim_cur,
	    (unsigned long long)limit.rlim_max);
	if (!f->ok && limit.rlim_max >= FILES_WANTED)
		snprintf(f->cure, sizeof(f->cure), "ulimit -n %d", FILES_WANTED);
}

/* ---- what makes variants equal ---- */

static void faulted(int sig)
{
	(void)sig;
	_exit(FAULTED);
}

/* Does act() raise SIGSEGV, as asked by prctl or arch_prctl?  It is caught: the kernel's log tells of every other one. */
static void expect_fault(struct mv_finding *f, void (*act)(void), const char *what)
{
	int status;
	pid_t pid = mv_probe_fork();

	if (pid == 0) {
		struct sigaction sa = { .sa_handler = faulted };
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGSEGV);
		sigaction(SIGSEGV, &sa, NULL);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		act();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		mv_probe_say_errno(f, "fork");
	else if (WIFEXITED(status) && WEXITSTATUS(status) == FAULTED)
		mv_probe_say(f, true, "works");
	else if (WIFEXITED(status) && WEXITSTATUS(status))
		mv_probe_say(f, false, "%s: %s", what, strerror(WEXITSTATUS(status)));
	else
		mv_probe_say(f, false, "%s: the instruction went through", what);
}

static void read_tsc(void)
{
	if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) < 0)
		_exit(errno & 0xff);
	(void)__rdtsc();
}

static void probe_tsc(struct mv_finding *f)
{
	expect_fault(f, read_tsc, "PR_SET_TSC");
}

static void read_cpuid(void)
{
	unsigned a, b, c, d;

	if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) < 0)
		_exit(errno & 0xff);
	__cpuid(0, a, b, c, d);
	__asm__ volatile("" : : "r"(a), "r"(b), "r"(c), "r"(d));
}

static void probe_cpuid(struct mv_finding *f)
{
	expect_fault(f, read_cpuid, "ARCH_SET_CPUID");
}

/* Fields of /proc/self/stat after the name, numbered as in proc(5). */
static int read_stat(unsigned long fields[64])
{
	char text[2048], *p;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	p = strrchr(text, ')');
	if (!p)
		return -1;
	p += 2;
	for (unsigned i = 3; i < 64 && p; i++) {
		fields[i] = strtoul(p, NULL, 10);
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	return 0;
}

/* Set our own memory map to what it is: allowed without privileges, and harmless. */
static void probe_mm_map(struct mv_finding *f)
{
	unsigned long s[64] = { 0 };
	unsigned size = 0;

	if (read_stat(s) < 0) {
		mv_probe_say_errno(f, "/proc/self/stat");
		return;
	}

	struct prctl_mm_map map = {
		.start_code = s[26], .end_code = s[27], .start_data = s[45], .end_data = s[46],
		.start_brk = s[47], .brk = (uintptr_t)sbrk(0), .start_stack = s[28],
		.arg_start = s[48], .arg_end = s[49], .env_start = s[50], .env_end = s[51],
		.exe_fd = (uint32_t)-1,
	};

	if (prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) < 0)
		mv_probe_say_errno(f, "PR_SET_MM_MAP_SIZE");
	else if (size != sizeof(map))
		mv_probe_say(f, false, "struct prctl_mm_map has %u bytes instead of %zu", size, sizeof(map));
	else if (prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) < 0)
		mv_probe_say_errno(f, "PR_SET_MM_MAP");
	else
		mv_probe_say(f, true, "works");
}

#define NO_INPROC "the front-end inproc cannot run; auto is ptrace, which is slower"

const struct mv_probe mv_probes[] = {
	{
		"kernel", "Linux 5.10 or later", MV_NEEDED_BY_ALL, probe_kernel,
		"calls that mvarmor is built on are missing", "install a newer kernel",
	}, {
		"machine", "an x86-64 machine", MV_NEEDED_BY_ALL, probe_machine,
		"programs of other machines cannot be run", "use an x86-64 machine with a 64-bit kernel",
	}, {
		"proc", "/proc mounted", MV_NEEDED_BY_ALL, probe_proc,
		"the memory of variants cannot be seen", "mount -t proc proc /proc",
	}, {
		"ptrace", "PTRACE_SEIZE of one's own processes", MV_NEEDED_BY_ALL, mv_probe_ptrace,
		"variants cannot be watched",
		"in a container, allow ptrace: docker run --cap-add SYS_PTRACE or another seccomp profile",
	}, {
		"seccomp-trace", "seccomp filters with RET_TRACE", MV_NEEDED_BY_ALL, mv_probe_seccomp_trace,
		"system calls cannot be intercepted", "use a kernel with CONFIG_SECCOMP_FILTER; in a container, allow seccomp(2)",
	}, {
		"pid-namespace", "PID namespaces", MV_NEEDED_BY_ALL, mv_probe_pid_namespace,
		"followers cannot have the leader's process numbers",
		"run as root, or allow unprivileged user namespaces (in a container: --cap-add SYS_ADMIN)",
	}, {
		"set-tid", "clone3 with set_tid in such a namespace", MV_NEEDED_BY_ALL, mv_probe_set_tid,
		"followers cannot have the leader's process numbers",
		"use a kernel with CONFIG_CHECKPOINT_RESTORE; in a container, allow clone3(2)",
	}, {
		"ns-last-pid", "/proc/sys/kernel/ns_last_pid writable in such a namespace", MV_NEEDED_BY_ALL, mv_probe_last_pid,
		"processes made by fork, vfork and clone cannot get the leader's numbers",
		"use a kernel with CONFIG_CHECKPOINT_RESTORE; in a container, mount /proc/sys writable "
		"(docker run --security-opt systempaths=unconfined)",
	}, {
		"memory-code", "memory files that can be mapped executable", MV_NEEDED_BY_INPROC, mv_probe_memory_code,
		NO_INPROC, "allow it in the security module's policy (SELinux: execmem, execmod)",
	}, {
		"memory-room", "limits of memory that leave room for a monitor", MV_NEEDED_BY_INPROC, mv_probe_memory_room,
		NO_INPROC, "raise the hard limit (as and data in /etc/security/limits.conf, LimitAS= and LimitDATA= of a service)",
	}, {
		"seccomp-place", "seccomp filters that look at where a call is made", MV_NEEDED_BY_INPROC, mv_probe_seccomp_place,
		NO_INPROC, "use a kernel with CONFIG_SECCOMP_FILTER; in a container, allow seccomp(2)",
	}, {
		"gs", "a gs register that the tracer sets", MV_NEEDED_BY_INPROC, mv_probe_gs,
		NO_INPROC, "use a kernel and a virtual machine that let PTRACE_SETREGS set gs_base",
	}, {
		"text-write", "writing to traced processes' text (/proc/PID/mem)", 0, mv_probe_text_write,
		"with inproc call sites cannot be rewritten: every call stops its thread, as with ptrace",
		"boot without proc_mem.force_override=never (kernel 6.12 and later)",
	}, {
		"mseal", "sealing of memory (mseal)", 0, mv_probe_mseal,
		"with inproc nothing but the filter keeps calls from changing the monitor's mappings", "use Linux 6.10 or later",
	}, {
		"pkeys", "protection keys", 0, mv_probe_pkeys,
		"with inproc the program's own loads and stores can reach the monitor's memory, if it knows the address", "none where the processor or hypervisor has no protection keys",
	}, {
		"tsc", "trapping rdtsc (PR_SET_TSC)", 0, probe_tsc,
		"looks at the time stamp counter are replaced in code of files; other code may diverge by them without an attack",
		"use a kernel or virtual machine that lets CR4.TSD be set",
	}, {
		"cpuid", "trapping cpuid (ARCH_SET_CPUID)", 0, probe_cpuid,
		"cpuid is not intercepted: programs that take core numbers from it may diverge without an attack, and rdrand "
		"cannot be hidden",
		"none where the processor or hypervisor has no CPUID faulting; Intel processors have it since Ivy Bridge",
	}, {
		"mm-map", "PR_SET_MM_MAP", 0, probe_mm_map,
		"ps and /proc/PID/cmdline may not show a variant's arguments",
		"use a kernel with CONFIG_CHECKPOINT_RESTORE",
	}, {
		"files", "1024 open files", 0, probe_files,
		"programs with many processes and descriptors may run out of them",
		"raise the hard limit (nofile in /etc/security/limits.conf, LimitNOFILE= of a service)",
	}, {
		"seccomp-notify", "seccomp notification that hands over descriptors", MV_NEEDED_BY_ALL, mv_probe_notify,
		"open files cannot be handed to variants",
		"in a container whose runtime watches by seccomp notification itself, run without that profile",
	},
};
const unsigned mv_nprobes = sizeof(mv_probes) / sizeof(mv_probes[0]);

void mv_probe_run(const struct mv_probe *p, struct mv_finding *f)
{
	int channel[2], status;
	ssize_t n;

	memset(f, 0, sizeof(*f));
	if (pipe2(channel, O_CLOEXEC) < 0) {
		mv_probe_say_errno(f, "pipe");
		return;
	}
	fflush(NULL);

	pid_t pid = mv_probe_fork();

	if (pid < 0) {
		mv_probe_say_errno(f, "fork");
		close(channel[0]);
		close(channel[1]);
		return;
	}
	if (pid == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(TIME_LIMIT);
		p->probe(f);
		_exit(write(channel[1], f, sizeof(*f)) == (ssize_t)sizeof(*f) ? 0 : 1);
	}
	close(channel[1]);
	do {
		n = read(channel[0], f, sizeof(*f));
	} while (n < 0 && errno == EINTR);
	close(channel[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (n == (ssize_t)sizeof(*f))
		return;
	memset(f, 0, sizeof(*f));
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		mv_probe_say(f, false, "no answer in %d seconds", TIME_LIMIT);
	else if (WIFSIGNALED(status))
		mv_probe_say(f, false, "the probe was killed by %s", strsignal(WTERMSIG(status)));
	else
		mv_probe_say(f, false, "the probe gave no answer");
}
