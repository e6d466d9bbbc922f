/* A signal interrupts a futex wait a little after a file was mapped: it comes, once, however far behind a variant is. */
#include <linux/futex.h>
#include "check.h"

static volatile uint32_t came;

static void arrive(int sig)
{
	(void)sig;
	came++;
}

int main(void)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	long unmapped = 0;

	NEED(fd >= 0 && ftruncate(fd, 4096) == 0);
	on_signal(SIGALRM, arrive, 0);
	for (uint32_t i = 0; i < 300; i++) {
		struct itimerval once = { .it_value = { 0, 100 + (i * 37) % 900 } };

		NEED(setitimer(ITIMER_REAL, &once, NULL) == 0);
		for (int j = 0; j < 3; j++) {
			void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

			unmapped += p == MAP_FAILED || munmap(p, 4096);
		}
		while (came == i)
			syscall(SYS_futex, &came, FUTEX_WAIT_PRIVATE, i, NULL, NULL, 0);
	}
	SHOW(unmapped);
	SHOW(came);
	return 0;
}
