/* The working directory: chdir, fchdir, getcwd, inheritance, a removed one. */
#include "check.h"

static int child(void)
{
	char buf[PATH_MAX];

	puts(strrchr(getcwd(buf, sizeof(buf)), '/'));
	SHOW(chdir("/usr"));
	return 0;
}

int main(void)
{
	char buf[PATH_MAX], small[2];
	int here = open(".", O_RDONLY), dir;

	NEED(mkdir("one", 0700) == 0 && mkdir("one/two", 0700) == 0);
	SHOW(chdir("one"));
	puts(strrchr(getcwd(buf, sizeof(buf)), '/'));
	dir = open("two", O_RDONLY);
	SHOW(fchdir(dir));
	reap("child", spawn(child));
	puts(strrchr(getcwd(buf, sizeof(buf)), '/'));
	OUTCOME(getcwd(small, sizeof(small)) ? 0 : -1);
	SHOW(chdir("../.."));
	SHOW(access("one", F_OK));
	OUTCOME(chdir("missing"));
	OUTCOME(fchdir(99));
	OUTCOME(chdir("one/two"));
	SHOW(rmdir("../two"));
	OUTCOME(getcwd(buf, sizeof(buf)) ? 0 : -1);
	SHOW(fchdir(here));
	NEED(close(creat("plain", 0600)) == 0);
	OUTCOME(chdir("plain"));
	return 0;
}
