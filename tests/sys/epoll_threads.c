/* test: timeout=60 */
/* One thread registers descriptors with pointers while another one waits in epoll_wait and follows the pointers that it gets. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include "turns.h"

#define ROUNDS 400

struct watched {
	int fd;
	long number;
};

static int ep;

static void *wait_for_events(void *arg)
{
	long sum = 0;

	(void)arg;
	for (int seen = 0; seen < ROUNDS;) {
		struct epoll_event ev[4];
		int n = epoll_wait(ep, ev, 4, -1);

		NEED(n > 0);
		for (int i = 0; i < n; i++) {
			struct watched *w = ev[i].data.ptr;

			NEED(epoll_ctl(ep, EPOLL_CTL_DEL, w->fd, &ev[i]) == 0);
			NEED(close(w->fd) == 0);
			sum += w->number;
			free(w);
			seen++;
		}
	}
	return (void *)sum;
}

int main(void)
{
	pthread_t waiting;

	ep = epoll_create1(EPOLL_CLOEXEC);
	NEED(ep >= 0);
	waiting = begin(wait_for_events, 0);
	for (long i = 0; i < ROUNDS; i++) {
		struct watched *w = malloc(sizeof(*w));
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = w };

		*w = (struct watched){ .fd = eventfd(1, EFD_CLOEXEC), .number = i };
		NEED(w->fd >= 0);
		NEED(epoll_ctl(ep, EPOLL_CTL_ADD, w->fd, &ev) == 0);
		tell(&i, sizeof(i));
	}
	SHOW(end(waiting));
	return 0;
}
