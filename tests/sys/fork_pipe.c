/* A child writes into a pipe, the parent reads what it wrote and its id. */
/* test: n1 */
#include "check.h"

int main(void)
{
	int fds[2];
	pid_t pid, said;
	char text[64] = "";

	NEED(pipe(fds) == 0);
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		said = getpid();
		NEED(write(fds[1], &said, sizeof(said)) == sizeof(said));
		NEED(write(fds[1], "hello from the child", 20) == 20);
		_exit(7);
	}
	close(fds[1]);
	NEED(read(fds[0], &said, sizeof(said)) == sizeof(said));
	SHOW(said == pid);
	NEED(read(fds[0], text, sizeof(text)) == 20);
	puts(text);
	SHOW(read(fds[0], text, sizeof(text)));
	reap("child", pid);
	return 0;
}
