/* Named and abstract unix sockets, accept with and without an address, unlink, connection to nothing. */
#include <sys/un.h>
#include "check.h"

static struct sockaddr_un name = { AF_UNIX, "socket" };

static int client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char c;

	NEED(connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	NEED(write(fd, "c", 1) == 1);
	return read(fd, &c, 1) == 1 && c == 's' ? 0 : 1;
}

int main(void)
{
	struct sockaddr_un peer, me;
	socklen_t len = sizeof(peer);
	struct stat st;
	char c;
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;

	OUTCOME(connect(listener, (struct sockaddr *)&name, sizeof(name)));
	NEED(bind(listener, (struct sockaddr *)&name, sizeof(name)) == 0);
	OUTCOME(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, sizeof(name)));
	NEED(listen(listener, 4) == 0);
	NEED(stat("socket", &st) == 0);
	SHOW(S_ISSOCK(st.st_mode));
	for (int i = 0; i < 2; i++) {
		pid_t pid = spawn(client);

		fd = i ? accept(listener, NULL, NULL) : accept(listener, (struct sockaddr *)&peer, &len);
		NEED(fd >= 0);
		NEED(read(fd, &c, 1) == 1);
		NEED(write(fd, "s", 1) == 1);
		reap("client", pid);
		close(fd);
	}
	SHOW(len);
	SHOW(peer.sun_family == AF_UNIX);
	len = sizeof(me);
	NEED(getsockname(listener, (struct sockaddr *)&me, &len) == 0);
	puts(me.sun_path);
	SHOW(unlink("socket"));
	return 0;
}
