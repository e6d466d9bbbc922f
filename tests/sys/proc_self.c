/* What /proc says about the program is about the program: exe, comm, cmdline, fd, stat, status. */
/* test: layouts heap */
#include <sys/prctl.h>
#include "check.h"

static void slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	NEED(fd >= 0);
	n = read(fd, buf, size - 1);
	NEED(n >= 0);
	buf[n] = 0;
	close(fd);
}

int main(void)
{
	char buf[4096], path[64], again[4096];
	ssize_t n = readlink("/proc/self/exe", buf, sizeof(buf) - 1);
	int pid;
	char state;

	NEED(n > 0);
	buf[n] = 0;
	puts(strrchr(buf, '/'));
	snprintf(path, sizeof(path), "/proc/%d/exe", getpid());
	SHOW(readlink(path, again, sizeof(again)) == n);
	SHOW(memcmp(buf, again, (size_t)n));
	slurp("/proc/self/comm", buf, sizeof(buf));
	fputs(buf, stdout);
	slurp("/proc/self/cmdline", buf, sizeof(buf));
	puts(strrchr(buf, '/'));
	slurp("/proc/self/stat", buf, sizeof(buf));
	SHOW(sscanf(buf, "%d (%*[^)]) %c", &pid, &state));
	SHOW(pid == getpid());
	SHOW(state);
	slurp("/proc/self/status", buf, sizeof(buf));
	SHOW(sscanf(strstr(buf, "\nPid:") + 5, "%d", &pid));
	SHOW(pid == getpid());
	SHOW(sscanf(strstr(buf, "\nPPid:") + 6, "%d", &pid));
	SHOW(pid == getppid());
	n = readlink("/proc/self", buf, sizeof(buf) - 1);
	buf[n] = 0;
	SHOW(atoi(buf) == getpid());
	NEED(open("/dev/null", O_RDONLY) == 3);
	n = readlink("/proc/self/fd/3", buf, sizeof(buf) - 1);
	buf[n] = 0;
	puts(buf);
	SHOW(access("/proc/self/fd/3", F_OK));
	OUTCOME(access("/proc/self/fd/4", F_OK));
	NEED(prctl(PR_SET_NAME, "another name") == 0);
	slurp("/proc/self/comm", buf, sizeof(buf));
	fputs(buf, stdout);
	NEED(prctl(PR_GET_NAME, buf) == 0);
	puts(buf);
	return 0;
}
