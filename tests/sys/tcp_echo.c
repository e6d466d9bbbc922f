/* TCP over loopback: a forked echo server, names of both ends, socket options, refused connections. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include "check.h"

static int listener;

/* Prints only when the client has closed: the client's last line is out by then, and it waits for us before its next one. */
static int server(void)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char buf[256];
	long n, total = 0;
	int fd = accept(listener, (struct sockaddr *)&from, &len);

	NEED(fd >= 0);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		NEED(write(fd, buf, (size_t)n) == n);
		total += n;
	}
	SHOW(len == sizeof(from));
	SHOW(from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	SHOW(total);
	return 0;
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET }, me;
	socklen_t len = sizeof(a), small = 4;
	int fd, value = 1;
	char text[64];
	pid_t pid;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	NEED(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value)) == 0);
	NEED(bind(listener, (struct sockaddr *)&a, len) == 0);
	NEED(listen(listener, 1) == 0);
	NEED(getsockname(listener, (struct sockaddr *)&a, &len) == 0);
	SHOW(a.sin_port != 0);
	pid = spawn(server);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	NEED(connect(fd, (struct sockaddr *)&a, len) == 0);
	NEED(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)) == 0);
	value = 0;
	len = sizeof(value);
	NEED(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len) == 0);
	SHOW(value);
	for (int i = 0; i < 20; i++) {
		int n = snprintf(text, sizeof(text), "message %d\n", i);

		NEED(send(fd, text, (size_t)n, 0) == n);
		NEED(recv(fd, text, (size_t)n, MSG_WAITALL) == n);
	}
	fputs(text, stdout);
	len = sizeof(me);
	NEED(getpeername(fd, (struct sockaddr *)&me, &len) == 0);
	SHOW(me.sin_port == a.sin_port);
	memset(&me, 0x55, sizeof(me));
	NEED(getsockname(fd, (struct sockaddr *)&me, &small) == 0);
	SHOW(small);
	SHOW(me.sin_addr.s_addr == 0x55555555);
	close(fd);
	reap("server", pid);
	close(listener);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	OUTCOME(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	OUTCOME(accept(fd, NULL, NULL));
	len = 1;
	OUTCOME(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len));
	SHOW(len);
	OUTCOME(socket(AF_INET, 77, 0));
	return 0;
}
