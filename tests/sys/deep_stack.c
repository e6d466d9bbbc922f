/* The stack grows to megabytes; a frame jumps over pages; threads have their own. */
/* test: layouts */
#include <pthread.h>
#include "check.h"

static int recurse(int n)
{
	volatile char frame[1000];

	frame[0] = (char)n;
	frame[999] = 1;
	return n == 0 ? 0 : recurse(n - 1) + frame[999];
}

static void *thread(void *arg)
{
	*(int *)arg = recurse(3000);
	return NULL;
}

int main(void)
{
	pthread_t t;
	int n = 0;

	SHOW(recurse(5000));
	{
		volatile char jump[3 << 20];

		jump[0] = 5;
		SHOW(jump[0]);
	}
	NEED(pthread_create(&t, NULL, thread, &n) == 0);
	NEED(pthread_join(t, NULL) == 0);
	SHOW(n);
	return 0;
}
