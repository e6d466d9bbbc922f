/* Directories: all names once, rewind, seek, types, a small buffer, removal of the directory being read. */
#include <dirent.h>
#include "check.h"

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int main(void)
{
	char name[32], buf[128];
	struct dirent **list, *e;
	int n, fd, seen = 0;
	DIR *dir;

	NEED(mkdir("d", 0700) == 0);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "d/file-number-%d", i);
		NEED(close(creat(name, 0600)) == 0);
	}
	NEED(mkdir("d/sub", 0700) == 0);
	SHOW(n = scandir("d", &list, NULL, by_name));
	for (int i = 0; i < n; i += 60)
		printf("%s %d\n", list[i]->d_name, list[i]->d_type);
	SHOW(list[n - 1]->d_type == DT_DIR);
	dir = opendir("d");
	NEED(dir);
	while ((e = readdir(dir)))
		seen++;
	SHOW(seen);
	rewinddir(dir);
	while ((e = readdir(dir)))
		seen++;
	SHOW(seen);
	closedir(dir);
	fd = open("d", O_RDONLY);
	seen = 0;
	for (long got; (got = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0; seen++)
		NEED(got <= (long)sizeof(buf));
	SHOW(seen > 10);
	lseek(fd, 0, SEEK_SET);
	OUTCOME(syscall(SYS_getdents64, fd, buf, 8));
	OUTCOME(syscall(SYS_getdents64, 0, buf, sizeof(buf)));
	return 0;
}
