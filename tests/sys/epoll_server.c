/* An epoll server with forked clients: cookies are pointers for some descriptors and numbers for others. */
/* test: n1 */
#include <netinet/in.h>
#include <sys/epoll.h>
#include "check.h"

struct connection {
	int fd;
	int bytes;
};

static struct sockaddr_in address;
static socklen_t address_len = sizeof(address);

static int client(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char buf[64];
	long got = 0, n;

	NEED(connect(fd, (struct sockaddr *)&address, address_len) == 0);
	for (int i = 0; i < 5; i++) {
		NEED(write(fd, "ping", 4) == 4);
		NEED(read(fd, buf, 4) == 4);
	}
	NEED(shutdown(fd, SHUT_WR) == 0);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		got += n;
	return (int)got;
}

int main(void)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(EPOLL_CLOEXEC);
	int open_connections = 0, finished = 0, total = 0;
	struct epoll_event ev, events[8];
	pid_t pids[4];

	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	NEED(bind(listener, (struct sockaddr *)&address, address_len) == 0);
	NEED(listen(listener, 8) == 0);
	NEED(getsockname(listener, (struct sockaddr *)&address, &address_len) == 0);
	ev.events = EPOLLIN;
	ev.data.u64 = UINT64_C(0xdeadbeef00000000) | (unsigned)listener;
	NEED(epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) == 0);
	OUTCOME(epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev));
	OUTCOME(epoll_ctl(ep, EPOLL_CTL_ADD, 99, &ev));
	SHOW(epoll_wait(ep, events, 8, 10));
	for (int i = 0; i < 4; i++)
		pids[i] = spawn(client);
	while (finished < 4) {
		int n = epoll_wait(ep, events, 8, 10000);

		NEED(n > 0);
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			char buf[64];
			long got;

			if (events[i].data.u64 >> 32 == 0xdeadbeef) {
				NEED((int)events[i].data.u64 == listener);
				c = malloc(sizeof(*c));
				c->bytes = 0;
				c->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
				NEED(c->fd >= 0);
				ev.events = EPOLLIN | EPOLLRDHUP;
				ev.data.ptr = c;
				NEED(epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) == 0);
				open_connections++;
				continue;
			}
			while ((got = read(c->fd, buf, sizeof(buf))) > 0) {
				c->bytes += (int)got;
				NEED(write(c->fd, buf, (size_t)got) == got);
			}
			if (got == 0) {
				ev.events = EPOLLOUT;
				ev.data.ptr = c;
				NEED(epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev) == 0);
				NEED(write(c->fd, "bye", 3) == 3);
				NEED(epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, NULL) == 0);
				total += c->bytes;
				close(c->fd);
				free(c);
				finished++;
			}
		}
	}
	SHOW(open_connections);
	SHOW(total);
	for (int i = 0; i < 4; i++)
		reap("client", pids[i]);
	OUTCOME(epoll_wait(ep, events, 0, 0));
	OUTCOME(epoll_wait(listener, events, 8, 0));
	return 0;
}
