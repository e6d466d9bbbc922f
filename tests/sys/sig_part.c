/*
 * A signal ends a call that has done a part of its work: the call tells the part, and the handler has run before it does.
 * Nor is there a call between one that ends with EINTR and the look.
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "check.h"

#define SIZE (4 << 20)

static volatile sig_atomic_t caught;
static char bytes[SIZE];

static void count(int sig)
{
	(void)sig;
	caught++;
}

/* No call of the program's is between the one that is cut short and the look at what the handler has done. */
#define CUT_SHORT(call) do {                                        \
		int before = caught, after;                         \
		long n;                                             \
								    \
		ualarm(50000, 0);                                   \
		n = (call);                                         \
		after = caught;                                     \
		printf("%s: %s, %d\n", #call, n > 0 && n < SIZE ? "a part" : "otherwise", after - before); \
	} while (0)

static int new_pair(int end)
{
	int sock[2];

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, sock) == 0);
	NEED(send(sock[1], "word", 4, 0) == 4);
	return sock[end];
}

static int new_pipe(void)
{
	int tube[2];

	NEED(pipe(tube) == 0);
	return tube[1];
}

static int new_datagrams(int end)
{
	int sock[2];

	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, sock) == 0);
	NEED(send(sock[1], "word", 4, 0) == 4);
	return sock[end];
}

/* Nothing more goes into it, and who tries waits for a second. */
static int new_full(void)
{
	struct timeval second = { 1, 0 };
	int fd = new_pair(0);

	NEED(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second)) == 0);
	while (send(fd, bytes, SIZE, MSG_DONTWAIT) > 0)
		;
	return fd;
}

int main(void)
{
	struct mmsghdr two[2] = { { .msg_len = 0 } };
	int full = new_full();

	struct iovec iov[2] = { { bytes, SIZE / 2 }, { bytes, SIZE / 2 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	NEED(signal(SIGALRM, count) != SIG_ERR);
	CUT_SHORT(send(new_pair(0), bytes, SIZE, 0));
	CUT_SHORT(sendmsg(new_pair(0), &msg, 0));
	CUT_SHORT(recv(new_pair(0), bytes, SIZE, MSG_WAITALL));
	CUT_SHORT(recvmsg(new_pair(0), &msg, MSG_WAITALL));
	CUT_SHORT(write(new_pipe(), bytes, SIZE));
	CUT_SHORT(writev(new_pipe(), iov, 2));
	CUT_SHORT(recvmmsg(new_datagrams(0), two, 2, 0, NULL));
	CUT_SHORT(send(full, bytes, SIZE, 0));
	return 0;
}
