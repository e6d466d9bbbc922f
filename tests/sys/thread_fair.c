/* Many threads that make calls until the slowest has made enough: none may be kept from its turn for ever. */
#include "turns.h"

#define THREADS 16
#define ENOUGH 30

static atomic_int made[THREADS];

static bool enough(void)
{
	for (int i = 0; i < THREADS; i++)
		if (made[i] < ENOUGH)
			return false;
	return true;
}

static void *call(void *arg)
{
	while (!enough()) {
		if ((long)arg % 2)
			tell("x", 1);
		else
			getppid();
		made[(long)arg]++;
	}
	return (void *)1;
}

int main(void)
{
	SHOW(together(THREADS, call));
	return 0;
}
