/*
 * test: turns=variant
 *
 * Processes that have nothing in common but the name of a file in shared memory, made by fork or posix_spawn and an exec, compete
 * for what is in it: a mutex, a condition, a semaphore, a spin lock, a mutex whose owner is killed.
 */
#include <semaphore.h>
#include <spawn.h>
#include "turns.h"

#define WORKERS 3
#define ROUNDS 100
#define PHASES 4

static struct shared {
	pthread_mutex_t lock, robust;
	pthread_cond_t changed;
	sem_t sem;
	atomic_uint spin;
	unsigned phase, done, next, place;
	unsigned char order[PHASES * WORKERS * ROUNDS];
} *s;

static void take(int me)
{
	s->order[s->place++] = (unsigned char)me;
	if (s->place % 30 == 0)
		getppid();
}

static void by_mutex(int me)
{
	for (int i = 0; i < ROUNDS; i++) {
		NEED(pthread_mutex_lock(&s->lock) == 0);
		take(me);
		NEED(pthread_mutex_unlock(&s->lock) == 0);
	}
}

static void by_semaphore(int me)
{
	for (int i = 0; i < ROUNDS; i++) {
		NEED(sem_wait(&s->sem) == 0);
		take(me);
		NEED(sem_post(&s->sem) == 0);
	}
}

static void by_spinning(int me)
{
	for (int i = 0; i < ROUNDS; i++) {
		while (atomic_exchange(&s->spin, 1))
			;
		take(me);
		atomic_store(&s->spin, 0);
	}
}

/* One after the other, each waiting until it is next. */
static void in_a_row(int me)
{
	for (int i = 0; i < ROUNDS / 10; i++) {
		NEED(pthread_mutex_lock(&s->lock) == 0);
		while (s->next % WORKERS != (unsigned)me)
			NEED(pthread_cond_wait(&s->changed, &s->lock) == 0);
		take(me);
		s->next++;
		NEED(pthread_cond_broadcast(&s->changed) == 0);
		NEED(pthread_mutex_unlock(&s->lock) == 0);
	}
}

static void attach(const char *name, int flags)
{
	int fd = shm_open(name, O_RDWR | flags, 0600);

	NEED(fd >= 0 && (!flags || ftruncate(fd, sizeof(*s)) == 0));
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(s != MAP_FAILED && close(fd) == 0);
}

static int work(const char *name, int me)
{
	static void (*const phases[PHASES])(int) = { by_mutex, by_semaphore, by_spinning, in_a_row };

	attach(name, 0);
	for (unsigned i = 0; i < PHASES; i++) {
		phases[i](me);
		NEED(pthread_mutex_lock(&s->lock) == 0);
		if (++s->done == WORKERS * (i + 1)) {
			s->phase = i + 1;
			NEED(pthread_cond_broadcast(&s->changed) == 0);
		}
		while (s->phase == i)
			NEED(pthread_cond_wait(&s->changed, &s->lock) == 0);
		NEED(pthread_mutex_unlock(&s->lock) == 0);
	}
	if (me == 0) {
		NEED(pthread_mutex_lock(&s->robust) == 0);
		kill(getpid(), SIGKILL);
	}
	return me;
}

static pid_t start(char *self, char *name, int me, bool spawned)
{
	char number[4];
	char *argv[] = { self, name, number, NULL }, *env[] = { NULL };
	pid_t pid;

	snprintf(number, sizeof(number), "%d", me);
	if (spawned) {
		NEED(posix_spawn(&pid, self, NULL, NULL, argv, env) == 0);
		return pid;
	}
	NEED((pid = fork()) >= 0);
	if (!pid) {
		execve(self, argv, env);
		_exit(99);
	}
	return pid;
}

static void prepare(void)
{
	pthread_mutexattr_t m;
	pthread_condattr_t c;

	NEED(pthread_mutexattr_init(&m) == 0 && pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED) == 0);
	NEED(pthread_condattr_init(&c) == 0 && pthread_condattr_setpshared(&c, PTHREAD_PROCESS_SHARED) == 0);
	NEED(pthread_mutex_init(&s->lock, &m) == 0 && pthread_cond_init(&s->changed, &c) == 0);
	NEED(pthread_mutexattr_setrobust(&m, PTHREAD_MUTEX_ROBUST) == 0 && pthread_mutex_init(&s->robust, &m) == 0);
	NEED(sem_init(&s->sem, 1, 1) == 0);
}

int main(int argc, char **argv)
{
	char name[64];
	pid_t pid[WORKERS];

	if (argc > 2)
		return work(argv[1], atoi(argv[2]));
	snprintf(name, sizeof(name), "/mvarmor-names-%d", getpid());
	attach(name, O_CREAT | O_EXCL);
	prepare();
	for (int i = 0; i < WORKERS; i++)
		pid[i] = start(argv[0], name, i, i % 2 == 0);
	for (int i = 0; i < WORKERS; i++)
		reap("worker", pid[i]);
	tell(s->order, sizeof(s->order));
	SHOW(s->place);
	SHOW(pthread_mutex_lock(&s->robust) == EOWNERDEAD);
	SHOW(pthread_mutex_consistent(&s->robust) | pthread_mutex_unlock(&s->robust));
	SHOW(shm_unlink(name));
	return 0;
}
