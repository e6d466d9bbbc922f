/* umask applies, is inherited, and is returned. */
#include "check.h"

static mode_t mode_of(const char *name)
{
	struct stat st;

	NEED(stat(name, &st) == 0);
	return st.st_mode & 07777;
}

static int child(void)
{
	NEED(close(creat("c", 0666)) == 0);
	SHOW(mode_of("c"));
	umask(0);
	return 0;
}

int main(void)
{
	umask(027);
	NEED(close(creat("a", 0777)) == 0);
	SHOW(mode_of("a"));
	SHOW(umask(077));
	NEED(mkdir("b", 0777) == 0);
	SHOW(mode_of("b"));
	reap("child", spawn(child));
	SHOW(umask(0));
	return 0;
}
