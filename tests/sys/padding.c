/* Structures whose padding holds addresses: the same call in every variant. */
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include "check.h"

static void fill(void *p, size_t len)
{
	uintptr_t here = (uintptr_t)&len;

	for (size_t i = 0; i < len; i++)
		((unsigned char *)p)[i] = (unsigned char)(here >> i % 6 * 8);
}

int main(void)
{
	int s[2], ep = epoll_create1(0);
	struct epoll_event ev;
	struct {
		struct msghdr m;
		struct iovec v;
		char text[16];
	} x;
	struct sockaddr_nl nl;
	struct sigevent se;
	struct pollfd p;
	timer_t timer;

	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
	fill(&ev, sizeof(ev));
	ev.events = EPOLLIN;
	ev.data.fd = s[0];
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &ev));
	fill(&x, sizeof(x));
	x.v = (struct iovec){ "padding", 7 };
	x.m.msg_name = NULL;
	x.m.msg_namelen = 0;
	x.m.msg_iov = &x.v;
	x.m.msg_iovlen = 1;
	x.m.msg_control = NULL;
	x.m.msg_controllen = 0;
	SHOW(sendmsg(s[1], &x.m, 0));
	SHOW(epoll_wait(ep, &ev, 1, 1000));
	SHOW(ev.data.fd == s[0]);
	x.v.iov_base = x.text;
	x.v.iov_len = sizeof(x.text);
	SHOW(recvmsg(s[0], &x.m, 0));
	printf("%.7s\n", x.text);
	fill(&se, sizeof(se));
	se.sigev_notify = SIGEV_SIGNAL;
	se.sigev_signo = SIGUSR1;
	SHOW(timer_create(CLOCK_MONOTONIC, &se, &timer));
	fill(&p, sizeof(p));
	p.fd = s[0];
	p.events = POLLIN;
	SHOW(poll(&p, 1, 0));
	SHOW(p.revents);
	fill(&p, sizeof(p));
	p.fd = -1;
	SHOW(poll(&p, 1, 0));
	fill(&nl, sizeof(nl));
	nl.nl_family = AF_NETLINK;
	nl.nl_pid = nl.nl_groups = 0;
	SHOW(bind(socket(AF_NETLINK, SOCK_RAW, 0), (struct sockaddr *)&nl, sizeof(nl)));
	return 0;
}
