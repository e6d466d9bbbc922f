/*
 * A thread that works in the background is woken at moments that depend on addresses, as an allocator's is that gives back memory:
 * by one variant alone, or by each at another moment.
 */
#include <sys/mman.h>
#include "turns.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted = PTHREAD_COND_INITIALIZER;
static bool over, timed;
static unsigned long pending, done;

/* What the background thread does: its looks and its memory are nobody's concern. */
static void work(void)
{
	struct timespec now;
	char *p;

	for (; pending; pending--, done++) {
		NEED(!clock_gettime(CLOCK_MONOTONIC_COARSE, &now));
		p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		NEED(p != MAP_FAILED);
		p[4096] = 1;
		NEED(!madvise(p, 8192, MADV_DONTNEED));
		NEED(!munmap(p, 8192));
	}
}

static void *background(void *arg)
{
	struct timespec until;
	int err = 0;

	pthread_mutex_lock(&lock);
	while (!over) {
		work();
		if (!timed) {
			err = pthread_cond_wait(&wanted, &lock);
			NEED(!err);
			continue;
		}
		NEED(!clock_gettime(CLOCK_REALTIME, &until));
		until.tv_nsec += 2000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		err = pthread_cond_timedwait(&wanted, &lock, &until);
		NEED(!err || err == ETIMEDOUT);
	}
	pthread_mutex_unlock(&lock);
	return arg;
}

static void foreground(unsigned rounds)
{
	uintptr_t seed = (uintptr_t)&seed ^ (uintptr_t)&pthread_self;

	for (unsigned i = 0; i < rounds; i++) {
		char byte = (char)i;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		if (!pthread_mutex_trylock(&lock)) {
			pending += seed >> 40 & 3;
			if (!(seed >> 44 & 3))
				pthread_cond_signal(&wanted);
			pthread_mutex_unlock(&lock);
		}
		tell(&byte, 1);
		if (i % 16 == 0)
			usleep(1000);
	}
}

static void run(const char *what, bool with_timeout)
{
	pthread_t t;

	over = false;
	timed = with_timeout;
	pending = done = 0;
	t = begin(background, 5);
	foreground(2000);
	pthread_mutex_lock(&lock);
	over = true;
	pthread_cond_signal(&wanted);
	pthread_mutex_unlock(&lock);
	printf("%s: %ld\n", what, end(t));
}

int main(void)
{
	run("with a timeout", true);
	run("without", false);
	return 0;
}
