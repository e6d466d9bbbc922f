/* open, creat, O_EXCL, O_TRUNC, O_APPEND, O_TMPFILE, O_PATH, O_DIRECTORY, O_NOFOLLOW, openat, rename, unlink. */
#include "check.h"

int main(void)
{
	char buf[32] = "";
	struct stat st;
	int fd, dir;

	OUTCOME(open("f", O_RDONLY));
	SHOW(fd = creat("f", 0644));
	SHOW(write(fd, "hello", 5));
	OUTCOME(read(fd, buf, 1));
	close(fd);
	OUTCOME(open("f", O_WRONLY | O_CREAT | O_EXCL, 0600));
	SHOW(fd = open("f", O_RDWR | O_APPEND));
	SHOW(write(fd, " world", 6));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(write(fd, "!", 1));
	SHOW(pread(fd, buf, 31, 0));
	puts(buf);
	close(fd);
	SHOW(fd = open("f", O_RDWR | O_TRUNC));
	NEED(fstat(fd, &st) == 0);
	SHOW(st.st_size);
	close(fd);
	OUTCOME(open(".", O_WRONLY));
	OUTCOME(open("f", O_RDONLY | O_DIRECTORY));
	NEED(symlink("f", "link") == 0);
	OUTCOME(open("link", O_RDONLY | O_NOFOLLOW));
	SHOW(fd = open(".", O_TMPFILE | O_RDWR, 0600));
	SHOW(write(fd, "temporary", 9));
	SHOW(pread(fd, buf, 9, 0));
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OUTCOME(linkat(AT_FDCWD, path, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
	NEED(stat("linked", &st) == 0);
	SHOW(st.st_size);
	close(fd);
	SHOW(mkdir("dir", 0755));
	SHOW(dir = open("dir", O_RDONLY | O_DIRECTORY));
	SHOW(fd = openat(dir, "inner", O_RDWR | O_CREAT | O_EXCL, 0600));
	close(fd);
	OUTCOME(openat(dir, "inner", O_RDWR | O_CREAT | O_EXCL, 0600));
	SHOW(fd = open("dir/inner", O_PATH));
	OUTCOME(read(fd, buf, 1));
	SHOW(fstat(fd, &st));
	close(fd);
	SHOW(rename("f", "dir/g"));
	OUTCOME(rename("f", "g"));
	SHOW(access("dir/g", R_OK));
	OUTCOME(rmdir("dir"));
	SHOW(unlinkat(dir, "g", 0));
	SHOW(unlinkat(dir, "inner", 0));
	SHOW(unlinkat(AT_FDCWD, "dir", AT_REMOVEDIR));
	OUTCOME(openat(dir, "x", O_CREAT | O_RDWR, 0600));
	OUTCOME(unlink("f"));
	OUTCOME(openat(99, "x", O_RDONLY));
	return 0;
}
