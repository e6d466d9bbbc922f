/* exec with an empty environment, a NULL one, and empty or unusual strings. */
#include "check.h"

extern char **environ;

static const char *self;

static int with_env(char **env)
{
	char *argv[] = { "env_empty", "child", NULL };
	pid_t pid = fork();

	NEED(pid >= 0);
	if (pid == 0) {
		execve(self, argv, env);
		_exit(98);
	}
	reap("child", pid);
	return 0;
}

int main(int argc, char **argv)
{
	char *none[] = { NULL };
	char *odd[] = { "", "=x", "no-equals-sign", "A=", "A=again", NULL };

	self = argv[0];
	if (argc > 1) {
		int n = 0;

		for (char **e = environ; *e; e++, n++)
			printf("[%s]\n", *e);
		SHOW(n);
		return 0;
	}
	with_env(none);
	with_env(NULL);
	with_env(odd);
	return 0;
}
