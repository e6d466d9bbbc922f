/* posix_spawn with file actions and attributes, and its failures. */
#include <spawn.h>
#include "check.h"

extern char **environ;

int main(void)
{
	char *argv[] = { "cat", NULL };
	char *missing[] = { "nothing-by-this-name", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t set;
	pid_t pid;

	NEED(posix_spawn_file_actions_init(&actions) == 0);
	FILE *f = fopen("input", "w");
	NEED(f);
	fputs("spawned cat\n", f);
	fclose(f);
	NEED(posix_spawn_file_actions_addopen(&actions, 0, "input", O_RDONLY, 0) == 0);
	NEED(posix_spawn_file_actions_adddup2(&actions, 1, 9) == 0);
	NEED(posix_spawnattr_init(&attr) == 0);
	NEED(posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP) == 0);
	sigfillset(&set);
	NEED(posix_spawnattr_setsigdefault(&attr, &set) == 0);
	sigemptyset(&set);
	NEED(posix_spawnattr_setsigmask(&attr, &set) == 0);
	int result = posix_spawnp(&pid, "cat", &actions, &attr, argv, environ);
	reap("cat", pid);
	SHOW(result);
	SHOW(posix_spawnp(&pid, "nothing-by-this-name", NULL, NULL, missing, environ) == ENOENT);
	NEED(posix_spawn_file_actions_addopen(&actions, 0, "missing-input", O_RDONLY, 0) == 0);
	SHOW(posix_spawnp(&pid, "cat", &actions, NULL, argv, environ) == ENOENT);
	return 0;
}
