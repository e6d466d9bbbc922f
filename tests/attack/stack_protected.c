/* The same with a stack protector, in a server that forks for each guest: children have their parent's canary. */
#include <sys/wait.h>
#include "victim.h"

static NOINLINE void serve(void)
{
	char text[64] = "the buffer on the stack";

	ready("%ld", (char *)__builtin_frame_address(0) + 8 - text);
	receive(text);
}

int main(void)
{
	for (;;) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			serve();
			say("served\n");
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 1;
		if (WIFEXITED(status) && WEXITSTATUS(status))
			return 0;	/* there are no more guests */
		say("gone\n");
	}
}
