/*
 * What the kernel does with all of a process's memory it does with what is mapped for the monitor, too.  Limits: the kernel's is
 * that much more than the program's; the supervisor has raised those that a program starts with.  Locking: not of a gigabyte
 * of heap that is hardly used.
 */
#include "monitor/monitor.h"

#define NR_GETPID 39
#define NR_GETRLIMIT 97
#define NR_MUNLOCK 150
#define NR_MLOCKALL 151
#define NR_SETRLIMIT 160
#define NR_PRLIMIT64 302
#define RLIMIT_DATA_ 2
#define RLIMIT_AS_ 9
#define MCL_CURRENT_ 1
#define MCL_FUTURE_ 2
#define MCL_ONFAULT_ 4
#define INFINITE (~(uint64_t)0)

struct limit { uint64_t soft, hard; };

static uint64_t raised(uint64_t limit, uint64_t by)
{
	return limit < INFINITE - by ? limit + by : INFINITE;
}

static uint64_t shown(uint64_t limit, uint64_t by)
{
	return limit == INFINITE ? limit : limit > by ? limit - by : 0;
}

bool mon_limit(const struct mv_call *c, int64_t *result)
{
	bool any = c->nr == NR_PRLIMIT64, gets = c->nr == NR_GETRLIMIT || (any && c->args[3]);
	bool sets = c->nr == NR_SETRLIMIT || (any && c->args[2]);
	uint32_t resource = (uint32_t)c->args[any];
	uint64_t by = resource == RLIMIT_AS_ ? mon_boot.mapped : mon_boot.writable;
	struct limit new, old;
	int32_t pid = any ? (int32_t)c->args[0] : 0;

	if ((!gets && !sets) || (resource != RLIMIT_AS_ && resource != RLIMIT_DATA_))
		return false;
	if (pid && pid != mon_kernel(NR_GETPID, 0, 0, 0, 0, 0))
		return false;
	if (sets && mon_peek(NULL, c->args[any ? 2 : 1], &new, sizeof(new)) != sizeof(new)) {
		*result = -EFAULT;
		return true;
	}
	new.soft = sets ? raised(new.soft, by) : 0;
	new.hard = sets ? raised(new.hard, by) : 0;
	*result = mon_kernel(NR_PRLIMIT64, 0, resource, sets ? (uint64_t)&new : 0, gets ? (uint64_t)&old : 0, 0);
	if (*result || !gets)
		return true;
	old.soft = shown(old.soft, by);
	old.hard = shown(old.hard, by);
	if (mon_poke(NULL, c->args[any ? 3 : 1], &old, sizeof(old)) != sizeof(old))
		*result = -EFAULT;
	return true;
}

bool mon_lock_all(const struct mv_call *c, int64_t *result)
{
	uint32_t flags = (uint32_t)c->args[0];

	if (c->nr != NR_MLOCKALL || !(flags & MCL_CURRENT_) || flags & ~(MCL_CURRENT_ | MCL_FUTURE_ | MCL_ONFAULT_))
		return false;
	/* Pages that are there are locked, others when they are used: nothing of the monitor's becomes memory by this. */
	*result = mon_kernel(NR_MLOCKALL, MCL_CURRENT_ | MCL_ONFAULT_, 0, 0, 0, 0);
	if (*result)
		return true;
	mon_over_area(NR_MUNLOCK);
	if (flags & MCL_FUTURE_)
		*result = mon_kernel(NR_MLOCKALL, flags & ~MCL_CURRENT_, 0, 0, 0, 0);
	return true;
}
