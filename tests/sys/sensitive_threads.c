/* Four threads make memory executable, send themselves signals, make children and set ids, while a timer's signal comes. */
#include <pthread.h>
#include <sys/mman.h>
#include "check.h"

#define ROUNDS 50

static char *pages;
static volatile int caught, ticks, wrong;

static void count(int sig)
{
	__atomic_add_fetch(sig == SIGALRM ? &ticks : &caught, 1, __ATOMIC_SEQ_CST);
}

/* By calls that take no lock of the C library's: who gets those first differs between variants. */
static void child(void)
{
	long pid = syscall(SYS_fork);
	int status = 0;

	if (!pid)
		syscall(SYS_exit_group, 3);
	if (syscall(SYS_wait4, pid, &status, 0, NULL) != pid || WEXITSTATUS(status) != 3)
		wrong = 1;
}

static void *work(void *page)
{
	long pid = syscall(SYS_getpid), tid = syscall(SYS_gettid);

	for (int i = 0; i < ROUNDS; i++) {
		wrong |= syscall(SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC) != 0;
		wrong |= syscall(SYS_tgkill, pid, tid, SIGUSR1) != 0;
		wrong |= syscall(SYS_mprotect, page, 4096, PROT_READ | PROT_WRITE) != 0;
		wrong |= syscall(SYS_setresuid, -1, -1, -1) != 0;
		if (i % 25 == 0)
			child();
	}
	return NULL;
}

int main(void)
{
	struct itimerval often = { { 0, 3000 }, { 0, 3000 } }, never = { 0 };
	pthread_t threads[4];

	pages = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(pages != MAP_FAILED);
	on_signal(SIGUSR1, count, SA_RESTART);
	on_signal(SIGALRM, count, SA_RESTART);
	NEED(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; i < 4; i++)
		NEED(pthread_create(&threads[i], NULL, work, pages + 4096 * i) == 0);
	for (int i = 0; i < 4; i++)
		NEED(pthread_join(threads[i], NULL) == 0);
	while (!ticks)
		;
	NEED(setitimer(ITIMER_REAL, &never, NULL) == 0);
	SHOW(caught);
	SHOW(wrong);
	return 0;
}
