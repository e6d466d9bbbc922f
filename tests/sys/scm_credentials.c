/* Who has sent: SCM_CREDENTIALS, given and added by the kernel, over streams, datagrams and names, beside descriptors; SO_PEERCRED. */
#include <sys/un.h>
#include "check.h"

union control {
	char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static int s[2];
static pid_t parent;

static void put(struct msghdr *m, size_t *used, int type, const void *data, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)m->msg_control + *used);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	*used += CMSG_SPACE(len);
}

static ssize_t give(int fd, const struct ucred *cred, const int *passed)
{
	union control u;
	struct iovec iov = { "hello", 5 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.space };

	memset(&u, 0, sizeof(u));
	if (cred)
		put(&m, &m.msg_controllen, SCM_CREDENTIALS, cred, sizeof(*cred));
	if (passed)
		put(&m, &m.msg_controllen, SCM_RIGHTS, passed, sizeof(*passed));
	return sendmsg(fd, &m, 0);
}

static void take(int fd, pid_t from)
{
	union control u;
	char text[5];
	struct iovec iov = { text, sizeof(text) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.space, .msg_controllen = sizeof(u) };
	struct ucred cred;

	SHOW(recvmsg(fd, &m, MSG_CMSG_CLOEXEC));
	SHOW(m.msg_controllen);
	SHOW(m.msg_flags & ~MSG_CMSG_CLOEXEC);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_type == SCM_RIGHTS) {
			int got;

			memcpy(&got, CMSG_DATA(c), sizeof(got));
			SHOW(fcntl(got, F_GETFD));
			NEED(close(got) == 0);
			continue;
		}
		memcpy(&cred, CMSG_DATA(c), sizeof(cred));
		SHOW(cred.pid == from);
		SHOW(cred.uid == getuid());
		SHOW(cred.gid == getgid());
	}
}

static int child(void)
{
	struct ucred me = { getpid(), getuid(), getgid() }, other = { parent, getuid(), getgid() };
	int null = open("/dev/null", O_RDONLY);

	NEED(null >= 0);
	SHOW(give(s[1], NULL, NULL));
	SHOW(give(s[1], &me, NULL));
	SHOW(give(s[1], &me, &null));
	SHOW(give(s[1], NULL, &null));
	other.pid = 0x3fffffff;
	OUTCOME(give(s[1], &other, NULL));
	return 0;
}

static void pair(int type)
{
	int one = 1;
	pid_t pid;

	NEED(socketpair(AF_UNIX, type, 0, s) == 0);
	NEED(setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0);
	pid = spawn(child);
	reap("child", pid);
	for (int i = 0; i < 4; i++)
		take(s[0], pid);
	close(s[0]);
	close(s[1]);
}

/* A connection's two ends tell who has made the other. */
static void peers(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "name" };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c;
	struct ucred cred;
	socklen_t len = sizeof(cred);
	char byte;
	pid_t pid;

	NEED(l >= 0 && bind(l, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(l, 1) == 0);
	pid = fork();
	NEED(pid >= 0);
	if (pid == 0) {
		c = socket(AF_UNIX, SOCK_STREAM, 0);
		NEED(connect(c, (struct sockaddr *)&a, sizeof(a)) == 0);
		NEED(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0);
		SHOW(cred.pid == getppid());
		wait_byte(c);
		_exit(0);
	}
	c = accept(l, NULL, NULL);
	NEED(c >= 0 && getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0);
	send_byte(c);
	reap("connector", pid);
	SHOW(cred.pid == pid);
	SHOW(cred.uid == getuid());
	SHOW(read(c, &byte, 1));
}

int main(void)
{
	parent = getpid();
	pair(SOCK_STREAM);
	pair(SOCK_DGRAM);
	pair(SOCK_SEQPACKET);
	peers();
	return 0;
}
