/*
 * test: timeout=60
 * Children that clone and clone3 begin in namespaces of their own: a user, mounts, a root directory, a name of the machine, a network; programs
 * that are on mounts of their own only; one that shares its parent's memory, one in a namespace after another; what is refused.
 */
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include "userns.h"

static uid_t uid;
static gid_t gid;
static int go[2];

static int run(void)
{
	execl("./program", "program", "on a mount of its own", NULL);
	return 1;
}

/* A file system that nobody else sees, a program on it, the root there. */
static int live(void)
{
	struct utsname u;

	SHOW(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	SHOW(mount("none", "mnt", "tmpfs", 0, "size=4m"));
	SHOW(chdir("mnt"));
	copy("/proc/self/exe", "program");
	reap("program", spawn(run));
	SHOW(sethostname("inside", 6));
	NEED(uname(&u) == 0);
	printf("%s\n", u.nodename);
	SHOW(if_nametoindex("lo"));
	SHOW(if_nametoindex("eth0"));
	SHOW(mkdir("old", 0755));
	SHOW(syscall(SYS_pivot_root, ".", "old"));
	SHOW(chdir("/"));
	SHOW(umount2("/old", MNT_DETACH));
	SHOW(access("/program", F_OK));
	SHOW(mkdir("/deep", 0755));
	SHOW(chroot("/deep"));
	OUTCOME(access("/program", F_OK));
	return 5;
}

static int child(void)
{
	map_to_root(uid, gid, false);
	return live();
}

static long clone_with(uint64_t flags)
{
	return syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

static long clone3_with(uint64_t flags)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };

	return syscall(SYS_clone3, &args, sizeof(args));
}

#define ALL (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)

static void by(const char *what, long (*make)(uint64_t flags))
{
	long pid;

	printf("-- %s\n", what);
	pid = make(ALL);
	NEED(pid >= 0);
	if (!pid)
		_exit(child());
	reap(what, (pid_t)pid);
}

/* With its parent's memory, on a stack of its own, its parent waiting or not. */
static char stack[1 << 16] __attribute__((aligned(16)));

static int in_memory(void *arg)
{
	struct stat here, there;

	*(int *)arg = !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) && !mount("none", "mnt", "tmpfs", 0, NULL) && !chdir("mnt") &&
		      !stat("..", &here) && !stat(".", &there) && here.st_dev != there.st_dev;
	return 3;
}

static int sharing(void)
{
	static const int flags[] = { CLONE_VM | SIGCHLD, CLONE_VM | CLONE_VFORK | SIGCHLD };

	for (unsigned i = 0; i < 2; i++) {
		struct stat here, there;
		int told = -1;
		pid_t pid = clone(in_memory, stack + sizeof(stack), flags[i] | CLONE_NEWNS | CLONE_NEWUSER, &told);

		NEED(pid > 0);
		reap("shares memory", pid);
		SHOW(told);
		NEED(stat(".", &here) == 0 && stat("mnt", &there) == 0);
		SHOW(here.st_dev == there.st_dev);
	}
	return 0;
}

/* One in another: each sees its own mounts. */
static int nested(void)
{
	long pid;

	map_to_root(uid, gid, false);
	SHOW(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	SHOW(mount("none", "mnt", "tmpfs", 0, NULL));
	SHOW(mkdir("mnt/sub", 0755));
	SHOW(chdir("mnt"));
	pid = clone_with(CLONE_NEWNS);
	NEED(pid >= 0);
	if (!pid) {
		SHOW(mount("none", "sub", "tmpfs", 0, NULL));
		SHOW(chdir("sub"));
		copy("/proc/self/exe", "program");
		exit(run());
	}
	reap("nested", (pid_t)pid);
	OUTCOME(access("sub/program", F_OK));
	return 0;
}

/* By its parent, as clone(2) and user_namespaces(7) do it: under its number, relative to a directory, and who has ended has none. */
static void mapped_by_parent(void)
{
	char path[64], text[32];
	long pid;

	NEED(pipe(go) == 0);
	pid = clone3_with(CLONE_NEWUSER | CLONE_NEWNS);
	NEED(pid >= 0);
	if (!pid) {
		wait_byte(go[0]);
		SHOW(getuid());
		SHOW(getgid());
		SHOW(setgid(0));
		SHOW(setuid(0));
		OUTCOME(setuid(1));
		SHOW(mount("none", "mnt", "tmpfs", 0, NULL));
		SHOW(chdir("mnt"));
		copy("/proc/self/exe", "program");
		exit(run());
	}
	for (int i = 0; i < 4; i++) {
		static const char *const files[] = { "setgroups", "uid_map", "gid_map", "uid_map" };
		int fd;

		snprintf(path, sizeof(path), "/proc/%ld/%s", pid, files[i]);
		snprintf(text, sizeof(text), "0 %u 1", i == 1 ? uid : gid);
		fd = open(path, O_RDWR | (i == 1 ? O_CLOEXEC : 0));
		printf("%s: ", files[i]);
		SHOW(fd >= 0 && fcntl(fd, F_GETFD));
		OUTCOME(write(fd, i ? text : "deny", strlen(i ? text : "deny")));
		SHOW(fd);
		close(fd);
	}
	send_byte(go[1]);
	reap("mapped by its parent", (pid_t)pid);
	OUTCOME(open(path, O_RDWR));
	close(go[0]);
	close(go[1]);
}

static void refused(void)
{
	OUTCOME(clone_with(CLONE_NEWNS | CLONE_FS));
	OUTCOME(clone_with(CLONE_NEWUSER | CLONE_FS));
	OUTCOME(clone_with(CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM));
	OUTCOME(clone3_with(CLONE_NEWNS | CLONE_FS));
	OUTCOME(wait(NULL));
}

int main(int argc, char **argv)
{
	struct utsname before, after;
	long pid;

	if (argc > 1) {
		printf("executed: %s\n", argv[1]);
		return 0;
	}
	uid = getuid();
	gid = getgid();
	NEED(uname(&before) == 0 && mkdir("mnt", 0755) == 0);
	by("clone", clone_with);
	by("clone3", clone3_with);
	OUTCOME(access("mnt/program", F_OK));
	reap("sharing", spawn(sharing));
	pid = clone_with(CLONE_NEWUSER | CLONE_NEWNS);
	NEED(pid >= 0);
	if (!pid)
		_exit(nested());
	reap("nested", (pid_t)pid);
	mapped_by_parent();
	refused();
	NEED(uname(&after) == 0);
	SHOW(strcmp(before.nodename, after.nodename));
	return 0;
}
