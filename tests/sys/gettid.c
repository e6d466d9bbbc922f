/* Thread ids: the first thread's is the process's, others differ and are usable for tgkill. */
#include <pthread.h>
#include "check.h"

static pid_t other;

static void *thread(void *arg)
{
	(void)arg;
	other = gettid();
	SHOW(other == syscall(SYS_gettid));
	SHOW(syscall(SYS_tgkill, getpid(), other, 0));
	return NULL;
}

int main(void)
{
	pthread_t t;

	SHOW(gettid() == getpid());
	NEED(pthread_create(&t, NULL, thread, NULL) == 0);
	NEED(pthread_join(t, NULL) == 0);
	SHOW(other != getpid());
	SHOW(syscall(SYS_set_tid_address, NULL) == getpid());
	return 0;
}
