/* System V shared memory between parent, child and a program started anew, by key and by id. */
#include <sys/ipc.h>
#include <sys/shm.h>
#include "check.h"

#define SIZE 10000

static int id;
static int *shared;

static int writes(void)
{
	shared[0]++;
	shared[SIZE / sizeof(int) - 1] = 77;
	return 0;
}

/* With an attachment of its own, at a place of its own. */
static int attaches(void)
{
	int *again = shmat(id, NULL, 0);

	NEED(again != (void *)-1);
	again[1] = again[0] + 10;
	return shmdt(again) || again == shared;
}

static int again(key_t key)
{
	int found = shmget(key, SIZE, 0600);
	const int *p = shmat(found, NULL, SHM_RDONLY);

	NEED(p != (void *)-1);
	SHOW(p[2]);
	SHOW(shmctl(found, IPC_RMID, NULL));
	SHOW(p[2]);
	SHOW(shmdt(p));
	return 0;
}

static void by_key(const char *program)
{
	key_t key = 0x4d560000 + getpid();
	char text[20];
	pid_t pid;
	int *p;

	/* What natively may be there is not ours. */
	id = shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0600);
	NEED(id >= 0);
	SHOW(shmget(key, SIZE, IPC_CREAT | IPC_EXCL | 0600));
	SHOW(errno);
	SHOW(shmget(key, 2 * SIZE, 0600));
	SHOW(errno);
	SHOW(shmget(key, 0, 0600) == id);
	p = shmat(id, NULL, 0);
	NEED(p != (void *)-1);
	p[2] = 42;
	snprintf(text, sizeof(text), "%d", (int)key);
	pid = fork();
	if (!pid)
		execl(program, program, text, (char *)NULL);
	reap("program", pid);
	SHOW(shmdt(p));
	SHOW(shmget(key, SIZE, 0600));
	SHOW(errno);
}

int main(int argc, char **argv)
{
	struct shmid_ds ds;
	void *fixed;
	pid_t pid;

	if (argc > 1)
		return again(atoi(argv[1]));
	id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0640);
	NEED(id >= 0);
	shared = shmat(id, NULL, 0);
	NEED(shared != (void *)-1);
	SHOW(shared[0]);
	pid = spawn(writes);
	reap("writer", pid);
	SHOW(shared[0]);
	SHOW(shared[SIZE / sizeof(int) - 1]);
	pid = spawn(attaches);
	reap("attacher", pid);
	SHOW(shared[1]);
	SHOW(shmctl(id, IPC_STAT, &ds));
	SHOW(ds.shm_segsz);
	SHOW(ds.shm_nattch);
	SHOW(ds.shm_perm.mode);
	SHOW(ds.shm_cpid == getpid());
	/* At an address of its own choice, where the first attachment was. */
	fixed = shared;
	SHOW(shmdt(shared));
	SHOW(shmat(id, fixed, 0) == fixed);
	SHOW(shmat(id, (char *)fixed + 1, 0) == (void *)-1);
	SHOW(errno);
	SHOW(shared[1]);
	SHOW(shmdt((char *)fixed + 4096));
	SHOW(errno);
	SHOW(shmctl(id, IPC_RMID, NULL));
	SHOW(shared[1]);
	SHOW(shmdt(fixed));
	OUTCOME(shmat(id, NULL, 0));
	OUTCOME(shmat(-1, NULL, 0));
	OUTCOME(shmget(IPC_PRIVATE, 0, 0600));
	OUTCOME(shmctl(-1, IPC_STAT, &ds));
	by_key(argv[0]);
	return 0;
}
