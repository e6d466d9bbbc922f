/* Record locks and flock between processes; the hole in struct flock holds garbage that differs between variants. */
#include <sys/file.h>
#include "check.h"

static int fd;

static int set_lock(int cmd, short type, off_t start, off_t len, struct flock *l)
{
	/* Fill the padding with something that is different in every variant. */
	uintptr_t garbage[sizeof(*l) / sizeof(uintptr_t)];

	for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++)
		garbage[i] = (uintptr_t)&garbage;
	memcpy(l, garbage, sizeof(*l));
	l->l_type = type;
	l->l_whence = SEEK_SET;
	l->l_start = start;
	l->l_len = len;
	l->l_pid = 0;
	return fcntl(fd, cmd, l);
}

static int child(void)
{
	struct flock l;

	OUTCOME(set_lock(F_SETLK, F_WRLCK, 5, 10, &l));
	SHOW(set_lock(F_SETLK, F_WRLCK, 20, 10, &l));
	SHOW(set_lock(F_GETLK, F_RDLCK, 0, 0, &l));
	SHOW(l.l_pid == getppid());
	SHOW(l.l_start);
	SHOW(l.l_len);
	SHOW(l.l_type == F_WRLCK);
	return 0;
}

int main(void)
{
	struct flock l;
	int other;

	fd = open("f", O_RDWR | O_CREAT, 0600);
	NEED(fd >= 0);
	SHOW(set_lock(F_SETLK, F_WRLCK, 0, 10, &l));
	reap("child", spawn(child));
	SHOW(set_lock(F_SETLK, F_UNLCK, 0, 10, &l));
	other = open("f", O_RDWR);
	SHOW(flock(fd, LOCK_EX));
	OUTCOME(flock(other, LOCK_EX | LOCK_NB));
	SHOW(flock(fd, LOCK_UN));
	SHOW(flock(other, LOCK_EX | LOCK_NB));
	return 0;
}
