/* Scripts: #! with an argument, a script that starts a script, a script as interpreter's argument, arguments with spaces. */
/* test: layouts */
#include "check.h"

static void make(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0755);

	NEED(fd >= 0);
	NEED(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static int run(void)
{
	execl("./outer", "ignored argv[0]", "with space", "", "last", NULL);
	return 98;
}

static int nested(void)
{
	execl("./nested", "nested", "x", NULL);
	return 98;
}

int main(void)
{
	umask(022);
	make("outer", "#!/bin/sh -u\necho outer \"$0\" $#\n./inner \"$@\"\necho status $?\nexit 3\n");
	make("inner", "#! /bin/sh\nfor a; do echo \"[$a]\"; done\nexit 9\n");
	make("nested", "#!./inner one\n");
	reap("script", spawn(run));
	reap("nested", spawn(nested));
	return 0;
}
