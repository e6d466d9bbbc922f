/* fexecve and execveat: by descriptor, by directory and name, close-on-exec. */
#include "check.h"

extern char **environ;

static char *argv_echo[] = { "echo", "by", "descriptor", NULL };

static int by_fd(void)
{
	fexecve(open("/bin/echo", O_RDONLY), argv_echo, environ);
	return 98;
}

static int by_path_fd(void)
{
	fexecve(open("/bin/echo", O_PATH | O_CLOEXEC), argv_echo, environ);
	return 98;
}

static int by_dir(void)
{
	syscall(SYS_execveat, open("/bin", O_RDONLY | O_DIRECTORY), "echo", argv_echo, environ, 0);
	return 98;
}

static int bad(void)
{
	OUTCOME(syscall(SYS_execveat, 99, "", argv_echo, environ, AT_EMPTY_PATH));
	OUTCOME(syscall(SYS_execveat, AT_FDCWD, "missing", argv_echo, environ, 0));
	OUTCOME(fexecve(0, argv_echo, environ));
	return 7;
}

int main(void)
{
	reap("descriptor", spawn(by_fd));
	reap("path descriptor", spawn(by_path_fd));
	reap("directory", spawn(by_dir));
	reap("bad", spawn(bad));
	return 0;
}
