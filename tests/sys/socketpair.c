/* Socket pairs of each type, options, shutdown, peer credentials, ioctl FIONREAD. */
#include <sys/ioctl.h>
#include "check.h"

int main(void)
{
	int s[2], n = 0;
	char buf[16] = "";
	struct ucred peer;
	socklen_t len = sizeof(peer);

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	SHOW(write(s[0], "stream", 6));
	SHOW(ioctl(s[1], FIONREAD, &n));
	SHOW(n);
	SHOW(read(s[1], buf, 3));
	SHOW(read(s[1], buf + 3, 13));
	puts(buf);
	NEED(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0);
	SHOW(peer.pid == getpid());
	SHOW(peer.uid == getuid());
	SHOW(len == sizeof(peer));
	SHOW(shutdown(s[0], SHUT_WR));
	SHOW(read(s[1], buf, 16));
	SHOW(write(s[1], "back", 4));
	SHOW(read(s[0], buf, 16));
	NEED(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, s) == 0);
	SHOW(send(s[0], "packet", 6, 0));
	SHOW(send(s[0], "", 0, 0));
	SHOW(recv(s[1], buf, 2, 0));
	SHOW(recv(s[1], buf, 16, 0));
	OUTCOME(recv(s[1], buf, 16, 0));
	OUTCOME(socketpair(AF_INET, SOCK_STREAM, 0, s));
	OUTCOME(socketpair(AF_UNIX, SOCK_STREAM, 0, NULL));
	return 0;
}
