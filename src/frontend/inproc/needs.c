#include <cpuid.h>
#include <errno.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include "inproc.h"
#include "needs.h"

#define IMAGE_ROOM (4u << 20)	/* more than the image has */

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

#define OSPKE 0x10		/* cpuid 7, ecx: keys that the kernel has switched on */
#define HWCAP2_FSGSBASE 2

static uint32_t read_pkru(void)
{
	uint32_t pkru, d;

	__asm__ volatile("rdpkru" : "=a"(pkru), "=d"(d) : "c"(0));
	return pkru;
}

int in_needs_keys(struct mv_error *err)
{
	unsigned a, b, c = 0, d;
	int keys[MON_KEY], n = 0, code;

	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(c & OSPKE))
		return mv_error_set(err, ENOSYS, "the processor or the kernel has none");
	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		return mv_error_set(err, ENOSYS, "there are some, but no fsgsbase, by which the monitor knows its threads");
	/* So it is after an exec and in a signal's handler. */
	if ((read_pkru() & MON_KEY_BITS) != MON_KEY_CLOSED)
		return mv_error_set(err, EPERM, "keys are open from the start (x86/init_pkru in debugfs)");
	while (n < MON_KEY && (keys[n] = pkey_alloc(0, PKEY_DISABLE_ACCESS)) >= 0)
		n++;
	code = errno;
	for (int i = 0; i < n; i++)
		pkey_free(keys[i]);
	return n == MON_KEY ? 0 : mv_error_set(err, code, "%d keys", n);
}
