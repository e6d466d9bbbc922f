/*
 * test: timeout=60
 * Namespaces by unshare: a user of one's own, mounts that only the processes here see, programs that are on such a mount, a
 * root directory there, a network without anything, a name of the machine.
 */
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include "userns.h"

static uid_t uid;
static gid_t gid;

static void own_user(void)
{
	NEED(unshare(CLONE_NEWUSER) == 0);
	SHOW(getuid() == 65534);
	map_to_root(uid, gid, true);
	OUTCOME(setuid(1));
	OUTCOME(setgroups(0, NULL));
}

static int run(void)
{
	execl("./program", "program", "second", NULL);
	return 1;
}

static int new_root(void)
{
	SHOW(syscall(SYS_pivot_root, ".", "old"));
	SHOW(chdir("/"));
	SHOW(umount2("/old", MNT_DETACH));
	OUTCOME(access("/proc/self", F_OK));
	SHOW(access("/script", F_OK));
	SHOW(mkdir("/deep", 0755));
	SHOW(chroot("/deep"));
	SHOW(chdir("/"));
	OUTCOME(access("/script", F_OK));
	return 0;
}

static int alone(void)
{
	struct utsname u;
	int fd;

	own_user();
	NEED(unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) == 0);
	SHOW(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	SHOW(mount("none", "mnt", "tmpfs", 0, "size=4m"));
	SHOW(chdir("mnt"));
	copy("/proc/self/exe", "program");
	fd = open("script", O_WRONLY | O_CREAT, 0755);
	NEED(fd >= 0 && write(fd, "#!./program script\n", 19) == 19);
	close(fd);
	reap("program", spawn(run));
	if (fork() == 0) {
		execl("./script", "script", NULL);
		_exit(1);
	}
	NEED(wait(NULL) > 0);
	SHOW(mkdir("old", 0755));
	SHOW(sethostname("inside", 6));
	SHOW(uname(&u));
	printf("%s\n", u.nodename);
	NEED(unshare(CLONE_NEWNET) == 0);
	SHOW(if_nametoindex("lo"));
	SHOW(if_nametoindex("eth0"));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	SHOW(fd >= 0);
	return new_root();
}

static int refused(void)
{
	OUTCOME(unshare(CLONE_NEWUSER | CLONE_THREAD));
	OUTCOME(unshare(CLONE_FS | CLONE_FILES));
	return 0;
}

int main(int argc, char **argv)
{
	struct utsname before, after;

	if (argc > 1) {
		printf("executed: %s\n", argv[1]);
		return 0;
	}
	uid = getuid();
	gid = getgid();
	NEED(uname(&before) == 0 && mkdir("mnt", 0755) == 0);
	reap("refused", spawn(refused));
	reap("alone", spawn(alone));
	OUTCOME(access("mnt/program", F_OK));
	SHOW(uname(&after));
	SHOW(strcmp(before.nodename, after.nodename));
	return 0;
}
