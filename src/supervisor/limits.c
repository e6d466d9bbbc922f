#include <errno.h>
#include <stddef.h>
#include "supervisor/limits.h"

#define FILES ((rlim_t)65536)		/* where root may have as many as it likes */

static const struct { __rlimit_resource_t resource; rlim_t wanted; } ours[MV_LIMITS] = {
	{ RLIMIT_NOFILE, FILES }, { RLIMIT_FSIZE, RLIM_INFINITY }, { RLIMIT_CPU, RLIM_INFINITY },
};

static void raise_one(__rlimit_resource_t resource, const struct rlimit *found, rlim_t wanted)
{
	struct rlimit more = { wanted, found->rlim_max > wanted ? found->rlim_max : wanted };

	if (found->rlim_cur >= wanted || !setrlimit(resource, &more))
		return;
	more.rlim_cur = more.rlim_max = found->rlim_max;
	setrlimit(resource, &more);
}

int mv_limits_raise(struct mv_limits *limits, size_t room, struct mv_error *err)
{
	struct rlimit now;

	for (unsigned i = 0; i < MV_LIMITS; i++) {
		getrlimit(ours[i].resource, &limits->found[i]);
		raise_one(ours[i].resource, &limits->found[i], ours[i].wanted);
	}
	/* The kernel would not only refuse it but kill us. */
	getrlimit(RLIMIT_FSIZE, &now);
	if (now.rlim_cur >= room)
		return 0;
	mv_limits_restore(limits, 0);
	return mv_error_set(err, EFBIG, "a hard limit for files (ulimit -H -f) leaves no room for an arena of %zu bytes, and cannot be raised", room);
}

int mv_limits_restore(const struct mv_limits *limits, pid_t pid)
{
	for (unsigned i = 0; i < MV_LIMITS; i++)
		if (prlimit(pid, ours[i].resource, &limits->found[i], NULL) && errno != ESRCH)
			return -errno;
	return 0;
}
