/* Names: symbolic and hard links, readlink, modes, owners, times, renameat2, access, truncate, mknod. */
#include "check.h"

int main(void)
{
	char buf[16];
	struct stat st;
	struct timespec times[2] = { { 1000000000, 5 }, { 1100000000, 7 } };
	int fd = open("a", O_RDWR | O_CREAT, 0600);

	NEED(fd >= 0);
	SHOW(link("a", "b"));
	SHOW(symlink("target-name", "s"));
	memset(buf, '.', sizeof(buf));
	SHOW(readlink("s", buf, 6));
	printf("%.16s\n", buf);
	SHOW(readlink("s", buf, sizeof(buf)));
	printf("%.11s\n", buf);
	OUTCOME(readlink("a", buf, sizeof(buf)));
	OUTCOME(readlink("s", buf, 0));
	OUTCOME(open("s", O_RDONLY));
	SHOW(chmod("a", 0751));
	SHOW(fchmod(fd, 0704));
	SHOW(chown("a", (uid_t)-1, (gid_t)-1));
	SHOW(utimensat(AT_FDCWD, "a", times, 0));
	SHOW(ftruncate(fd, 12345));
	SHOW(truncate("a", 100));
	SHOW(utimensat(AT_FDCWD, "a", times, 0));
	NEED(stat("b", &st) == 0);
	SHOW(st.st_nlink);
	SHOW(st.st_mode & 07777);
	SHOW(st.st_size);
	SHOW(st.st_atim.tv_sec);
	SHOW(st.st_mtim.tv_nsec);
	NEED(close(creat("c", 0600)) == 0);
	OUTCOME(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
	SHOW(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_EXCHANGE));
	NEED(stat("c", &st) == 0);
	SHOW(st.st_size);
	SHOW(mkfifo("fifo", 0600));
	NEED(lstat("fifo", &st) == 0);
	SHOW(S_ISFIFO(st.st_mode));
	SHOW(access("c", R_OK | W_OK));
	SHOW(faccessat(AT_FDCWD, "s", F_OK, AT_SYMLINK_NOFOLLOW));
	OUTCOME(mkdir("c", 0700));
	OUTCOME(rmdir("c"));
	OUTCOME(link("missing", "d"));
	return 0;
}
