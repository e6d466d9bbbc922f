/*
 * test: turns=shared
 *
 * Who is killed while it sleeps has done all that it did before, in memory that others share: also where its twin is late, as nobody
 * waits for one that the kernel kills.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "turns.h"

#define ROUNDS 100
#define STEPS 50

static atomic_uint *word;

static void work(void)
{
	NEED(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	for (unsigned i = 0; i < STEPS; i++) {
		getppid();
		atomic_fetch_add(word, 1);
	}
	for (;;)
		pause();
}

/* Its child dies with it. */
static void between(void)
{
	pid_t child = fork();

	NEED(child >= 0);
	if (!child)
		work();
	while (atomic_load(word) < STEPS)
		sched_yield();
	_exit(0);
}

int main(void)
{
	int status, whole = 0;

	word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	NEED(word != MAP_FAILED);
	NEED(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	for (int round = 0; round < ROUNDS; round++) {
		pid_t child = fork();

		NEED(child >= 0);
		if (!child)
			between();
		for (int i = 0; i < 2; i++)
			NEED(wait(&status) > 0);
		whole += atomic_exchange(word, 0) == STEPS;
	}
	printf("whole %d of %d\n", whole, ROUNDS);
	return 0;
}
