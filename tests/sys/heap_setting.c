/*
 * Before the C library gives back a part of a thread's heap for the first time it reads a setting of the machine's, at a moment that follows from
 * addresses if the heap does; and what else looks at that setting may do so.
 */
#include <malloc.h>
#include "turns.h"

#define BLOCKS 40

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static uintptr_t next(uintptr_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 40;
}

/* Not the first thread's heap, which moves the program break. */
static void *use_heap(void *arg)
{
	uintptr_t seed = (uintptr_t)&seed;
	char *blocks[BLOCKS];

	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < BLOCKS; i++) {
			blocks[i] = malloc(1000 + next(&seed) % 20000);
			NEED(blocks[i]);
			blocks[i][999] = (char)i;
		}
		tell(&round, sizeof(round));
		for (unsigned i = BLOCKS; i-- > 0;) {
			NEED(blocks[i][999] == (char)i);
			free(blocks[i]);
			if (i % 4 == 0)
				tell(&i, sizeof(i));
		}
	}
	return arg;
}

static void heaps(void)
{
	int status;

	for (unsigned i = 0; i < 6; i++) {
		pid_t child = fork();

		NEED(child >= 0);
		if (!child) {
			mallopt(M_TRIM_THRESHOLD, (int)(i + 1) * 64 << 10);
			_exit(end(begin(use_heap, 7)) != 7);
		}
		NEED(waitpid(child, &status, 0) == child);
		show_status("heap", status);
	}
}

static bool look(void)
{
	int fd = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
	char value = 0;

	NEED(fd >= 0);
	NEED(read(fd, &value, 1) == 1);
	NEED(!close(fd));
	return value >= '0' && value <= '2';
}

/* Descriptors of other threads come and go meanwhile. */
static void *look_now_and_then(void *arg)
{
	uintptr_t seed = (uintptr_t)&seed;
	long seen = 0;

	for (unsigned i = 0; i < 200; i++) {
		unsigned bits = (unsigned)next(&seed);
		int fd;

		if (bits & 1)
			NEED(look());
		pthread_mutex_lock(&lock);
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
		NEED(write(fd, &i, sizeof(i)) == sizeof(i));
		pthread_mutex_unlock(&lock);
		if (bits & 2)
			NEED(look());
		NEED(!close(fd));
		seen += look();
		if (i % 32 == 0)
			usleep(500);
	}
	return (void *)(seen + (long)arg);
}

int main(void)
{
	heaps();
	SHOW(end(begin(look_now_and_then, 0)));
	SHOW(together(3, look_now_and_then));
	return 0;
}
