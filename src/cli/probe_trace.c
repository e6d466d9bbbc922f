/* Probes of what a ptrace front-end stands on: ptrace and seccomp. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli/probe_internal.h"

/* getppid gets action, all other calls go through; 0 or the listener's descriptor, or -1. */
static int filter_getppid(uint32_t action, unsigned flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void cure_ptrace(struct mv_finding *f)
{
	long scope = mv_probe_read_number("/proc/sys/kernel/yama/ptrace_scope", 0);

	if (scope >= 2)
		snprintf(f->cure, sizeof(f->cure), "kernel.yama.ptrace_scope is %ld: %s", scope,
			 scope == 2 ? "run as root, or sysctl kernel.yama.ptrace_scope=1"
				    : "only a reboot with a lower value undoes that (/etc/sysctl.d)");
}

/* Seize pid and see it stop; leaves it running.  0 or -1 with *f filled. */
static int seize(struct mv_finding *f, pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL) < 0) {
		mv_probe_say_errno(f, "PTRACE_SEIZE");
		cure_ptrace(f);
		return -1;
	}
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) < 0) {
		mv_probe_say_errno(f, "PTRACE_INTERRUPT");
		return -1;
	}
	if (!WIFSTOPPED(status) || status >> 16 != PTRACE_EVENT_STOP) {
		mv_probe_say(f, false, "the traced process did not stop (status %#x)", status);
		return -1;
	}
	if (ptrace(PTRACE_CONT, pid, NULL, NULL) < 0) {
		mv_probe_say_errno(f, "PTRACE_CONT");
		return -1;
	}
	return 0;
}

void mv_probe_ptrace(struct mv_finding *f)
{
	pid_t pid = mv_probe_fork();

	if (pid < 0) {
		mv_probe_say_errno(f, "fork");
		return;
	}
	if (pid == 0)
		for (;;)
			pause();
	if (seize(f, pid) == 0) {
		long scope = mv_probe_read_number("/proc/sys/kernel/yama/ptrace_scope", -1);

		if (scope < 0)
			mv_probe_say(f, true, "allowed (no yama)");
		else
			mv_probe_say(f, true, "allowed (kernel.yama.ptrace_scope is %ld)", scope);
	}
	kill(pid, SIGKILL);
}

void mv_probe_seccomp_trace(struct mv_finding *f)
{
	int go[2], status = 0;
	char c;

	if (pipe2(go, O_CLOEXEC) < 0) {
		mv_probe_say_errno(f, "pipe");
		return;
	}

	pid_t pid = mv_probe_fork();

	if (pid < 0) {
		mv_probe_say_errno(f, "fork");
		return;
	}
	if (pid == 0) {
		if (read(go[0], &c, 1) != 1 || filter_getppid(SECCOMP_RET_TRACE, 0) < 0)
			_exit(errno & 0xff);
		syscall(SYS_getppid);
		_exit(0);
	}
	if (seize(f, pid) < 0)
		goto out;
	if (write(go[1], "", 1) != 1 || waitpid(pid, &status, __WALL) < 0)
		mv_probe_say_errno(f, "waitpid");
	else if (WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_SECCOMP)
		mv_probe_say(f, true, "works");
	else if (WIFEXITED(status) && WEXITSTATUS(status))
		mv_probe_say(f, false, "seccomp filter: %s", strerror(WEXITSTATUS(status)));
	else
		mv_probe_say(f, false, "the filtered call did not stop (status %#x)", status);
out:
	kill(pid, SIGKILL);
}

static int send_fd(int sock, int fd)
{
	union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -1;
}

static int receive_fd(int sock)
{
	union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	char c;
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

/* The watched process: its getppid answers with the number of a descriptor it did not have. */
static _Noreturn void notified_child(int sock)
{
	int listener = filter_getppid(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);

	if (listener < 0)
		_exit(errno & 0xff);
	if (send_fd(sock, listener) < 0)
		_exit(EIO);
	close(listener);

	long fd = syscall(SYS_getppid);

	_exit(fd >= 0 && fcntl((int)fd, F_GETFD) >= 0 ? 0 : EBADF);
}

void mv_probe_notify(struct mv_finding *f)
{
	struct seccomp_notif request = { 0 };
	struct seccomp_notif_resp response = { 0 };
	struct seccomp_notif_addfd add = { 0 };
	int sock[2], listener, fd, status;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0) {
		mv_probe_say_errno(f, "socketpair");
		return;
	}

	pid_t pid = mv_probe_fork();

	if (pid < 0) {
		mv_probe_say_errno(f, "fork");
		return;
	}
	if (pid == 0)
		notified_child(sock[1]);
	close(sock[1]);
	listener = receive_fd(sock[0]);
	if (listener < 0) {
		waitpid(pid, &status, 0);
		mv_probe_say(f, false, "no listener: %s", strerror(WIFEXITED(status) ? WEXITSTATUS(status) : EIO));
		return;
	}

	struct pollfd ready = { .fd = listener, .events = POLLIN };

	if (poll(&ready, 1, 1000) != 1 || ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0) {
		mv_probe_say_errno(f, "SECCOMP_IOCTL_NOTIF_RECV");
		return;
	}
	add.id = request.id;
	add.srcfd = (uint32_t)sock[0];
	fd = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	if (fd < 0) {
		mv_probe_say_errno(f, "SECCOMP_IOCTL_NOTIF_ADDFD");
		return;
	}
	response.id = request.id;
	response.val = fd;
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0 || waitpid(pid, &status, 0) < 0)
		mv_probe_say_errno(f, "SECCOMP_IOCTL_NOTIF_SEND");
	else
		mv_probe_say(f, WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s",
		    WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "works" : "the descriptor did not arrive");
}
