/* Options of sockets: what lies behind the value, a length that is too long, too short, negative. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include "check.h"

struct option {
	int value;
	void *own;		/* an address: differs between variants */
	char more[64];
};

static int set(int fd, int level, int name, socklen_t len)
{
	struct option o = { .value = 1, .own = &o };

	return setsockopt(fd, level, name, &o, len);
}

int main(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), value = 0;
	struct { struct linger l; void *own; } linger = { { 1, 5 }, &linger };
	struct { struct timeval tv; void *own; } timeout = { { 3, 0 }, &timeout };
	struct timeval tv = { 0 };
	socklen_t len = sizeof(value);

	NEED(fd >= 0);
	OUTCOME(set(fd, SOL_SOCKET, SO_REUSEADDR, sizeof(struct option)));
	OUTCOME(set(fd, SOL_SOCKET, SO_REUSEADDR, (socklen_t)-1));
	OUTCOME(set(fd, IPPROTO_TCP, TCP_NODELAY, (socklen_t)-1));
	OUTCOME(set(fd, SOL_SOCKET, SO_REUSEADDR, 3));
	OUTCOME(set(fd, SOL_SOCKET, SO_KEEPALIVE, 12));
	OUTCOME(set(fd, SOL_SOCKET, 9999, sizeof(struct option)));
	OUTCOME(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	OUTCOME(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	OUTCOME(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, NULL, sizeof(timeout)));
	OUTCOME(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len));
	SHOW(value);
	len = sizeof(tv);
	OUTCOME(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
	SHOW(tv.tv_sec);
	return 0;
}
