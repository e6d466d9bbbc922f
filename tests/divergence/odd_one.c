/*
 * odd_one HOW SLICE [busy]: the variant in that slice differs from the others, once.  busy: with threads and children that make
 * calls before, meanwhile and afterwards.
 */
#include <pthread.h>
#include <stdbool.h>
#include <signal.h>
#include <sys/wait.h>
#include "slice.h"

#define THREADS 3
#define CHILDREN 3

static void calls(unsigned n)
{
	char text[64];
	int p[2];

	for (unsigned i = 0; i < n; i++) {
		if (pipe(p) || write(p[1], "some bytes", 10) != 10 || read(p[0], text, sizeof(text)) != 10)
			_exit(1);
		close(p[0]);
		close(p[1]);
	}
}

/* Asleep while the others differ, and busy again when told. */
static void *sleeper(void *from)
{
	char c;

	calls(20);
	if (read(*(int *)from, &c, 1) != 1)
		_exit(1);
	calls(50);
	return NULL;
}

static void differ(const char *how)
{
	volatile int *volatile null = NULL;

	if (!strcmp(how, "call"))
		syscall(SYS_getuid);
	else if (!strcmp(how, "crash"))
		*null = 1;
	else if (!strcmp(how, "lockstep"))
		syscall(SYS_setpgid, 0, 1 << 30);
	else if (!strcmp(how, "end"))
		_exit(3);
	else
		for (;;)
			;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	int go[2], status, wrong = 0;
	bool busy = argc > 3;

	if (argc < 3 || pipe(go))
		return 2;
	for (int i = 0; busy && i < CHILDREN; i++)
		if (!fork()) {
			sleeper(&go[0]);
			_exit(0);
		}
	for (int i = 0; busy && i < THREADS; i++)
		pthread_create(&threads[i], NULL, sleeper, &go[0]);
	calls(20);
	if (slice() == strtoul(argv[2], NULL, 10))
		differ(argv[1]);
	calls(400);	/* more than a ring holds */
	if (busy && write(go[1], "......", CHILDREN + THREADS) != CHILDREN + THREADS)
		return 1;
	for (int i = 0; busy && i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; busy && i < CHILDREN; i++)
		wrong |= wait(&status) < 0 || status;
	if (busy && !fork())
		_exit(7);
	if (busy)
		wrong |= wait(&status) < 0 || status != 7 << 8;
	puts(wrong ? "wrong" : "done");
	return 0;
}
