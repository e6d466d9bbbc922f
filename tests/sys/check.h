/*
 * What the tests of this directory share.  A test prints what it finds as "expression: value", nothing that differs from run
 * to run (no ids, addresses, times), and leaves by exit status 0; its native output is the expectation under mvarmor.
 */
#ifndef TESTS_SYS_CHECK_H
#define TESTS_SYS_CHECK_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Forked children must not print their parent's buffer again, and output of several processes keeps its order. */
__attribute__((constructor)) static void line_buffered(void)
{
	static char buffer[4096];	/* not the heap's: the test of brk owns that */

	setvbuf(stdout, buffer, _IOLBF, sizeof(buffer));
}

/* The value of an expression that is the same in every run. */
#define SHOW(e) printf("%s: %lld\n", #e, (long long)(e))

/* "ok" or the name of the error: for calls whose value differs from run to run. */
#define OUTCOME(e) do { \
	errno = 0; \
	long outcome_ = (long)(e); \
	printf("%s: %s\n", #e, outcome_ == -1 ? strerrorname_np(errno) : "ok"); \
} while (0)

/* What the test cannot go on without. */
#define NEED(e) do { \
	if (!(e)) { \
		printf("line %d: %s failed: %s\n", __LINE__, #e, strerrorname_np(errno)); \
		exit(99); \
	} \
} while (0)

static inline void show_status(const char *what, int status)
{
	if (WIFEXITED(status))
		printf("%s: exited %d\n", what, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		printf("%s: killed by SIG%s\n", what, sigabbrev_np(WTERMSIG(status)));
	else if (WIFSTOPPED(status))
		printf("%s: stopped by SIG%s\n", what, sigabbrev_np(WSTOPSIG(status)));
	else
		printf("%s: continued %d\n", what, WIFCONTINUED(status));
}

/* Fork; the child runs fn and exits with what it returns. */
static inline pid_t spawn(int (*fn)(void))
{
	pid_t pid = fork();

	NEED(pid >= 0);
	if (pid == 0)
		_exit(fn());
	return pid;
}

static inline void reap(const char *what, pid_t pid)
{
	int status = 0;

	NEED(waitpid(pid, &status, 0) == pid);
	show_status(what, status);
}

static inline void on_signal(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	NEED(sigaction(sig, &sa, NULL) == 0);
}

static inline void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* One byte through a pipe: how parent and child wait for each other. */
static inline void send_byte(int fd)
{
	NEED(write(fd, "x", 1) == 1);
}

static inline void wait_byte(int fd)
{
	char c;

	NEED(read(fd, &c, 1) == 1);
}

/* Is p in a mapping with these permissions and name (NULL: any), as /proc/self/maps has it?  Its start goes to *start. */
static inline bool is_mapped(const void *p, const char *perms, const char *name, uintptr_t *start)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[1024], flags[8];
	unsigned long from, to;
	bool found = false;

	NEED(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, flags) == 3 && (uintptr_t)p >= from && (uintptr_t)p < to) {
			found = strncmp(flags, perms, strlen(perms)) == 0 && (!name || strstr(line, name));
			*start = from;
		}
	fclose(f);
	return found;
}

static inline uint32_t checksum(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint32_t sum = 2166136261u;

	while (len--)
		sum = (sum ^ *p++) * 16777619u;
	return sum;
}

#endif
