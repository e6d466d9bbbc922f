/*
 * mvarmor run --restart: the program again after a divergence has ended it.
 *
 * A signal to mvarmor between two runs ends it as it would end any process.  While the program runs it is sent on, and one
 * that asks for the end is the last word even if a divergence came first.
 */
#include <time.h>
#include "base/log.h"
#include "cli/cli.h"

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 30000
#define HEALTHY_S 60		/* a run that lasts that long makes the next pause the shortest again */

static void pause_ms(unsigned ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	while (nanosleep(&left, &left))
		;
}

static bool again(const struct mv_outcome *outcome, unsigned restarts, unsigned max)
{
	return outcome->kind == MV_OUTCOME_DIVERGENCE && !outcome->told_to_end && restarts < max;
}

int mv_run_restarting(struct mv_run_options *options, unsigned max, struct mv_outcome *outcome, struct mv_error *err)
{
	unsigned ms = PAUSE_MIN_MS, divergences = 0, restarts = 0;
	struct timespec begin, end;

	for (;;) {
		int result;

		clock_gettime(CLOCK_MONOTONIC, &begin);
		result = mv_supervise(options, outcome, err);
		clock_gettime(CLOCK_MONOTONIC, &end);
		divergences += outcome->divergences;
		options->reports_before += outcome->reports;
		if (!again(outcome, restarts, max)) {
			if (outcome->kind == MV_OUTCOME_DIVERGENCE && max)
				mv_log(MV_LOG_NOTICE, "no restart: %s", outcome->told_to_end ? "a signal has asked for the end" :
				       "that was the last one allowed");
			outcome->divergences = divergences;
			outcome->restarts = restarts;
			return result;
		}
		if (end.tv_sec - begin.tv_sec >= HEALTHY_S)
			ms = PAUSE_MIN_MS;
		restarts++;
		mv_log(MV_LOG_NOTICE, "restart %u of the program in %u.%u s", restarts, ms / 1000, ms % 1000 / 100);
		pause_ms(ms);
		ms = ms * 2 < PAUSE_MAX_MS ? ms * 2 : PAUSE_MAX_MS;
		/* Equal layouts would let the attack go on where it was stopped. */
		options->seed++;
	}
}
