/* For tests that pass one descriptor at a time through a pair of sockets. */
#ifndef TESTS_SYS_PASS_FD_H
#define TESTS_SYS_PASS_FD_H

#include "check.h"

union pass_space {
	char space[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static inline void pass_fd(int to, int fd)
{
	union pass_space u = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.space, .msg_controllen = sizeof(u.space) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	NEED(sendmsg(to, &m, 0) == 1);
}

static inline int passed_fd(int from)
{
	union pass_space u = { 0 };
	char x;
	struct iovec iov = { &x, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.space, .msg_controllen = sizeof(u.space) };
	int fd;

	NEED(recvmsg(from, &m, 0) == 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

#endif
