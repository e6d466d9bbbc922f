/*
 * Threads that share nothing but the table of descriptors make, copy and close them at the same time: what is closed by one
 * is at once the other's lowest free number.
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include "check.h"

enum { ROUNDS = 150, THREADS = 4 };

static pthread_barrier_t begin;

static int type(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : (int)(st.st_mode & S_IFMT);
}

static long open_files(void)
{
	int fd = open("file", O_RDONLY), gone = open("no such file", O_RDONLY);

	return (type(fd) != S_IFREG) + (gone >= 0) + (close(fd) != 0);
}

static long make_one(void)
{
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), copy = dup(s), ep = epoll_create1(0);

	return (type(s) != S_IFSOCK) + (type(copy) != S_IFSOCK) + (fcntl(s, F_GETFD) != FD_CLOEXEC) + (fcntl(copy, F_GETFD) != 0) +
	       (close(s) != 0) + (close(ep) != 0) + (close(copy) != 0);
}

static long make_two(void)
{
	int p[2] = { -1, -1 }, s[2] = { -1, -1 };
	long wrong = (pipe(p) != 0) + (socketpair(AF_UNIX, SOCK_STREAM, 0, s) != 0);

	for (int i = 0; i < 2; i++)
		wrong += (type(p[i]) != S_IFIFO) + (type(s[i]) != S_IFSOCK);
	for (int i = 0; i < 2; i++)
		wrong += (close(p[i]) != 0) + (close(s[i]) != 0);
	return wrong;
}

static long take_connections(void)
{
	static int listener = -1;
	static struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" };
	struct sockaddr_un from;
	socklen_t len = sizeof(from);
	int client, server;
	long wrong = 0;

	if (listener < 0) {
		listener = socket(AF_UNIX, SOCK_STREAM, 0);
		wrong += bind(listener, (struct sockaddr *)&name, sizeof(name)) || listen(listener, 1);
	}
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	wrong += connect(client, (struct sockaddr *)&name, sizeof(name)) != 0;
	server = accept(listener, (struct sockaddr *)&from, &len);
	return wrong + (type(server) != S_IFSOCK) + (close(client) != 0) + (close(server) != 0);
}

static void *repeat(void *arg)
{
	static long (*const what[THREADS])(void) = { open_files, make_one, make_two, take_connections };
	long wrong = 0;

	pthread_barrier_wait(&begin);
	for (int i = 0; i < ROUNDS; i++)
		wrong += what[(intptr_t)arg]();
	return (void *)wrong;
}

int main(void)
{
	pthread_t t[THREADS];
	long wrong = 0;
	void *result;
	int fd = open("file", O_WRONLY | O_CREAT, 0600), lowest;

	NEED(fd >= 0 && close(fd) == 0);
	pthread_barrier_init(&begin, NULL, THREADS);
	for (intptr_t i = 0; i < THREADS; i++)
		NEED(pthread_create(&t[i], NULL, repeat, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &result);
		wrong += (long)result;
	}
	SHOW(wrong);
	lowest = dup(0);
	SHOW(lowest >= fd && lowest <= fd + 1);		/* all are closed but for the listener */
	return 0;
}
