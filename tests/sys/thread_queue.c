/* Producers and consumers: conditions, semaphores, waits with a time limit; workers that write to a pipe. */
#include <semaphore.h>
#include "turns.h"

#define ITEMS 300

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t full = PTHREAD_COND_INITIALIZER, empty = PTHREAD_COND_INITIALIZER;
static struct { unsigned char from; int number; } queue[8];
static unsigned head, tail, taken;
static unsigned char log_[2 * ITEMS][2];
static sem_t slots;
static int out[2];

static void *produce(void *arg)
{
	for (int i = 0; i < ITEMS; i++) {
		pthread_mutex_lock(&lock);
		while (head - tail == 8)
			pthread_cond_wait(&empty, &lock);
		queue[head % 8].from = (unsigned char)(long)arg;
		queue[head++ % 8].number = i;
		pthread_cond_signal(&full);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void *consume(void *arg)
{
	long sum = 0;

	for (;;) {
		pthread_mutex_lock(&lock);
		while (head == tail && taken < 2 * ITEMS)
			pthread_cond_wait(&full, &lock);
		if (taken == 2 * ITEMS) {
			pthread_mutex_unlock(&lock);
			return (void *)sum;
		}
		sum += queue[tail % 8].number;
		log_[taken][0] = (unsigned char)(long)arg;
		log_[taken++][1] = queue[tail++ % 8].from;
		if (taken == 2 * ITEMS)
			pthread_cond_broadcast(&full);
		pthread_cond_signal(&empty);
		pthread_mutex_unlock(&lock);
	}
}

static void *work(void *arg)
{
	for (int i = 0; i < 20; i++) {
		char text[32];
		char *copy;

		NEED(sem_wait(&slots) == 0);
		copy = strdup("a piece of work");
		snprintf(text, sizeof(text), "%ld %d %s\n", (long)arg, i, copy);
		free(copy);
		NEED(write(out[1], text, strlen(text)) == (ssize_t)strlen(text));
		NEED(sem_post(&slots) == 0);
	}
	return NULL;
}

static void *read_all(void *arg)
{
	char buffer[100];
	ssize_t n;
	long all = 0;

	(void)arg;
	while ((n = read(out[0], buffer, sizeof(buffer))) > 0) {
		tell(buffer, (size_t)n);
		all += n;
	}
	return (void *)all;
}

static void *wait_short(void *arg)
{
	static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
	struct timespec until;
	int result;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 20000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&lock);
	do
		result = pthread_cond_timedwait(&never, &lock, &until);
	while (!result);
	pthread_mutex_unlock(&lock);
	return (void *)(long)(result == ETIMEDOUT);
}

int main(void)
{
	pthread_t t[5];
	long sum = 0;

	for (int i = 0; i < 5; i++)
		t[i] = begin(i < 2 ? produce : consume, i);
	for (int i = 0; i < 5; i++)
		sum += end(t[i]);
	SHOW(sum);
	tell(log_, sizeof(log_));

	NEED(pipe(out) == 0 && sem_init(&slots, 0, 2) == 0);
	t[4] = begin(read_all, 0);
	for (int i = 0; i < 4; i++)
		t[i] = begin(work, i);
	for (int i = 0; i < 4; i++)
		end(t[i]);
	close(out[1]);
	SHOW(end(t[4]));
	SHOW(together(4, wait_short));
	return 0;
}
