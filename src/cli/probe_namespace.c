/* Probes of PID namespaces and of choosing process numbers in them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli/probe_internal.h"

#define WANTED_TID 300		/* free in a new PID namespace */

static void cure_namespaces(struct mv_finding *f)
{
	if (mv_probe_read_number("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0)
		snprintf(f->cure, sizeof(f->cure), "run as root, or sysctl kernel.unprivileged_userns_clone=1");
	else if (mv_probe_read_number("/proc/sys/user/max_user_namespaces", 1) == 0)
		snprintf(f->cure, sizeof(f->cure), "run as root, or sysctl user.max_user_namespaces=1000");
	else if (mv_probe_read_number("/proc/sys/user/max_pid_namespaces", 1) == 0)
		snprintf(f->cure, sizeof(f->cure), "sysctl user.max_pid_namespaces=1000");
	else if (mv_probe_read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) != 0)
		snprintf(f->cure, sizeof(f->cure),
			 "run as root, or sysctl kernel.apparmor_restrict_unprivileged_userns=0");
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/*
 * The caller's next child will be the init of a new PID namespace.  Returns how ("as root", "through a user namespace"),
 * NULL with *f filled if there is no way.
 */
static const char *new_pid_namespace(struct mv_finding *f)
{
	char map[64];
	unsigned uid = geteuid(), gid = getegid();

	if (unshare(CLONE_NEWPID) == 0)
		return "with privileges";
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0) {
		mv_probe_say_errno(f, "unshare(CLONE_NEWUSER | CLONE_NEWPID)");
		cure_namespaces(f);
		return NULL;
	}
	write_file("/proc/self/setgroups", "deny");	/* absent before Linux 3.19 only, and where it is not needed */
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	if (write_file("/proc/self/uid_map", map) < 0) {
		mv_probe_say_errno(f, "/proc/self/uid_map");
		cure_namespaces(f);
		return NULL;
	}
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	if (write_file("/proc/self/gid_map", map) < 0) {
		mv_probe_say_errno(f, "/proc/self/gid_map");
		cure_namespaces(f);
		return NULL;
	}
	return "through a user namespace";
}

/*
 * Run inside() as init of a new PID namespace; it returns 0 or an errno.  Fills *f, with what as the name of the thing
 * that failed.
 */
static void in_namespace(struct mv_finding *f, int (*inside)(void), const char *what)
{
	const char *how = new_pid_namespace(f);
	int status;

	if (!how)
		return;

	pid_t pid = mv_probe_fork();

	if (pid == 0)
		_exit(inside() & 0xff);
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		mv_probe_say_errno(f, "a process in a new PID namespace");
		cure_namespaces(f);
	} else if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		mv_probe_say(f, false, "%s: %s", what, WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "it was killed");
		cure_namespaces(f);
	} else {
		mv_probe_say(f, true, "%s", how);
	}
}

static int be_init(void)
{
	return getpid() == 1 ? 0 : EINVAL;
}

static int choose_next_pid(void)
{
	int status;

	if (write_file("/proc/sys/kernel/ns_last_pid", "299") < 0)
		return errno;

	pid_t pid = mv_probe_fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return errno;
	return pid == WANTED_TID ? 0 : ERANGE;
}

static int choose_tid(void)
{
	pid_t tid = WANTED_TID;
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&tid, .set_tid_size = 1 };
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	int status;

	if (pid == 0)
		_exit(syscall(SYS_getpid) == WANTED_TID ? 0 : 1);
	if (pid < 0 || waitpid((pid_t)pid, &status, 0) < 0)
		return errno;
	return pid == WANTED_TID && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ERANGE;
}

void mv_probe_pid_namespace(struct mv_finding *f)
{
	in_namespace(f, be_init, "init of a new PID namespace");
}

void mv_probe_last_pid(struct mv_finding *f)
{
	in_namespace(f, choose_next_pid, "/proc/sys/kernel/ns_last_pid");
}

void mv_probe_set_tid(struct mv_finding *f)
{
	in_namespace(f, choose_tid, "clone3 with set_tid");
}
