/*
 * Sets of epoll that other processes use than the one that has filled them: passed by a socket, taken by pidfd_getfd, inherited and
 * filled by the child.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include "pass_fd.h"

static int s[2], shared;

static void add(int set, int fd, uint64_t data)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = data };

	NEED(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) == 0);
}

static void show(int set)
{
	struct epoll_event e[4];
	int n = epoll_wait(set, e, 4, 2000);

	SHOW(n);
	for (int i = 0; i < n; i++)
		printf("%#x %#llx\n", e[i].events, (unsigned long long)e[i].data.u64);
}

static int gets_one(void)
{
	int set = passed_fd(s[1]), own = eventfd(5, 0);

	show(set);
	add(set, own, 0x1234567890abcdef);
	show(set);
	return 0;
}

static int fills(void)
{
	add(shared, eventfd(1, 0), 12);
	NEED(write(s[1], "f", 1) == 1);
	pause();
	return 0;
}

int main(void)
{
	int set = epoll_create1(0), pidfd;
	char c;
	pid_t child;

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	child = spawn(gets_one);
	add(set, eventfd(1, 0), 77);
	add(set, eventfd(1, 0), 0xffffffff00000003);
	pass_fd(s[0], set);
	reap("gets one", child);

	shared = epoll_create1(0);
	child = spawn(fills);
	NEED(read(s[0], &c, 1) == 1);
	show(shared);
	add(shared, s[0], 13);
	NEED(write(s[1], "g", 1) == 1);
	show(shared);
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	show((int)syscall(SYS_pidfd_getfd, pidfd, shared, 0));
	NEED(kill(child, SIGKILL) == 0);
	reap("fills", child);
	return 0;
}
