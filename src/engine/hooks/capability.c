/* capget, capset: the first version of their header has room for one element, the others for two. */
#include <linux/capability.h>
#include "engine/internal.h"

enum { HEADER_OUT, DATA_OUT };

static uint64_t size_of_data(struct mv_thread *t)
{
	uint32_t version = 0;

	mv_peek_all(t, t->call.args[0], &version, sizeof(version));
	return (version == _LINUX_CAPABILITY_VERSION_1 ? _LINUX_CAPABILITY_U32S_1 : _LINUX_CAPABILITY_U32S_3) *
	       sizeof(struct __user_cap_data_struct);
}

static void collect(struct mv_thread *t)
{
	if (t->ndests > DATA_OUT)
		t->dests[DATA_OUT].used = size_of_data(t);
}

const struct mv_hook mv_hook_capget = { .collect = collect };

/* What cannot be read is what the kernel will not read either. */
static void normalise(struct mv_thread *t)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint64_t size = size_of_data(t);

	if (mv_peek_all(t, t->call.args[1], data, size))
		mv_blob_put(t->blob, data, size, t->run->config.seed);
}

const struct mv_hook mv_hook_capset = { .normalise = normalise };
