/*
 * A buffer on the stack takes as much as is sent.  Built without stack protector, as programs were for long; store is room that
 * an attacker may fill before (a request kept for later).
 */
#include "victim.h"

char store[16384] __attribute__((aligned(4096)));

static NOINLINE void serve(void)
{
	char text[64] = "the buffer on the stack";

	ready("%ld", (char *)__builtin_frame_address(0) + 8 - text);
	receive(store);
	receive(text);
}

int main(void)
{
	serve();
	say("served\n");
	return 0;
}
