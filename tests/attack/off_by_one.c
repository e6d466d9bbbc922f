/* One byte too many is stored: it is the lowest one of a pointer to the methods. */
#include "victim.h"

static NOINLINE void served(void)
{
	say("served\n");
}

struct methods {
	void (*done)(void);
	void (*more)(void);
};

static struct {
	char notes[256 - 64 - sizeof(struct methods)];
	struct methods methods;
	char text[64 - 16];
	struct methods *use;
	long more;
} entry __attribute__((aligned(256)));

int main(void)
{
	entry.methods.done = served;
	entry.use = &entry.methods;
	ready("%ld", (long)sizeof(entry.text));
	receive(entry.notes);
	for (unsigned i = 0; i <= sizeof(entry.text); i++)
		read_all(&entry.text[i], 1);
	entry.use->done();
	return 0;
}
