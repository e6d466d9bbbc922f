/* Ways to open a process's memory to write to it, by calls from the monitor's gate: which, the argument says. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include "monitor.h"

static long openat_gate(const char *path, int flags)
{
	return from_gate(SYS_openat, (void *)AT_FDCWD, (long)path, flags, 0600, NULL);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	struct open_how wide = { .flags = O_RDWR };
	char path[64], to[64];
	long r = -ENOSYS;
	ssize_t n;

	monitor_block();
	if (!strcmp(how, "open")) {
		r = from_gate(SYS_open, "/proc/self/mem", O_RDWR, 0, 0, NULL);
	} else if (!strcmp(how, "openat")) {
		r = openat_gate("/proc/thread-self/mem", O_WRONLY);
	} else if (!strcmp(how, "creat")) {
		r = from_gate(SYS_creat, "/proc/self/mem", 0600, 0, 0, NULL);
	} else if (!strcmp(how, "openat2")) {
		r = from_gate(SYS_openat2, (void *)AT_FDCWD, (long)"/proc/self/mem", (long)&wide, sizeof(wide), NULL);
	} else if (!strcmp(how, "task")) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d/mem", getpid(), getpid());
		r = openat_gate(path, O_RDWR);
	} else if (!strcmp(how, "link")) {
		r = symlink("/proc/self/mem", "memory") ? -EEXIST : openat_gate("memory", O_RDWR);
	} else if (!strcmp(how, "link_by_call")) {
		r = symlink("/proc/self/mem", "memory") ? -EEXIST : open("memory", O_RDWR) < 0 ? -errno : 0;
	} else if (!strcmp(how, "again")) {
		r = openat_gate("/proc/self/mem", O_PATH);
		snprintf(path, sizeof(path), "/proc/self/fd/%ld", r);
		r = r < 0 ? r : openat_gate(path, O_RDWR);
	} else if (!strcmp(how, "supervisor")) {
		snprintf(path, sizeof(path), "/proc/%d/mem", getppid());
		r = openat_gate(path, O_RDWR);
	} else if (!strcmp(how, "supervisor_read")) {		/* by calls of the program's */
		snprintf(path, sizeof(path), "/proc/%d/mem", getppid());
		r = open(path, O_RDONLY) < 0 ? -errno : 0;
	} else if (!strcmp(how, "arena_read")) {
		for (int fd = 3; fd < 64 && r != 0 && r != -EACCES; fd++) {
			snprintf(path, sizeof(path), "/proc/%d/fd/%d", getppid(), fd);
			n = readlink(path, to, sizeof(to) - 1);
			if (n > 0 && !strncmp(to, "/memfd:mvarmor-arena", 20))
				r = open(path, O_RDONLY) < 0 ? -errno : 0;
		}
	} else if (!strcmp(how, "memory_file")) {		/* of its own: nothing is refused */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd_create("own", 0));
		r = open(path, O_RDONLY) < 0 ? -errno : 0;
	} else if (!strcmp(how, "other")) {
		r = openat_gate("other", O_RDWR | O_CREAT);
	}
	printf("%s: %s\n", how, r < 0 ? strerrorname_np((int)-r) : "open");
	return 0;
}
