/* Built in every way an executable can be: PIE, non-PIE, static, static-PIE; with a thread, a fork and a time. */
/* test: n1 layouts */
#include <pthread.h>
#include "check.h"

static int data[4] = { 1, 2, 3, 4 }, *pointer = &data[2], zero[5000];

static void *thread(void *arg)
{
	*(int *)arg = *pointer;
	return NULL;
}

static int child(void)
{
	execl("/bin/echo", "echo", "child", NULL);
	return 98;
}

int main(int argc, char **argv)
{
	pthread_t t;
	int value = 0;

	printf("hello from %s with %d arguments\n", strrchr(argv[0], '/'), argc);
	SHOW(zero[4999]);
	NEED(pthread_create(&t, NULL, thread, &value) == 0);
	NEED(pthread_join(t, NULL) == 0);
	SHOW(value);
	SHOW(time(NULL) > 1000000000);
	char *p = malloc(300000);
	memset(p, 1, 300000);
	SHOW(p[299999]);
	free(p);
	reap("child", spawn(child));
	return 42;
}
