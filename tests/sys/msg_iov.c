/* sendmsg and recvmsg with several pieces, peeking, truncation, addresses, names of length zero. */
#include <sys/un.h>
#include "check.h"

int main(void)
{
	int s[2];
	char a[4] = "", b[7] = "", c[32] = "";
	struct iovec out[] = { { "one ", 4 }, { "", 0 }, { "two ", 4 }, { "three", 5 } };
	struct iovec in[] = { { a, 3 }, { b, 6 }, { c, 31 } };
	struct msghdr m = { .msg_iov = out, .msg_iovlen = 4 };
	struct sockaddr_un name;

	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
	SHOW(sendmsg(s[0], &m, 0));
	SHOW(sendmsg(s[0], &m, 0));
	memset(&m, 0, sizeof(m));
	m.msg_iov = in;
	m.msg_iovlen = 3;
	m.msg_name = &name;
	m.msg_namelen = sizeof(name);
	SHOW(recvmsg(s[1], &m, MSG_PEEK));
	printf("[%s] [%s] [%s]\n", a, b, c);
	SHOW(m.msg_namelen);
	SHOW(m.msg_flags);
	memset(c, 0, sizeof(c));
	SHOW(recvmsg(s[1], &m, 0));
	printf("[%s] [%s] [%s]\n", a, b, c);
	m.msg_iovlen = 1;
	m.msg_name = NULL;
	SHOW(recvmsg(s[1], &m, 0));
	SHOW(m.msg_flags == MSG_TRUNC);
	OUTCOME(recvmsg(s[1], &m, MSG_DONTWAIT));
	m.msg_iov = (struct iovec *)8;
	OUTCOME(sendmsg(s[0], &m, 0));
	OUTCOME(recvmsg(s[0], NULL, 0));
	m.msg_iov = NULL;
	m.msg_iovlen = 0;
	SHOW(sendmsg(s[0], &m, 0));
	SHOW(recv(s[1], c, 4, 0));
	return 0;
}
