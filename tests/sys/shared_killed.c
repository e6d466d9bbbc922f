/*
 * test: turns=shared
 *
 * Processes that share memory are killed at any moment, or execute another program: the turn is the others'.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "turns.h"

static atomic_uint *count;

static void work(void)
{
	for (;;) {
		atomic_fetch_add(count, 1);
		getppid();
		sched_yield();
	}
}

int main(void)
{
	pid_t child[3];
	int status;

	count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	NEED(count != MAP_FAILED);
	setvbuf(stdout, NULL, _IONBF, 0);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 3; i++) {
			NEED((child[i] = fork()) >= 0);
			if (!child[i])
				work();
		}
		for (int i = 0; i < 20 * round; i++)
			sched_yield();
		for (int i = 0; i < 3; i++)
			NEED(kill(child[i], SIGKILL) == 0);
		for (int i = 0; i < 3; i++)
			NEED(waitpid(child[i], &status, 0) == child[i] && WIFSIGNALED(status));
	}
	printf("killed\n");
	for (int i = 0; i < 3; i++) {
		NEED((child[i] = fork()) >= 0);
		if (!child[i]) {
			execl("/bin/sh", "sh", "-c", "exit $(echo 3)", (char *)NULL);
			_exit(1);
		}
		atomic_fetch_add(count, 1);
	}
	for (int i = 0; i < 3; i++)
		NEED(waitpid(child[i], &status, 0) == child[i] && WEXITSTATUS(status) == 3);
	printf("executed\n");
	return 0;
}
