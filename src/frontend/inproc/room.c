/*
 * Room for the monitor under limits of memory: the kernel counts what is mapped for it as the program's.
 */
#include <errno.h>
#include <sys/resource.h>
#include "inproc.h"
#include "supervisor/procmaps.h"

uint64_t in_writable(const struct pt *pt, unsigned variant)
{
	const struct in_image *m = &pt->inproc->images[variant];

	return m->data + m->bss - MON_ENTRIES + MON_HEAP;
}

uint64_t in_mapped(const struct pt *pt, unsigned variant)
{
	return in_writable(pt, variant) + MON_ENTRIES + pt->inproc->images[variant].text + pt->session->options->arena_size;
}

static rlim_t raised(rlim_t limit, rlim_t by)
{
	return limit < RLIM_INFINITY - by ? limit + by : RLIM_INFINITY;
}

static int raise_limit(struct pt_task *t, int resource, const char *option, uint64_t by, struct mv_error *err)
{
	struct rlimit limit;
	int r = mv_proc_limit(t->tid, resource, &limit, err);

	if (r || limit.rlim_cur == RLIM_INFINITY)
		return r;
	limit.rlim_cur = raised(limit.rlim_cur, by);
	limit.rlim_max = raised(limit.rlim_max, by);
	if (prlimit(t->tid, (__rlimit_resource_t)resource, &limit, NULL))
		return mv_error_set(err, errno, "a limit of memory (ulimit %s) leaves no room for the monitor, and cannot be raised: "
				    "raise it before mvarmor starts, or use -f ptrace", option);
	return 0;
}

int in_room(struct pt_task *t, struct mv_error *err)
{
	int r = raise_limit(t, RLIMIT_AS, "-v", in_mapped(t->pt, t->variant), err);

	return r ? r : raise_limit(t, RLIMIT_DATA, "-d", in_writable(t->pt, t->variant), err);
}
