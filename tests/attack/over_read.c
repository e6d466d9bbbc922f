/*
 * Heartbleed: the answer is as long as the request says it was.  The block it lies in held something before (s: a key, p: a session
 * with a pointer).
 */
#include "victim.h"

int main(void)
{
	struct { char key[32]; void *self; char more[88]; } *session = malloc(sizeof(*session));
	unsigned char length;
	char kind, *answer;

	ready("%ld", (long)sizeof(*session));
	if (!session)
		return 1;
	read_all(&kind, 1);
	memset(session, 0, sizeof(*session));
	memcpy(session->more, "key of the last guest: 0451", 28);
	if (kind == 'p')
		session->self = session;
	free(session);
	answer = malloc(sizeof(*session));
	if (!answer)
		return 1;
	read_all(&length, 1);
	receive(answer);
	if (write(1, answer, length) != length)
		return 1;
	say("\nserved\n");
	return 0;
}
