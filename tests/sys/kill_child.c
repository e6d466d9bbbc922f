/* kill of children, groups and nobody. */
#include "check.h"

static int for_ever(void)
{
	for (;;)
		pause();
	return 0;
}

int main(void)
{
	pid_t a = spawn(for_ever), b;

	SHOW(kill(a, 0));
	SHOW(kill(a, SIGKILL));
	reap("killed", a);
	OUTCOME(kill(a, 0));
	a = spawn(for_ever);
	b = spawn(for_ever);
	NEED(setpgid(a, a) == 0 && setpgid(b, a) == 0);
	SHOW(kill(-a, SIGUSR1));
	reap("a", a);
	reap("b", b);
	OUTCOME(kill(-a, SIGUSR1));
	a = fork();
	NEED(a >= 0);
	if (a == 0)
		for (;;)
			;
	sleep_ms(30);
	SHOW(kill(a, SIGTERM));
	reap("spinning", a);
	return 0;
}
