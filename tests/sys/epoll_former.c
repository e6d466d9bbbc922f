/* An event that has come carries the data that was registered, though another thread takes that back, or puts other there. */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include "check.h"

static int ep, timer;
static struct thing { int number; } things[3] = { { 1 }, { 2 }, { 3 } };

static void *waiter(void *arg)
{
	struct epoll_event ev = { 0 };

	NEED(epoll_wait(ep, &ev, 1, 5000) == 1);
	*(int *)arg = ev.data.ptr ? ((struct thing *)ev.data.ptr)->number : -1;
	return NULL;
}

/* The timer expires while this thread computes, which is no call at which another one could go on. */
static void expire(void)
{
	struct itimerspec in_1_ms = { .it_value.tv_nsec = 1000000 };
	volatile unsigned long n = 0;

	NEED(timerfd_settime(timer, 0, &in_1_ms, NULL) == 0);
	while (n < 20000000)
		n++;
}

static void once(int op, struct thing *before, struct thing *after)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.ptr = before };
	struct itimerspec never = { 0 };
	pthread_t t;
	int got = 0;

	NEED(epoll_ctl(ep, EPOLL_CTL_ADD, timer, &ev) == 0);
	NEED(pthread_create(&t, NULL, waiter, &got) == 0);
	sleep_ms(50);
	expire();
	NEED(timerfd_settime(timer, 0, &never, NULL) == 0);
	ev.data.ptr = after;
	NEED(epoll_ctl(ep, op, timer, &ev) == 0);
	NEED(pthread_join(t, NULL) == 0);
	SHOW(got);
	if (op != EPOLL_CTL_DEL)
		NEED(epoll_ctl(ep, EPOLL_CTL_DEL, timer, NULL) == 0);
}

int main(void)
{
	ep = epoll_create1(0);
	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	NEED(ep >= 0 && timer >= 0);
	once(EPOLL_CTL_DEL, &things[0], NULL);
	once(EPOLL_CTL_MOD, &things[1], &things[2]);
	return 0;
}
