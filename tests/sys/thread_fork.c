/* Threads that fork while others compute and allocate; set*id, which all threads take part in, and signals between them. */
#include "turns.h"

static atomic_bool over;

static void *compute(void *arg)
{
	uint32_t sum = (uint32_t)(long)arg;
	long rounds = 0;

	while (!atomic_load(&over)) {
		char *p = malloc(64 + sum % 256);

		memset(p, (int)sum, 64);
		sum = checksum(p, 64);
		free(p);
		if (++rounds % 100 == 0)
			sched_yield();
	}
	tell(&rounds, sizeof(rounds));
	return NULL;
}

static void *fork_often(void *arg)
{
	long sum = 0;

	for (int i = 0; i < 8; i++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			free(malloc(1000));
			_exit((int)(long)arg + i);
		}
		NEED(pid > 0 && waitpid(pid, &status, 0) == pid);
		sum += WEXITSTATUS(status);
	}
	return (void *)sum;
}

static atomic_int got;

static void handler(int sig)
{
	(void)sig;
	got++;
}

static void *be_asleep(void *arg)
{
	while (!atomic_load(&over))
		usleep(1000);
	return arg;
}

int main(void)
{
	pthread_t busy[2], asleep[2];
	pthread_t forks[2];

	on_signal(SIGUSR1, handler, SA_RESTART);
	for (long i = 0; i < 2; i++) {
		busy[i] = begin(compute, i);
		asleep[i] = begin(be_asleep, i);
		forks[i] = begin(fork_often, 10 * i);
	}
	SHOW(end(forks[0]));
	SHOW(end(forks[1]));
	OUTCOME(setgid(getgid()));
	OUTCOME(setresuid(getuid(), getuid(), getuid()));
	for (int i = 0; i < 10; i++) {
		int before = got;

		NEED(pthread_kill(i % 2 ? busy[1] : asleep[1], SIGUSR1) == 0);
		while (got == before)
			sched_yield();
	}
	SHOW(got);
	over = true;
	for (int i = 0; i < 2; i++) {
		end(busy[i]);
		end(asleep[i]);
	}
	return 0;
}
