/* All values of a set of semaphores at once: sets of several sizes, too little memory, a set that is gone. */
#include <sys/ipc.h>
#include <sys/sem.h>
#include "check.h"

static unsigned short values[1000];

static void set_of(int n)
{
	int id = semget(IPC_PRIVATE, n, IPC_CREAT | 0600);
	unsigned short *end;
	struct sembuf up = { (unsigned short)(n / 2), 5, 0 };

	NEED(id >= 0);
	SHOW(n);
	for (int i = 0; i < n; i++)
		values[i] = (unsigned short)(i * 7 + 1);
	SHOW(semctl(id, 0, SETALL, values));
	SHOW(semop(id, &up, 1));
	memset(values, 0xff, sizeof(values));
	SHOW(semctl(id, 0, GETALL, values));
	SHOW(checksum(values, sizeof(values)));
	SHOW(semctl(id, n - 1, GETVAL));
	OUTCOME(semctl(id, n, GETVAL));
	OUTCOME(semctl(id, 0, GETALL, NULL));
	/* A page and nothing behind it. */
	end = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(end != MAP_FAILED && munmap((char *)end + 4096, 4096) == 0);
	end += 2048 - n;
	SHOW(semctl(id, 0, GETALL, end));
	SHOW(end[n - 1]);
	OUTCOME(semctl(id, 0, GETALL, end + 1));
	NEED(semctl(id, 0, IPC_RMID) == 0);
	OUTCOME(semctl(id, 0, GETALL, values));
}

int main(void)
{
	set_of(1);
	set_of(2);
	set_of(3);
	set_of(100);
	set_of(777);
	return 0;
}
