/* A buffer on the heap takes as much as is sent; the next block is an object that begins with a pointer to its class's functions. */
#include "victim.h"

struct object;

struct class {
	void (*destroy)(struct object *o);
	void (*greet)(struct object *o);
};

struct object {
	const struct class *class;
	char name[24];
};

static NOINLINE void destroy(struct object *o)
{
	free(o);
}

static NOINLINE void greet(struct object *o)
{
	say(o->name);
}

static const struct class person = { destroy, greet };

int main(void)
{
	char *text = malloc(64);
	struct object *o = malloc(sizeof(*o));

	if (!text || !o)
		return 1;
	strcpy(text, "the buffer on the heap");
	*o = (struct object){ &person, "served\n" };
	ready("%ld", 80);
	receive(text);
	o->class->greet(o);
	o->class->destroy(o);
	return 0;
}
