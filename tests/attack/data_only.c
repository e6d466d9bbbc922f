/* A text takes as much as is sent; behind it lie a flag and a pointer to what is answered.  No code pointer is near. */
#include "victim.h"

static char secret[] = "PWNED: what nobody should read";

static struct {
	char text[64];
	long is_admin;
	const char *answer;
} entry = { .answer = "served\n" };

int main(void)
{
	ready("%ld", (long)((char *)&entry.is_admin - entry.text));
	receive(entry.text);
	if (entry.is_admin)
		say(secret);
	else
		say(entry.answer);
	return 0;
}
