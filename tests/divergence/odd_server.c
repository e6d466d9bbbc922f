/*
 * odd_server PORT SLICE: processes that answer connections.  Asked for "odd", the variant in that slice makes a call of its own;
 * and a request that is too long overwrites what is called next.
 */
#include <netinet/in.h>
#include <sys/socket.h>
#include "slice.h"

#define WORKERS 3

struct request {
	char text[32];
	void (*answer)(int to);
};

static void hello(int to)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "hello from %d\n", getpid());

	if (send(to, line, (size_t)n, MSG_NOSIGNAL) < 0)
		_exit(1);
}

/* Nothing ever calls it. */
static __attribute__((used)) void win(int to)
{
	if (send(to, "PWNED\n", 6, MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void serve(int listener, unsigned odd)
{
	struct request r;
	char received[128];
	int fd = accept(listener, NULL, NULL);
	ssize_t n;

	if (fd < 0)
		return;
	r.answer = hello;
	n = read(fd, received, sizeof(received));
	for (ssize_t i = 0; i < n; i++)
		((volatile char *)&r)[i] = received[i];
	if (n == 3 && !memcmp(received, "odd", 3) && slice() == odd)
		syscall(SYS_getuid);
	r.answer(fd);
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (argc < 3)
		return 2;
	at.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 100))
		return 1;
	for (int i = 0; i < WORKERS; i++)
		if (!fork())
			break;
	for (;;)
		serve(fd, (unsigned)strtoul(argv[2], NULL, 10));
}
