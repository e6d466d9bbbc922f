/* An answer is a structure of which not all is set: what the stack held before goes out with it. */
#include "victim.h"

struct answer {
	long status;
	char name[120];
};

static NOINLINE void before(void)
{
	void *volatile frames[32];

	for (unsigned i = 0; i < 32; i++)
		frames[i] = (void *)&frames[i];
}

static NOINLINE void answer(void)
{
	struct answer a;

	a.status = 1;
	memcpy(a.name, "guest", 6);
	if (write(1, &a, sizeof(a)) != sizeof(a))
		_exit(1);
}

int main(void)
{
	char request;

	ready("%ld", 0);
	read_all(&request, 1);
	before();
	answer();
	say("\nserved\n");
	return 0;
}
