/*
 * test: turns=shared
 *
 * Processes that share memory: who comes how often to a lock, a counter, a flag is the same in all variants.
 */
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "turns.h"

#define PROCESSES 3
#define ROUNDS 200

static struct shared {
	pthread_mutex_t lock;
	sem_t sem;
	atomic_uint spin, next, flag;
	volatile unsigned racy;
	unsigned place;
	unsigned char order[PROCESSES * ROUNDS];
} *s;

static void by_mutex(int me)
{
	for (int i = 0; i < ROUNDS; i++) {
		NEED(pthread_mutex_lock(&s->lock) == 0);
		s->order[s->place++] = (unsigned char)me;
		if (i % 50 == 0)
			getppid();
		NEED(pthread_mutex_unlock(&s->lock) == 0);
	}
}

static void by_semaphore(int me)
{
	for (int i = 0; i < ROUNDS; i++) {
		NEED(sem_wait(&s->sem) == 0);
		s->order[s->place++] = (unsigned char)me;
		if (i % 50 == 0)
			sched_yield();
		NEED(sem_post(&s->sem) == 0);
	}
}

static void by_spinning(int me)
{
	for (int i = 0; i < ROUNDS; i++) {
		while (atomic_exchange(&s->spin, 1))
			;
		s->order[s->place++] = (unsigned char)me;
		if (i % 100 == 0)
			getppid();
		atomic_store(&s->spin, 0);
	}
}

/* Without any lock: what is lost natively need not be, but it is the same everywhere. */
static void by_nothing(int me)
{
	for (int i = 0; i < ROUNDS; i++) {
		unsigned seen = s->racy;

		s->order[atomic_fetch_add(&s->next, 1)] = (unsigned char)me;
		if (i % 20 == 0)
			getppid();
		s->racy = seen + 1;
	}
}

/* The parent has its share of the work, too. */
static void together_by(const char *name, void (*fn)(int))
{
	pid_t child[PROCESSES];

	s->place = 0;
	s->next = 0;
	s->racy = 0;
	for (int i = 1; i < PROCESSES; i++) {
		NEED((child[i] = fork()) >= 0);
		if (child[i])
			continue;
		fn(i);
		_exit(0);
	}
	fn(0);
	for (int i = 1; i < PROCESSES; i++) {
		int status;

		NEED(waitpid(child[i], &status, 0) == child[i] && status == 0);
	}
	tell(s->order, sizeof(s->order));
	tell((const void *)&s->racy, sizeof(s->racy));
	printf("%s\n", name);
}

static void wait_for_flag(void)
{
	pid_t child;
	int status;

	NEED((child = fork()) >= 0);
	if (!child) {
		while (!atomic_load(&s->flag))
			;
		_exit(0);
	}
	getppid();
	atomic_store(&s->flag, 1);
	NEED(waitpid(child, &status, 0) == child && status == 0);
	printf("flag\n");
}

int main(void)
{
	pthread_mutexattr_t shared;

	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	NEED(s != MAP_FAILED);
	NEED(pthread_mutexattr_init(&shared) == 0 && pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED) == 0);
	NEED(pthread_mutex_init(&s->lock, &shared) == 0 && sem_init(&s->sem, 1, 1) == 0);
	setvbuf(stdout, NULL, _IONBF, 0);
	together_by("mutex", by_mutex);
	together_by("semaphore", by_semaphore);
	together_by("spinning", by_spinning);
	together_by("nothing", by_nothing);
	wait_for_flag();
	return 0;
}
