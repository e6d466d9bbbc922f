/*
 * Looks at the clock, which every program makes that has no vDSO.  The kernel tells the supervisor what it would tell the
 * program (there are no time namespaces between them), so the stop at the call's exit can be saved.
 */
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "pt.h"

static bool same_for_all(uint64_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		return true;
	default:
		return false;	/* CPU time, devices */
	}
}

bool pt_answer(struct pt_task *t, const struct mv_call *call)
{
	const uint64_t *args = call->args;
	struct timespec now;
	struct timeval day;

	switch (call->nr) {
	case SYS_clock_gettime:
		return same_for_all(args[0]) && !syscall(SYS_clock_gettime, args[0], &now) &&
		       pt_poke(t, args[1], &now, sizeof(now)) == sizeof(now);
	case SYS_gettimeofday:
		return args[0] && !args[1] && !syscall(SYS_gettimeofday, &day, NULL) &&
		       pt_poke(t, args[0], &day, sizeof(day)) == sizeof(day);
	default:
		return false;
	}
}
