/*
 * ioctl requests without a row of their own: the request number says how much goes in and out, if it was made by the rules.
 */
#include "engine/internal.h"

static unsigned size_of(uint64_t request)
{
	return request >> 16 & 0x3fff;
}

static bool goes_in(uint64_t request)
{
	return request >> 30 & 1;
}

static bool comes_out(uint64_t request)
{
	return request >> 30 & 2;
}

static int prepare(struct mv_thread *t)
{
	uint64_t request = (uint32_t)t->call.args[1];
	unsigned type = request >> 8 & 0xff;

	/* Terminals, sockets and wireless predate the rules. */
	if (type == 0x54 || type == 0x89 || type == 0x8b || !size_of(request) || !(goes_in(request) || comes_out(request)))
		return MV_UNSUPPORTED;
	return 0;
}

static void normalise(struct mv_thread *t)
{
	uint64_t request = (uint32_t)t->call.args[1];

	if (goes_in(request))
		mv_gather_memory(t, 2, t->call.args[2], size_of(request));
	if (comes_out(request) && t->call.args[2])
		mv_dest_add(t, t->call.args[2], size_of(request), MV_OPERAND_HOOK, MV_PART_WHOLE, 0);
}

const struct mv_hook mv_hook_ioctl = { .prepare = prepare, .normalise = normalise };
