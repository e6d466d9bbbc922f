/*
 * test: turns=variant
 *
 * Turns of all processes begin with the first process that is made, here by vfork: its parent has the turn for it.
 */
#include "check.h"

static void run(const char *word)
{
	int status;
	pid_t pid = vfork();

	if (!pid) {
		execl("/bin/echo", "echo", word, NULL);
		_exit(9);
	}
	NEED(pid > 0 && waitpid(pid, &status, 0) == pid);
	show_status(word, status);
}

int main(void)
{
	run("first");
	run("second");
	return 0;
}
