/* System V semaphores and queues between parent and child. */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include "check.h"

struct message {
	long type;
	char text[16];
};

static int sem, queue;

static int child(void)
{
	struct sembuf up = { 0, 1, 0 };
	struct message m = { 7, "message" };

	NEED(msgsnd(queue, &m, sizeof(m.text), 0) == 0);
	return semop(sem, &up, 1);
}

int main(void)
{
	struct sembuf down = { 0, -1, 0 };
	struct message m;
	pid_t pid;

	sem = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	NEED(sem >= 0 && queue >= 0);
	pid = spawn(child);
	SHOW(semop(sem, &down, 1));
	SHOW(msgrcv(queue, &m, sizeof(m.text), 7, 0));
	puts(m.text);
	OUTCOME(msgrcv(queue, &m, sizeof(m.text), 0, IPC_NOWAIT));
	reap("child", pid);
	SHOW(semctl(sem, 0, IPC_RMID));
	SHOW(msgctl(queue, IPC_RMID, NULL));
	return 0;
}
