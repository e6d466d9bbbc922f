/* The program itself dies by a SIGTERM from its child. */
#include "check.h"

int main(void)
{
	pid_t me = getpid(), pid = fork();

	NEED(pid >= 0);
	if (pid == 0)
		_exit(kill(me, SIGTERM));
	for (;;)
		pause();
}
