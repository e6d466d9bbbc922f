/* execvp through PATH with failures on the way; every way exec can fail leaves the program as it was. */
#include "check.h"

static char **volatile bad = (char **)8;

static int try(const char *file)
{
	char *argv[] = { "try", "argument", NULL };

	execvp(file, argv);
	printf("%s: %s\n", file, strerrorname_np(errno));
	return 5;
}

static int missing(void) { return try("no-such-program"); }
static int denied(void) { return try("./plain"); }
static int directory(void) { return try("."); }
static int garbage(void) { return try("./garbage"); }
static int no_interpreter(void) { return try("./no-interpreter"); }
static int found(void) { return try("tool"); }
static int null_path(void) { OUTCOME(execve(NULL, NULL, NULL)); return 6; }
static int bad_argv(void) { OUTCOME(execve("/bin/true", bad, NULL)); return 6; }

static void make(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, mode);

	NEED(fd >= 0);
	NEED(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

int main(void)
{
	umask(0);
	NEED(mkdir("first", 0755) == 0 && mkdir("second", 0755) == 0 && mkdir("third", 0755) == 0);
	make("plain", "text", 0644);
	make("garbage", "\177ELF but not really", 0755);
	make("no-interpreter", "#!/no/such/interpreter\n", 0755);
	make("first/tool", "#!/bin/sh\necho wrong\n", 0644);
	make("third/tool", "#!/bin/sh\necho third tool: $0 $1\nexit 12\n", 0755);
	setenv("PATH", "/nonexistent:first:second:./third:/bin", 1);
	reap("missing", spawn(missing));
	reap("denied", spawn(denied));
	reap("directory", spawn(directory));
	reap("garbage", spawn(garbage));
	reap("no interpreter", spawn(no_interpreter));
	reap("found", spawn(found));
	reap("null", spawn(null_path));
	reap("bad argv", spawn(bad_argv));
	return 0;
}
