/* UDP over loopback: addresses, truncation, connected sockets, time-outs. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include "check.h"

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET }, from;
	socklen_t len = sizeof(a);
	struct timeval tv = { 0, 30000 };
	char buf[16] = "";
	int r = socket(AF_INET, SOCK_DGRAM, 0), s = socket(AF_INET, SOCK_DGRAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	NEED(bind(r, (struct sockaddr *)&a, len) == 0);
	NEED(getsockname(r, (struct sockaddr *)&a, &len) == 0);
	SHOW(sendto(s, "datagram", 8, 0, (struct sockaddr *)&a, len));
	len = sizeof(from);
	SHOW(recvfrom(r, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len));
	puts(buf);
	SHOW(len);
	SHOW(from.sin_addr.s_addr == a.sin_addr.s_addr);
	NEED(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0);
	SHOW(send(s, "0123456789", 10, 0));
	SHOW(recvfrom(r, buf, 4, MSG_TRUNC, NULL, NULL));
	SHOW(sendto(r, "answer", 6, 0, (struct sockaddr *)&from, sizeof(from)));
	SHOW(recv(s, buf, sizeof(buf), 0));
	NEED(setsockopt(r, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	OUTCOME(recv(r, buf, sizeof(buf), 0));
	SHOW(send(s, "", 0, 0));
	SHOW(recv(r, buf, sizeof(buf), 0));
	return 0;
}
