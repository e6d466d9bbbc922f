/*
 * Processes, of which one has threads, that wait for each other by what lies in memory they share: each variant's own wake each other,
 * and how often one has to wait is each variant's chance.
 */
#include <semaphore.h>
#include "turns.h"

#define CHILDREN 3
#define ROUNDS 20

static struct {
	sem_t to, from;
	pthread_mutex_t mutex, robust;
	pthread_cond_t cond;
	pthread_barrier_t barrier;
	pthread_rwlock_t rwlock;
	int turn, sum;
} *s;
static int ends[2];

static void make(void)
{
	pthread_mutexattr_t ma;
	pthread_condattr_t ca;
	pthread_barrierattr_t ba;
	pthread_rwlockattr_t ra;

	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	NEED(s != MAP_FAILED);
	pthread_mutexattr_init(&ma);
	pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&s->mutex, &ma);
	pthread_mutexattr_setrobust(&ma, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&s->robust, &ma);
	pthread_condattr_init(&ca);
	pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&s->cond, &ca);
	pthread_barrierattr_init(&ba);
	pthread_barrierattr_setpshared(&ba, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&s->barrier, &ba, CHILDREN + 1);
	pthread_rwlockattr_init(&ra);
	pthread_rwlockattr_setpshared(&ra, PTHREAD_PROCESS_SHARED);
	pthread_rwlock_init(&s->rwlock, &ra);
	sem_init(&s->to, 1, 0);
	sem_init(&s->from, 1, 0);
}

/* A sibling of the one that waits: it needs turns meanwhile, and what it does is what the others wait for. */
static void *echo(void *arg)
{
	char c;

	while (read(ends[0], &c, 1) == 1) {
		tell(&c, 1);
		sem_post(&s->to);
	}
	return arg;
}

static void child_work(int me)
{
	for (int i = 0; i < ROUNDS; i++) {
		sem_wait(&s->to);
		if (i % 3 == me)
			sleep_ms(1);
		sem_post(&s->from);
	}
	pthread_barrier_wait(&s->barrier);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&s->mutex);
		while (s->turn != me)
			pthread_cond_wait(&s->cond, &s->mutex);
		s->turn = (s->turn + 1) % (CHILDREN + 1);
		pthread_cond_broadcast(&s->cond);
		pthread_mutex_unlock(&s->mutex);
		pthread_rwlock_wrlock(&s->rwlock);
		s->sum += i;
		pthread_rwlock_unlock(&s->rwlock);
	}
	_exit(0);
}

static void owner_dies(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pthread_mutex_lock(&s->robust);
		sem_post(&s->from);
		sleep_ms(30);
		kill(getpid(), SIGKILL);
	}
	NEED(pid > 0);
	sem_wait(&s->from);
	SHOW(pthread_mutex_lock(&s->robust) == EOWNERDEAD);
	SHOW(pthread_mutex_consistent(&s->robust));
	SHOW(pthread_mutex_unlock(&s->robust));
	reap("owner", pid);
}

int main(void)
{
	pid_t pids[CHILDREN];
	pthread_t t;

	NEED(pipe(ends) == 0);
	make();
	t = begin(echo, 0);
	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		NEED(pids[i] >= 0);
		if (pids[i] == 0)
			child_work(i);
	}
	for (int i = 0; i < ROUNDS * CHILDREN; i++) {
		send_byte(ends[1]);
		sem_wait(&s->from);
		tell(&i, sizeof(i));
	}
	pthread_barrier_wait(&s->barrier);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&s->mutex);
		while (s->turn != CHILDREN)
			pthread_cond_wait(&s->cond, &s->mutex);
		s->turn = 0;
		tell(&i, sizeof(i));
		pthread_cond_broadcast(&s->cond);
		pthread_mutex_unlock(&s->mutex);
	}
	for (int i = 0; i < CHILDREN; i++)
		reap("child", pids[i]);
	SHOW(s->sum);
	owner_dies();
	close(ends[1]);
	end(t);
	return 0;
}
