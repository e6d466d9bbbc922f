/* Descriptors and credentials sent over a socket, to a child and to oneself; close-on-exec; truncated control data. */
#include "check.h"

static int s[2];

union control {
	char space[CMSG_SPACE(2 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	struct cmsghdr align;
};

static void give(const int *fds, unsigned n)
{
	union control u;
	struct iovec iov = { "fds", 3 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.space, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c;

	memset(&u, 0, sizeof(u));
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	NEED(sendmsg(s[0], &m, 0) == 3);
}

static int take(int *fds, size_t room, int flags)
{
	union control u;
	char text[8];
	struct iovec iov = { text, sizeof(text) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room ? u.space : NULL, .msg_controllen = room };
	struct cmsghdr *c;

	NEED(recvmsg(s[1], &m, flags) == 3);
	SHOW(m.msg_flags & MSG_CTRUNC);
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return 0;
	memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	return (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
}

static int child(void)
{
	int fds[2];
	char buf[32] = "";

	SHOW(take(fds, sizeof(union control), 0));
	SHOW(fds[0]);
	SHOW(fds[1]);
	NEED(read(fds[0], buf, 31) > 0);
	puts(buf);
	SHOW(write(fds[1], "from the child", 14));
	return 0;
}

int main(void)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600), pipes[2], got[2] = { -1, -1 };
	char buf[32] = "";

	NEED(fd >= 0 && pipe(pipes) == 0);
	NEED(write(fd, "file content", 12) == 12);
	NEED(lseek(fd, 0, SEEK_SET) == 0);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	give((int[]){ fd, pipes[1] }, 2);
	reap("child", spawn(child));
	NEED(read(pipes[0], buf, 31) > 0);
	puts(buf);
	SHOW(lseek(fd, 0, SEEK_CUR));
	/* The message is still queued for nobody: the child took it. */
	give(&fd, 1);
	SHOW(take(got, sizeof(union control), MSG_CMSG_CLOEXEC));
	SHOW(got[0]);
	SHOW(fcntl(got[0], F_GETFD));
	SHOW(pread(got[0], buf, 4, 0));
	give((int[]){ fd, fd }, 2);
	SHOW(take(got, CMSG_LEN(sizeof(int)), 0));
	SHOW(got[0]);
	give(&fd, 1);
	SHOW(take(got, 0, 0));
	return 0;
}
