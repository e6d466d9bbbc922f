/* Pointers that a program sends to itself: by a handler through a pipe, by a thread through a pair of sockets, and back. */
/* test: layouts */
#include <pthread.h>
#include "check.h"

struct message {
	int *counter;
	int how_much;
};

static int ends[2], pair[2];
static int *heap_counter;
static int static_counter;

static void handler(int sig)
{
	struct message m;

	memset(&m, 0, sizeof(m));
	m.counter = heap_counter;
	m.how_much = sig == SIGUSR1 ? 1 : 10;
	NEED(write(ends[1], &m, sizeof(m)) == sizeof(m));
}

static void *thread(void *arg)
{
	struct message m[20];

	/* More than one at once, and not all that was written at once. */
	for (int i = 0; i < 3; i++) {
		ssize_t n = read(pair[0], m, sizeof(m));

		NEED(n > 0 && n % (ssize_t)sizeof(*m) == 0);
		for (ssize_t j = 0; j < n / (ssize_t)sizeof(*m); j++)
			*m[j].counter += m[j].how_much;
	}
	NEED(write(pair[0], &heap_counter, sizeof(heap_counter)) == sizeof(heap_counter));
	return arg;
}

int main(void)
{
	struct message m, many[4] = { 0 };
	int *back, *gone, status;
	pthread_t t;
	char text[600];
	pid_t pid;

	heap_counter = malloc(sizeof(int));
	*heap_counter = 0;
	NEED(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	on_signal(SIGUSR1, handler, 0);
	on_signal(SIGUSR2, handler, SA_RESTART);
	for (int i = 0; i < 5; i++) {
		raise(i & 1 ? SIGUSR2 : SIGUSR1);
		SHOW(read(ends[0], &m, sizeof(m)));
		*m.counter += m.how_much;
	}
	SHOW(*heap_counter);
	SHOW(m.counter == heap_counter);

	/* Another one's address is not taken for what it is not: bytes of the program's are the same in all variants. */
	m.counter = (int *)(uintptr_t)0x1234;
	m.how_much = 1 << 20;
	NEED(write(ends[1], &m, sizeof(m)) == sizeof(m));
	SHOW(read(ends[0], text, sizeof(text)));
	SHOW(memcmp(text, &m, sizeof(m)));

	for (int i = 0; i < 4; i++)
		many[i] = (struct message){ .counter = i & 1 ? &static_counter : heap_counter, .how_much = 100 * i };
	NEED(pthread_create(&t, NULL, thread, NULL) == 0);
	NEED(write(pair[1], many, sizeof(*many)) == sizeof(*many));
	NEED(write(pair[1], many + 1, 2 * sizeof(*many)) == 2 * sizeof(*many));
	NEED(write(pair[1], many + 3, sizeof(*many)) == sizeof(*many));
	SHOW(read(pair[1], &back, sizeof(back)));
	SHOW(back == heap_counter);
	NEED(pthread_join(t, NULL) == 0);
	SHOW(*back);
	SHOW(static_counter);

	/* A child that was there before reads bytes; what it does with them is its own affair. */
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0)
		_exit(read(ends[0], &m, sizeof(m)) == sizeof(m) && m.how_much == 5 ? 3 : 4);
	m.counter = heap_counter;
	m.how_much = 5;
	NEED(write(ends[1], &m, sizeof(m)) == sizeof(m));
	NEED(waitpid(pid, &status, 0) == pid);
	show_status("child", status);

	gone = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(gone != MAP_FAILED && write(ends[1], &gone, sizeof(gone)) == sizeof(gone));
	SHOW(read(ends[0], &back, sizeof(back)));
	*back = 1;
	SHOW(*gone);
	return 0;
}
