/*
 * Children that are reaped without a word about whom: no variant has any of them left.  Another one can get its number then, which
 * the kernel is asked for here by ns_last_pid.
 */
#include "check.h"

#define TRIES 10
#define CHILDREN 100

static int end_at_once(void)
{
	return 0;
}

static int stop_then_end(void)
{
	raise(SIGSTOP);
	return 0;
}

static void ask_for(pid_t pid)
{
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dprintf(fd, "%d", pid - 1) <= 0) {
		puts("ns_last_pid cannot be written");
		exit(77);
	}
	close(fd);
}

static bool is_free(pid_t pid)
{
	pid_t again = 0;

	for (int i = 0; i < TRIES && again != pid; i++) {
		ask_for(pid);
		again = spawn(end_at_once);
		NEED(waitpid(again, &(int){ 0 }, 0) == again);
	}
	return again == pid;
}

/* Others of the machine may be faster and have that number for long: then with another child. */
static void see(const char *what, pid_t (*reaped)(void))
{
	bool found = false;

	for (int i = 0; i < CHILDREN && !found; i++)
		found = is_free(reaped());
	printf("%s: its number is %s\n", what, found ? "free" : "not to be had");
}

static pid_t by_id(void)
{
	pid_t pid = spawn(end_at_once);

	NEED(waitid(P_PID, (id_t)pid, NULL, WEXITED) == 0);
	return pid;
}

static pid_t any(void)
{
	pid_t pid = spawn(end_at_once);

	NEED(waitid(P_ALL, 0, NULL, WEXITED | WSTOPPED) == 0);
	return pid;
}

/* What has only stopped is not reaped. */
static pid_t by_group(void)
{
	pid_t pid = spawn(stop_then_end);

	NEED(waitid(P_PID, (id_t)pid, NULL, WEXITED | WSTOPPED) == 0);
	NEED(kill(pid, SIGCONT) == 0);
	NEED(waitid(P_PGID, (id_t)getpgrp(), NULL, WEXITED) == 0);
	return pid;
}

static pid_t without_status(void)
{
	pid_t pid = spawn(stop_then_end);

	NEED(waitpid(pid, NULL, WUNTRACED) == pid);
	NEED(waitpid(pid, NULL, WNOHANG | WUNTRACED) == 0);
	NEED(kill(pid, SIGCONT) == 0);
	NEED(waitpid(-1, NULL, WUNTRACED) == pid);
	return pid;
}

/* Neither a look that finds nothing, nor that at a stop, nor one that leaves the child, reaps it. */
static pid_t by_pidfd(void)
{
	pid_t pid = spawn(stop_then_end);
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	NEED(fd >= 0);
	NEED(waitid(P_PIDFD, (id_t)fd, NULL, WEXITED | WSTOPPED) == 0);
	NEED(waitid(P_PIDFD, (id_t)fd, NULL, WEXITED | WNOHANG) == 0);
	NEED(kill(pid, SIGCONT) == 0);
	NEED(waitid(P_PIDFD, (id_t)fd, NULL, WEXITED | WNOWAIT) == 0);
	NEED(waitid(P_PIDFD, (id_t)fd, NULL, WEXITED | WNOHANG) == 0);
	NEED(waitid(P_PIDFD, (id_t)fd, NULL, WEXITED) < 0 && errno == ECHILD);
	close(fd);
	return pid;
}

int main(void)
{
	see("waitid of one", by_id);
	see("waitid of any", any);
	see("waitid of a group", by_group);
	see("waitpid", without_status);
	see("waitid by a pidfd", by_pidfd);
	OUTCOME(waitid(P_ALL, 0, NULL, WEXITED | WNOHANG));
	return 0;
}
