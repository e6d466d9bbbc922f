/*
 * A guest book on a loopback port, with two bugs that real servers have had.  Never run it where others can reach it.
 *
 * A request is a letter, a length (two bytes, big endian), and that many bytes of text:
 *
 *	E	echo: answers with as many bytes as the length says, after reading only what the client sent (Heartbleed)
 *	S	sign: stores that many bytes in an entry that has room for 64, and calls the entry's function on it
 *
 * Together they are enough for an exploit (exploit.py): the first tells where libc is, the second puts the address of a
 * function of libc over the entry's.  The server itself never starts a program.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct entry {
	char text[64];
	int (*show)(const char *text);
};

/* Read exactly len bytes; 0 at the end of the conversation. */
static int read_all(void *buf, size_t len)
{
	for (size_t have = 0; have < len;) {
		ssize_t n = read(STDIN_FILENO, (char *)buf + have, len - have);

		if (n <= 0)
			return 0;
		have += n;
	}
	return 1;
}

/* One guest: standard input and output are the connection. */
static void serve(void)
{
	struct entry entry = { .show = puts };
	uint8_t head[3];

	while (read_all(head, sizeof(head))) {
		size_t len = (size_t)head[1] << 8 | head[2];

		switch (head[0]) {
		case 'E':
			/* Bug: the client says how long its text is; the answer believes it. */
			if (read(STDIN_FILENO, entry.text, sizeof(entry.text)) <= 0)
				return;
			if (write(STDOUT_FILENO, &entry, len < sizeof(entry) ? len : sizeof(entry)) < 0)
				return;
			break;
		case 'S':
			/* Bug: the entry has room for 64 bytes. */
			if (!read_all(&entry, len < sizeof(entry) ? len : sizeof(entry)))
				return;
			entry.show(entry.text);
			fflush(stdout);
			break;
		default:
			return;
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t address_len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc > 2) {
		fprintf(stderr, "usage: guestbook [PORT]\n");
		return 2;
	}
	address.sin_port = htons((uint16_t)(argc == 2 ? atoi(argv[1]) : 0));
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 8) ||
	    getsockname(listener, (struct sockaddr *)&address, &address_len)) {
		perror("guestbook");
		return 1;
	}
	signal(SIGCHLD, SIG_IGN);
	printf("guestbook: process %d listens on port %d\n", getpid(), ntohs(address.sin_port));
	fflush(stdout);

	for (;;) {
		int guest = accept(listener, NULL, NULL);

		if (guest < 0) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			perror("guestbook: accept");
			return 1;
		}
		switch (fork()) {
		case -1:
			perror("guestbook: fork");
			break;
		case 0:
			signal(SIGCHLD, SIG_DFL);
			dup2(guest, STDIN_FILENO);
			dup2(guest, STDOUT_FILENO);
			close(guest);
			serve();
			_exit(0);
		}
		close(guest);
	}
}
