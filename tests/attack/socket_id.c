/* Clients on the network are told an object's number, which is its address.  The rest of the ready line is the port. */
#include <netinet/in.h>
#include <sys/socket.h>
#include "victim.h"

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct { uint32_t length, kind; void *id; } answer = { sizeof(answer), 1, NULL };
	socklen_t size = sizeof(address);
	int s = socket(AF_INET, SOCK_STREAM, 0), client;
	char request;

	answer.id = malloc(100);
	if (s < 0 || bind(s, (struct sockaddr *)&address, size) || listen(s, 1) || getsockname(s, (struct sockaddr *)&address, &size))
		return 1;
	ready("%ld", ntohs(address.sin_port));
	client = accept(s, NULL, NULL);
	if (client < 0 || recv(client, &request, 1, 0) != 1 || send(client, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
		return 1;
	return 0;
}
