/* Sessions and process groups. */
#include "check.h"

static int child(void)
{
	pid_t me = getpid();

	SHOW(getsid(0) == getsid(getppid()));
	SHOW(setsid() == me);
	SHOW(getsid(0) == me);
	SHOW(getpgrp() == me);
	SHOW(getpgid(0) == me);
	OUTCOME(setsid());
	OUTCOME(open("/dev/tty", O_RDWR));
	OUTCOME(setpgid(0, 0));
	return 0;
}

static int group(void)
{
	SHOW(setpgid(0, 0));
	SHOW(getpgrp() == getpid());
	OUTCOME(setpgid(0, getppid()) == 0 || errno == EPERM ? 0 : -1);
	OUTCOME(setpgid(99999999, 0));
	OUTCOME(getsid(99999999));
	return 0;
}

int main(void)
{
	reap("session", spawn(child));
	reap("group", spawn(group));
	return 0;
}
