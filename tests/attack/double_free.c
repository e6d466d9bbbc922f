/*
 * A note can be freed twice, and written to after it was freed.  Requests: a = allocate, w = write, f = free, each followed by the
 * number of the note; e = end.
 */
#include "victim.h"

#define SIZE 64

static NOINLINE void served(void)
{
	say("served\n");
}

static struct {
	char text[48];
	void (*done)(void);
	void *more;
} target __attribute__((aligned(64))) = { .text = "the structure that is attacked", .done = served };

int main(void)
{
	static char *notes[16];
	unsigned char request[2];

	notes[15] = malloc(SIZE);
	if (!notes[15])
		return 1;
	memcpy(notes[15], "the first block of the heap", 28);
	ready("%ld", (long)((char *)&target.done - target.text));
	for (;;) {
		char **note;

		read_all(request, sizeof(request));
		note = &notes[request[1] & 7];
		switch (request[0]) {
		case 'a':
			*note = malloc(SIZE);
			break;
		case 'w':
			receive(*note);
			break;
		case 'f':
			free(*note);
			break;
		default:
			target.done();
			return 0;
		}
	}
}
