/* stat in all its forms: the fields that are the test's own. */
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include "check.h"

int main(void)
{
	struct stat st, by_name;
	struct statx stx;
	struct statfs fs;
	int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0640);

	NEED(fd >= 0);
	NEED(write(fd, "0123456789", 10) == 10);
	NEED(fstat(fd, &st) == 0);
	SHOW(st.st_size);
	SHOW(st.st_nlink);
	SHOW(S_ISREG(st.st_mode));
	SHOW(st.st_mode & 0777);
	SHOW(st.st_uid == getuid());
	NEED(stat("file", &by_name) == 0);
	SHOW(by_name.st_ino == st.st_ino);
	SHOW(by_name.st_dev == st.st_dev);
	SHOW(by_name.st_mtim.tv_nsec == st.st_mtim.tv_nsec);
	NEED(symlink("file", "link") == 0);
	NEED(lstat("link", &by_name) == 0);
	SHOW(S_ISLNK(by_name.st_mode));
	NEED(fstatat(AT_FDCWD, "link", &by_name, 0) == 0);
	SHOW(by_name.st_ino == st.st_ino);
	NEED(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) == 0);
	SHOW(stx.stx_size);
	SHOW(stx.stx_ino == st.st_ino);
	NEED(fstatfs(fd, &fs) == 0);
	SHOW(fs.f_bsize > 0);
	NEED(stat("/dev/null", &st) == 0);
	SHOW(S_ISCHR(st.st_mode));
	SHOW(major(st.st_rdev));
	SHOW(minor(st.st_rdev));
	OUTCOME(stat("missing", &st));
	OUTCOME(stat("file/below", &st));
	OUTCOME(fstat(99, &st));
	OUTCOME(stat("", &st));
	return 0;
}
