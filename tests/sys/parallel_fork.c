/*
 * Threads that run at once, some of which fork while others ask the kernel for memory and give it back: the child has what there was at
 * that moment, finds room for its own, and begins a record of its own.
 *
 * test: threads=parallel timeout=60
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include "turns.h"

#define FORKS 6
#define LEN (64 * 1024ul)
#define LARGE (192ul << 20)	/* what a place may be looked for in, also that of the record */
#define PLACES 24

static bool over;

/* Each thread has memory of its own, and asks as often as it comes to: nothing of that is in any stream. */
static void *map(void *arg)
{
	size_t len = arg ? LEN : LARGE;
	unsigned places = arg ? PLACES : 2;
	char *at[PLACES] = { 0 };
	unsigned k = (unsigned)(long)arg;

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		k = (k + 7) % places;
		if (at[k]) {
			NEED(*at[k] == (char)k);
			NEED(munmap(at[k], len) == 0);
		}
		at[k] = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		NEED(at[k] != MAP_FAILED);
		*at[k] = (char)k;
	}
	return NULL;
}

static void *use(void *arg)
{
	char *p[PLACES];

	for (unsigned i = 0; i < PLACES; i++) {
		p[i] = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		NEED(p[i] != MAP_FAILED && !*p[i]);
		*p[i] = 1;
		if (i % 2) {
			p[i] = mremap(p[i], LEN, 2 * LEN, MREMAP_MAYMOVE);
			NEED(p[i] != MAP_FAILED && *p[i] == 1 && !p[i][2 * LEN - 1]);
		}
	}
	return arg;
}

static void *forks(void *arg)
{
	int status;

	for (int i = 0; i < FORKS; i++) {
		pid_t pid = fork();

		if (!pid) {
			pthread_t t[2];

			for (long k = 0; k < 2; k++)
				NEED(!pthread_create(&t[k], NULL, use, (void *)k));
			for (int k = 0; k < 2; k++)
				pthread_join(t[k], NULL);
			_exit(5);
		}
		NEED(waitpid(pid, &status, 0) == pid);
		NEED(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	}
	return arg;
}

int main(void)
{
	pthread_t mappers[2], t;

	for (long i = 0; i < 2; i++)
		mappers[i] = begin(map, i);
	t = begin(forks, 3);
	SHOW(end(t));
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		end(mappers[i]);
	return 0;
}
