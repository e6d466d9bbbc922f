/*
 * A process that prints an address, which is a divergence, after another one has come and gone: argument "apart" if they share no
 * memory, "fork" if they do since the fork, "wait" if one wakes the other by it, "name" if they do by a name.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>
#include "slice.h"

/* With a second thread, such calls are seen under every front-end. */
static void *nothing(void *arg)
{
	return arg;
}

static void wake(void *word)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
		exit(99);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void *map(int flags, int fd)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		exit(99);
	return p;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	void *word = NULL;
	pid_t pid;
	int fd;

	if (!strcmp(how, "fork") || !strcmp(how, "wait"))
		word = map(MAP_SHARED | MAP_ANONYMOUS, -1);
	pid = fork();
	if (pid == 0)
		_exit(0);
	if (waitpid(pid, NULL, 0) != pid)
		return 99;
	if (!strcmp(how, "name")) {
		fd = open("named", O_RDWR | O_CREAT, 0600);
		if (fd < 0 || ftruncate(fd, 4096))
			return 99;
		word = map(MAP_SHARED, fd);
	}
	if (!strcmp(how, "wait") || !strcmp(how, "name"))
		wake(word);
	printf("address %016lx\n", (unsigned long)stack_address());
	return 0;
}
