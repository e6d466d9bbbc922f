/*
 * test: turns=variant
 *
 * POSIX shared memory and named semaphores, among processes that only know the names: with a process started by exec, with one
 * that opens them before the fork; a name that is taken anew.
 */
#include <semaphore.h>
#include "check.h"

static char shm[64], ping[64], pong[64];

static void names(const char *unique)
{
	snprintf(shm, sizeof(shm), "/mvarmor-test-%s", unique);
	snprintf(ping, sizeof(ping), "/mvarmor-ping-%s", unique);
	snprintf(pong, sizeof(pong), "/mvarmor-pong-%s", unique);
}

static int *attach(int flags)
{
	int fd = shm_open(shm, O_RDWR | flags, 0600);
	int *p;

	NEED(fd >= 0);
	NEED(!(flags & O_CREAT) || ftruncate(fd, 4096) == 0);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(p != MAP_FAILED && close(fd) == 0);
	return p;
}

/* Each waits for the other's word before it changes what is shared. */
static int other(void)
{
	sem_t *a = sem_open(ping, 0), *b = sem_open(pong, 0);
	int *p = attach(0);

	NEED(a != SEM_FAILED && b != SEM_FAILED);
	for (int i = 0; i < 20; i++) {
		NEED(sem_wait(a) == 0);
		p[1] = p[0] * 2 + i;
		NEED(sem_post(b) == 0);
	}
	return p[1] & 0x7f;
}

static void play(const char *who, int *p, pid_t pid)
{
	sem_t *a = sem_open(ping, O_CREAT, 0600, 0), *b = sem_open(pong, O_CREAT, 0600, 0);

	NEED(a != SEM_FAILED && b != SEM_FAILED);
	for (int i = 0; i < 20; i++) {
		p[0] = p[1] + 1;
		NEED(sem_post(a) == 0);
		NEED(sem_wait(b) == 0);
	}
	SHOW(p[1]);
	reap(who, pid);
	SHOW(sem_close(a) | sem_close(b));
}

int main(int argc, char **argv)
{
	char unique[32];
	int *p, *q;
	pid_t pid;

	snprintf(unique, sizeof(unique), "%d", getpid());
	names(argc > 1 ? argv[1] : unique);
	if (argc > 1)
		return other();
	NEED(sem_open(ping, O_CREAT | O_EXCL, 0600, 0) != SEM_FAILED && sem_open(pong, O_CREAT | O_EXCL, 0600, 0) != SEM_FAILED);
	p = attach(O_CREAT | O_EXCL);
	pid = fork();
	NEED(pid >= 0);
	if (!pid) {
		execl(argv[0], argv[0], unique, NULL);
		_exit(99);
	}
	play("executed", p, pid);
	play("forked", p, spawn(other));
	OUTCOME(shm_open(shm, O_RDWR | O_CREAT | O_EXCL, 0600));
	SHOW(shm_unlink(shm));
	q = attach(O_CREAT | O_EXCL);
	SHOW(q[1]);
	q[1] = 7;
	SHOW(p[1] == 7);
	SHOW(shm_unlink(shm) | sem_unlink(ping) | sem_unlink(pong));
	OUTCOME(shm_open(shm, O_RDWR, 0600));
	return 0;
}
