/*
 * A follower's PID namespace.  Its first process does two things: it reaps what is orphaned in the namespace, and before a
 * follower makes a process it sets the namespace's counter so that the kernel gives out the number the leader got.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "launch.h"
#include "pt.h"

#define LAST_PID "/proc/sys/kernel/ns_last_pid"

static bool set_last_pid(int fd, uint32_t next)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", next - 1);

	return pwrite(fd, text, (size_t)n, 0) == n;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(121);
	close(fd);
}

/* In a user namespace of its own, an unprivileged process stays who it is. */
static void map_ids(uid_t uid, gid_t gid)
{
	char text[64];

	write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "%u %u 1", uid, uid);
	write_file("/proc/self/uid_map", text);
	snprintf(text, sizeof(text), "%u %u 1", gid, gid);
	write_file("/proc/self/gid_map", text);
}

/* Serve until the supervisor is gone. */
static _Noreturn void serve(int control, int last_pid)
{
	struct pollfd p[2] = { { .fd = control, .events = POLLIN } };
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	p[1].fd = signalfd(-1, &chld, SFD_CLOEXEC);
	p[1].events = POLLIN;
	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			_exit(0);
		if (p[1].revents) {
			struct signalfd_siginfo info;

			if (read(p[1].fd, &info, sizeof(info)) < 0)
				_exit(0);
			while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
				;
		}
		if (p[0].revents) {
			uint32_t pid;
			char ok;

			if (read(control, &pid, sizeof(pid)) != sizeof(pid))
				_exit(0);
			ok = set_last_pid(last_pid, pid);
			if (write(control, &ok, 1) != 1)
				_exit(0);
		}
	}
}

static void close_all_but(int low, int high)
{
	if (low > 0)
		syscall(SYS_close_range, 0, low - 1, 0);
	if (high > low + 1)
		syscall(SYS_close_range, low + 1, high - 1, 0);
	syscall(SYS_close_range, high + 1, ~0u, 0);
}

struct start {
	struct pt *pt;
	unsigned variant;
	int control, launch;
	uid_t uid;
	gid_t gid;
	bool user;
};

static _Noreturn void init_process(const struct start *s)
{
	int last_pid;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "mvarmor-init");
	setsid();
	if (s->user)
		map_ids(s->uid, s->gid);
	last_pid = open(LAST_PID, O_RDWR | O_CLOEXEC);
	if (last_pid < 0 && (errno == EMFILE || errno == ENFILE))
		_exit(120);
	if (last_pid < 0 || !set_last_pid(last_pid, s->pt->root_tid))
		_exit(122);
	pid = fork();
	if (pid < 0)
		_exit(123);
	if (!pid) {
		close(last_pid);
		close(s->control);
		pt_launch_child(s->pt, s->variant, s->launch);
	}
	if ((uint32_t)pid != s->pt->root_tid)
		_exit(124);
	/* Keep nothing of the supervisor's open: the program's files must not live longer through this process. */
	close_all_but(s->control < last_pid ? s->control : last_pid, s->control < last_pid ? last_pid : s->control);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigprocmask(SIG_SETMASK, &s->pt->mask, NULL);
	serve(s->control, last_pid);
}

int pt_namespace_start(struct pt *pt, unsigned variant, struct mv_error *err)
{
	struct start s = { .pt = pt, .variant = variant, .uid = geteuid(), .gid = getegid() };
	struct pt_variant *v = &pt->variants[variant];
	int control[2], launch[2], e;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control))
		return mv_error_set(err, errno, "cannot make a socket pair for variant %u", variant);
	if (pt_launch_socket(launch)) {
		e = errno;
		close(control[0]);
		close(control[1]);
		return mv_error_set(err, e, "cannot make a socket pair for variant %u", variant);
	}
	s.control = control[1];
	s.launch = launch[1];
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWIPC | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0 && errno == EPERM) {
		s.user = true;
		pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC | SIGCHLD, 0, 0, 0, 0);
	}
	e = errno;
	if (!pid)
		init_process(&s);
	close(control[1]);
	close(launch[1]);
	if (pid < 0) {
		close(control[0]);
		close(launch[0]);
		return mv_error_set(err, e, "cannot make PID and IPC namespaces for variant %u (neither as root nor through a user "
				    "namespace; `mvarmor check` names the cure)", variant);
	}
	v->init = pid;
	v->control = control[0];
	return pt_launch_finish(pt, variant, launch[0], err);
}

static bool answers(int control, long deadline)
{
	struct pollfd p = { .fd = control, .events = POLLIN };
	struct timespec start;

	pt_now(&start);
	while (poll(&p, 1, 100) != 1)
		if (deadline && pt_ms_since(&start) >= deadline)
			return false;
	return true;
}

bool pt_namespace_next(struct pt *pt, unsigned variant, uint32_t pid)
{
	int control = pt->variants[variant].control;
	char ok = 0;
	ssize_t n;

	/* Our own timer must not get between. */
	while ((n = write(control, &pid, sizeof(pid))) < 0 && errno == EINTR)
		;
	if (n != sizeof(pid) || !answers(control, (long)pt->session->options->deadline_ms))
		return false;
	while ((n = read(control, &ok, 1)) < 0 && errno == EINTR)
		;
	return n == 1 && ok;
}
