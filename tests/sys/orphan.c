/* A grandchild outlives its parent and gets a new one; its output still arrives. */
#include "check.h"

int main(void)
{
	int fds[2];
	char text[64] = "";
	pid_t pid;

	NEED(pipe(fds) == 0);
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		pid_t old = getpid(), inner = fork();

		NEED(inner >= 0);
		if (inner)
			_exit(4);
		while (getppid() == old)
			sleep_ms(5);
		NEED(write(fds[1], "grandchild has a new parent", 27) == 27);
		_exit(0);
	}
	close(fds[1]);
	reap("child", pid);
	NEED(read(fds[0], text, sizeof(text) - 1) == 27);
	puts(text);
	SHOW(read(fds[0], text, 1));
	OUTCOME(wait(NULL));
	return 0;
}
