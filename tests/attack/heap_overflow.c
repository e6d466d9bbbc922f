/* A buffer on the heap takes as much as is sent; the next block holds a callback (F) or a flag (D). */
#include "victim.h"

struct session {
	long is_admin;
	void (*done)(void);
};

static NOINLINE void served(void)
{
	say("served\n");
}

int main(void)
{
	char *text = malloc(64);
	struct session *session = malloc(sizeof(*session));

	if (!text || !session)
		return 1;
	*session = (struct session){ .done = served };
	/* What a heap of its own for each variant makes different: nothing that may differ is printed. */
	ready("%ld", 80);
	receive(text);
	if (session->is_admin)
		win();
	session->done();
	return 0;
}
