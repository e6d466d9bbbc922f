/* A reply is sent that is longer than what was put into it: the rest is what an earlier owner of the memory has left. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE 200

int main(void)
{
	char *volatile p = malloc(SIZE), *volatile reply;

	memset(p, 'x', SIZE);
	strcpy(p + 100, "the secret\n");
	free(p);
	reply = malloc(SIZE);
	memcpy(reply, "reply ", 6);
	return write(STDOUT_FILENO, reply + 100, 11) != 11;
}
