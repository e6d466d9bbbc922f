/* No divergence: two processes with mappings of all kinds, which wait to be looked at. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define THREADS 3
#define STACK 0x143000

static void *thread(void *ready)
{
	char *volatile p = malloc(1000);	/* an arena of its own */

	p[0] = 1;
	pthread_barrier_wait(ready);
	pause();
	return NULL;
}

static char *map(const char *path, size_t size, int prot, int flags)
{
	FILE *f = path ? fopen(path, "re") : NULL;
	char *p = mmap(NULL, size, prot, flags, f ? fileno(f) : -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	if (f)
		fclose(f);
	return p;
}

int main(int argc, char **argv)
{
	int page = PROT_READ | PROT_WRITE, anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
	pthread_barrier_t ready;
	char *volatile block;
	char *p;

	if (argc != 1)
		return 2;
	map(argv[0], 4096, PROT_READ, MAP_PRIVATE);
	map(NULL, 3 << 20, page, MAP_SHARED | MAP_ANONYMOUS);
	map(NULL, 5 << 20, page, anonymous)[0] = 1;
	p = map(NULL, 8192, page, anonymous);
	memset(p, 0xc3, 8192);
	if (mprotect(p, 4096, PROT_READ | PROT_EXEC))
		return 1;
	for (size_t size = 10; size < 4 << 20; size *= 3) {
		block = malloc(size);
		block[0] = 1;
	}
	if (!fork())
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_barrier_init(&ready, NULL, THREADS + 1);
	for (size_t i = 0; i < THREADS; i++) {
		pthread_attr_t attr;
		pthread_t t;

		/* By its size it is known from outside. */
		if (pthread_attr_init(&attr) || pthread_attr_setguardsize(&attr, 4096) ||
		    pthread_attr_setstacksize(&attr, STACK + 0x10000 * i) || pthread_create(&t, &attr, thread, &ready))
			return 1;
	}
	pthread_barrier_wait(&ready);
	if (write(1, "r\n", 2) != 2)
		return 1;
	pause();
	return 0;
}
