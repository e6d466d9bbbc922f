/* A session is freed when it is closed (the first lump), and used again for the last one; between them a note is stored. */
#include "victim.h"

struct session {
	char name[24];
	void (*done)(void);
};

static NOINLINE void served(void)
{
	say("served\n");
}

int main(void)
{
	struct session *session = malloc(sizeof(*session));
	char *note;

	if (!session)
		return 1;
	session->done = served;
	ready("%ld", (long)offsetof(struct session, done));
	receive(session->name);
	free(session);
	note = malloc(sizeof(*session));
	if (!note)
		return 1;
	receive(note);
	session->done();
	return 0;
}
