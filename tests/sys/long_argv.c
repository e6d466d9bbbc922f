/* Arguments and environment, as many and as long as the kernel takes, and more. */
/* test: timeout=60 */
#include <sys/resource.h>
#include "check.h"

#define LONGEST (128 * 1024)	/* a string with its end */
#define MANY 40000

extern char **environ;

static const char *self;

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

/* A quarter of the stack is for arguments. */
static void up_to_the_limits(void)
{
	static char string[LONGEST + 1], *one[3] = { "again", string }, *many[MANY] = { "again" }, *none[1];
	struct rlimit limit = { 1 << 20, RLIM_INFINITY };

	NEED(setrlimit(RLIMIT_STACK, &limit) == 0);
	memset(string, 'a', LONGEST - 1);
	run("longest", one, none);
	string[LONGEST - 1] = 'a';
	run("one byte too long", one, none);
	for (int i = 1; i < MANY / 2; i++)
		many[i] = "x";
	run("half as many as are too many", many, none);
	for (int i = MANY / 2; i < MANY - 1; i++)
		many[i] = "x";
	run("too many", many, none);
}

int main(int argc, char **argv)
{
	static char *many[2003], *one[4], *none[1], big[200001];

	if (strcmp(argv[0], "again") == 0) {
		uint32_t sum = 0;
		int n = 0;

		for (int i = 0; i < argc; i++)
			sum = sum * 31 + checksum(argv[i], strlen(argv[i]));
		for (; environ[n]; n++)
			sum = sum * 31 + checksum(environ[n], strlen(environ[n]));
		printf("%d arguments, %d environment, sum %x\n", argc, n, sum);
		return 0;
	}
	self = argv[0];
	many[0] = one[0] = "again";
	for (int i = 1; i < 2000; i++) {
		many[i] = malloc(64);
		snprintf(many[i], 64, "A%d=%050d", i, i);
	}
	run("many arguments", many, none);
	run("many variables", one, many + 1);
	memset(big, 'b', sizeof(big) - 1);
	big[100000] = 0;
	one[1] = big;
	run("one long", one, one + 1);
	big[100000] = 'b';
	run("too long", one, none);
	run("too long variable", one, one + 1);
	up_to_the_limits();
	return 0;
}
