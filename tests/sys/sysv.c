/* System V shared memory, semaphores and queues between parent and child. */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include "check.h"

struct message {
	long type;
	char text[16];
};

static int shm, sem, queue;

static int child(void)
{
	char *p = shmat(shm, NULL, 0);
	struct sembuf up = { 0, 1, 0 };
	struct message m = { 7, "message" };

	NEED(p != (void *)-1);
	strcpy(p, "written by child");
	NEED(msgsnd(queue, &m, sizeof(m.text), 0) == 0);
	return semop(sem, &up, 1);
}

int main(void)
{
	struct sembuf down = { 0, -1, 0 };
	struct message m;
	struct shmid_ds ds;
	char *p;
	pid_t pid;

	shm = shmget(IPC_PRIVATE, 5000, IPC_CREAT | 0600);
	sem = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	NEED(shm >= 0 && sem >= 0 && queue >= 0);
	p = shmat(shm, NULL, 0);
	NEED(p != (void *)-1);
	SHOW(shmctl(shm, IPC_RMID, NULL));
	pid = spawn(child);
	SHOW(semop(sem, &down, 1));
	puts(p);
	SHOW(msgrcv(queue, &m, sizeof(m.text), 7, 0));
	puts(m.text);
	OUTCOME(msgrcv(queue, &m, sizeof(m.text), 0, IPC_NOWAIT));
	reap("child", pid);
	NEED(shmctl(shm, IPC_STAT, &ds) == 0);
	SHOW(ds.shm_segsz);
	SHOW(ds.shm_nattch);
	SHOW(shmdt(p));
	OUTCOME(shmdt(p));
	SHOW(semctl(sem, 0, IPC_RMID));
	SHOW(msgctl(queue, IPC_RMID, NULL));
	return 0;
}
