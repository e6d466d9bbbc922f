/* Exit status 200 after output without a newline, atexit order, exit from a handler. */
#include "check.h"

static void first(void)
{
	printf("first registered, last run");
}

static void second(void)
{
	puts("second registered, first run");
}

static void leave(int sig)
{
	exit(200 + (sig == SIGUSR1));
}

int main(void)
{
	atexit(first);
	atexit(second);
	on_signal(SIGUSR1, leave, 0);
	raise(SIGUSR1);
	return 1;
}
