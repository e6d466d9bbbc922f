/* A timer fires every three milliseconds while files and pipes are used: nothing is lost, no call ends by an internal code. */
#include "check.h"

static volatile sig_atomic_t ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

int main(void)
{
	struct itimerval it = { { 0, 3000 }, { 0, 3000 } };
	int fds[2], fd = open("file", O_RDWR | O_CREAT, 0600);
	long bytes = 0, odd = 0;
	char c = 0;

	NEED(fd >= 0 && pipe(fds) == 0);
	on_signal(SIGALRM, tick, SA_RESTART);
	NEED(setitimer(ITIMER_REAL, &it, NULL) == 0);
	for (int i = 0; i < 3000 || ticks < 20; i++) {
		odd += write(fds[1], "a", 1) != 1;
		odd += read(fds[0], &c, 1) != 1 || c != 'a';
		if (i < 3000)
			bytes += pwrite(fd, "b", 1, i);
	}
	memset(&it, 0, sizeof(it));
	NEED(setitimer(ITIMER_REAL, &it, NULL) == 0);
	SHOW(bytes);
	SHOW(odd);
	SHOW(lseek(fd, 0, SEEK_END));
	SHOW(ticks >= 20);
	return 0;
}
