/* epoll registrations belong to (descriptor, open file): dup, close of one of two, reuse of a number, edge and one-shot. */
#include <sys/epoll.h>
#include "check.h"

static int ep;

static void add(int fd, uint32_t events, void *cookie)
{
	struct epoll_event ev = { .events = events, .data.ptr = cookie };

	NEED(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
}

int main(void)
{
	struct epoll_event ev[4];
	int a[2], b[2], copy;
	static char first, second, third;

	ep = epoll_create(1);
	NEED(ep >= 0 && pipe(a) == 0 && pipe(b) == 0);
	copy = dup(a[0]);
	add(a[0], EPOLLIN, &first);
	add(copy, EPOLLIN, &second);
	send_byte(a[1]);
	SHOW(epoll_wait(ep, ev, 4, 1000));
	SHOW((ev[0].data.ptr == &first && ev[1].data.ptr == &second) ||
	     (ev[1].data.ptr == &first && ev[0].data.ptr == &second));
	/* The open file lives on in copy: the kernel still reports a[0]'s registration after its close. */
	close(a[0]);
	SHOW(epoll_wait(ep, ev, 4, 0));
	close(copy);
	SHOW(epoll_wait(ep, ev, 4, 0));

	SHOW(dup2(b[0], a[0]) == a[0]);
	add(a[0], EPOLLIN | EPOLLET, &third);
	send_byte(b[1]);
	SHOW(epoll_wait(ep, ev, 4, 1000));
	SHOW(ev[0].data.ptr == &third);
	SHOW(epoll_wait(ep, ev, 4, 0));
	ev[0].events = EPOLLIN | EPOLLONESHOT;
	ev[0].data.ptr = &first;
	NEED(epoll_ctl(ep, EPOLL_CTL_MOD, a[0], &ev[0]) == 0);
	SHOW(epoll_wait(ep, ev, 4, 1000));
	SHOW(ev[0].data.ptr == &first);
	SHOW(epoll_wait(ep, ev, 4, 0));
	OUTCOME(epoll_ctl(ep, EPOLL_CTL_DEL, b[0], NULL));
	SHOW(epoll_ctl(ep, EPOLL_CTL_DEL, a[0], NULL));
	return 0;
}
