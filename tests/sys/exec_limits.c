/* Programs with as many and as long arguments as the kernel takes, and with one more. */
/* test: timeout=60 */
#include <sys/resource.h>
#include "check.h"

#define LONGEST (128 * 1024)	/* a string with its end */

static char *self;

static void run(const char *what, char **argv, char **envp)
{
	pid_t pid = fork();

	NEED(pid >= 0);
	if (pid == 0) {
		execve(self, argv, envp);
		printf("%s: %s\n", what, strerrorname_np(errno));
		_exit(7);
	}
	reap(what, pid);
}

static char *string(size_t size)
{
	char *s = malloc(size);

	NEED(s);
	memset(s, 'a', size - 1);
	s[size - 1] = '\0';
	return s;
}

int main(int argc, char **argv)
{
	struct rlimit limit = { 1 << 20, RLIM_INFINITY };	/* a quarter of it is for arguments */
	char *none[] = { NULL }, *one[] = { "again", NULL, NULL }, **many;

	if (strcmp(argv[0], "again") == 0) {
		printf("%d arguments, the last %zu long\n", argc, strlen(argv[argc - 1]));
		return 0;
	}
	self = argv[0];
	NEED(setrlimit(RLIMIT_STACK, &limit) == 0);
	one[1] = string(LONGEST);
	run("longest", one, none);
	one[1] = string(LONGEST + 1);
	run("too long", one, none);

	many = calloc(40000, sizeof(*many));
	NEED(many);
	many[0] = "again";
	for (int i = 1; i < 20000; i++)
		many[i] = "x";
	run("20,000 arguments", many, none);
	for (int i = 20000; i < 39999; i++)
		many[i] = "x";
	run("too many arguments", many, none);
	return 0;
}
