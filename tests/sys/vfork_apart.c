/*
 * test: turns=shared
 *
 * A clone that suspends its parent, but shares only what was mapped shared: what each child finds there is the same in all variants,
 * whether the parent is suspended or not.
 */
#include <sched.h>
#include <sys/mman.h>
#include "turns.h"

#define CHILDREN 60
#define AT_ONCE 8

static struct shared { atomic_uint made, ran; } *s;

static int child(void *unused)
{
	unsigned found[2];

	(void)unused;
	found[0] = s->made;
	getppid();
	found[1] = s->made;
	tell(found, sizeof(found));
	s->ran++;
	return 0;
}

static void reap_quietly(pid_t pid)
{
	int status;

	NEED(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
	static char stack[16384] __attribute__((aligned(16)));
	pid_t pid[CHILDREN];
	int reaped = 0;

	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	NEED(s != MAP_FAILED);
	for (int i = 0; i < CHILDREN; i++) {
		s->made++;
		NEED((pid[i] = clone(child, stack + sizeof(stack), CLONE_VFORK | SIGCHLD, NULL)) > 0);
		if (i >= AT_ONCE)
			reap_quietly(pid[reaped++]);
	}
	while (reaped < CHILDREN)
		reap_quietly(pid[reaped++]);
	SHOW(s->made);
	SHOW(s->ran);
	return 0;
}
