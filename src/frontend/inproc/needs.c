#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include "inproc.h"
#include "needs.h"

#define IMAGE_ROOM (1u << 20)	/* more than the image has */

int in_needs_code(struct mv_error *err)
{
	int fd = memfd_create("mvarmor-probe", MFD_CLOEXEC), code = 0;
	void *p = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, 4096))
		p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		code = errno;
	else
		munmap(p, 4096);
	if (fd >= 0)
		close(fd);
	return code ? mv_error_set(err, code, "memory files cannot be mapped executable") : 0;
}

/* A soft limit can be raised up to the hard one, that one by a privilege: try. */
static int needs_limit(int resource, const char *option, rlim_t by, struct mv_error *err)
{
	struct rlimit now, more;

	if (getrlimit((__rlimit_resource_t)resource, &now))
		return mv_error_set(err, errno, "cannot read limits");
	if (now.rlim_max == RLIM_INFINITY)
		return 0;
	more = now;
	more.rlim_max = now.rlim_max < RLIM_INFINITY - by ? now.rlim_max + by : RLIM_INFINITY;
	if (setrlimit((__rlimit_resource_t)resource, &more))
		return mv_error_set(err, errno, "the hard limit of memory (ulimit -H %s) leaves no room for the monitor, and cannot be "
				    "raised", option);
	return setrlimit((__rlimit_resource_t)resource, &now) ? mv_error_set(err, errno, "cannot set limits") : 0;
}

int in_needs_room(uint64_t arena_size, struct mv_error *err)
{
	int r = needs_limit(RLIMIT_AS, "-v", MON_HEAP + IMAGE_ROOM + arena_size, err);

	return r ? r : needs_limit(RLIMIT_DATA, "-d", MON_HEAP + IMAGE_ROOM, err);
}
