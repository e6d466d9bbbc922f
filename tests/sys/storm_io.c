/*
 * test: timeout=120
 * A storm of signals by a descriptor: another process sends datagrams.
 */
#define COUNT 200
#include "storm.h"

static int ends[2];
static pid_t child;

static int sender(void)
{
	struct timespec begin;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < COUNT; i++) {
		if (send(ends[1], &i, sizeof(i), 0) != sizeof(i))
			return 1;
		pace(&begin, i);
	}
	return 0;
}

static void start(void)
{
	int size = 1 << 20;

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	NEED(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
	NEED(fcntl(ends[0], F_SETOWN, getpid()) == 0 && fcntl(ends[0], F_SETSIG, STORM) == 0);
	NEED(fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK) == 0);
	child = spawn(sender);
}

static void end(void)
{
	reap("sender", child);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	static const struct source io = { false, POLL_IN, start, end };

	storm_from(&io);
	return 0;
}
