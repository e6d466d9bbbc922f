/*
 * A pool of threads that run at once: jobs go through a queue, results into files, pipes and mappings, in an order that depends on
 * the locks.
 *
 * test: threads=parallel layouts timeout=60
 */
#include <stdlib.h>
#include <sys/mman.h>
#include "turns.h"

#define WORKERS 4
#define JOBS 400

struct job { struct job *next; unsigned number; size_t size; char *text; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, results = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER, room = PTHREAD_COND_INITIALIZER;
static struct job *first, **last = &first;
static unsigned waiting, finished;
static bool over;
static int out, pipes[2];

static struct job *take(void)
{
	struct job *j;

	pthread_mutex_lock(&lock);
	while (!first && !over)
		pthread_cond_wait(&work, &lock);
	j = first;
	if (j) {
		first = j->next;
		if (!first)
			last = &first;
		if (waiting-- == 16)
			pthread_cond_signal(&room);
	}
	pthread_mutex_unlock(&lock);
	return j;
}

static void put(unsigned number)
{
	struct job *j = malloc(sizeof(*j));

	NEED(j);
	*j = (struct job){ .number = number, .size = 100 + number * 977 % 200000 };
	pthread_mutex_lock(&lock);
	while (waiting == 16)
		pthread_cond_wait(&room, &lock);
	*last = j;
	last = &j->next;
	waiting++;
	pthread_cond_signal(&work);
	pthread_mutex_unlock(&lock);
}

static void *worker(void *arg)
{
	unsigned done = 0;
	struct job *j;

	while ((j = take())) {
		char line[64], *map = MAP_FAILED;
		int n, fd;

		j->text = malloc(j->size);
		NEED(j->text);
		memset(j->text, 'a' + (int)(j->number % 26), j->size);
		if (j->number % 16 == 0) {
			map = mmap(NULL, j->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			NEED(map != MAP_FAILED);
			memcpy(map, j->text, j->size);
		}
		if (j->number % 32 == 0) {
			fd = open("/dev/null", O_WRONLY);
			NEED(write(fd, j->text, j->size) == (ssize_t)j->size);
			close(fd);
		}
		pthread_mutex_lock(&results);
		n = snprintf(line, sizeof(line), "%u: job %u by %ld\n", finished++, j->number, (long)arg);
		NEED(write(out, line, (size_t)n) == n);
		pthread_mutex_unlock(&results);
		NEED(write(pipes[1], "x", 1) == 1);
		if (map != MAP_FAILED)
			munmap(map, j->size);
		free(j->text);
		free(j);
		done++;
	}
	return (void *)(long)done;
}

int main(void)
{
	pthread_t t[WORKERS];
	char bytes[JOBS];
	long sum = 0;
	size_t n = 0;

	out = open("results", O_RDWR | O_CREAT | O_TRUNC, 0600);
	NEED(out >= 0 && pipe(pipes) == 0);
	for (long i = 0; i < WORKERS; i++)
		t[i] = begin(worker, i);
	for (unsigned i = 0; i < JOBS; i++)
		put(i);
	while (n < JOBS)
		n += (size_t)read(pipes[0], bytes, sizeof(bytes));
	pthread_mutex_lock(&lock);
	over = true;
	pthread_cond_broadcast(&work);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < WORKERS; i++)
		sum += end(t[i]);
	SHOW(sum);
	SHOW(finished);
	return 0;
}
