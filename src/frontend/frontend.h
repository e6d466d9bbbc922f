/*
 * What every front-end is: a way to run one session to its end.
 */
#ifndef MV_FRONTEND_FRONTEND_H
#define MV_FRONTEND_FRONTEND_H

#include <multivar/multivar.h>
#include "base/error.h"
#include "supervisor/limits.h"
#include "supervisor/report.h"
#include "supervisor/supervisor.h"

/* One run, as supervise.c hands it to a front-end. */
struct mv_session {
	const struct mv_run_options *options;
	struct mv_run *run;
	struct mv_outcome *outcome;	/* how the leader's first process ended: set by the front-end */
	struct mv_report report;	/* when the run got a verdict: the front-end adds snapshots */
	/* The run goes on without a follower: report is filled; tells it and empties it. */
	void (*tell)(struct mv_session *session);
	const char *path;		/* the program, found along PATH */
	struct mv_limits limits;	/* that we had, for variants before the program's first instruction */
	int arena;			/* memfd of the arena, whose first bytes the run's are; the front-end may append to it */
	void *arena_at;			/* where it is mapped here */
};

struct mv_frontend {
	const char *name;
	/*
	 * What this machine and its settings lack for it beyond what every front-end needs: 0, or negative with *err filled.
	 * Cheap, for the beginning of every run.  NULL: nothing.
	 */
	int (*lacks)(const struct mv_run_options *options, struct mv_error *err);
	/*
	 * Start the variants, drive them until nothing is left or the run has a verdict, kill what is left.  0, or -errno
	 * with *err filled when the run could not start or go on.
	 */
	int (*run)(struct mv_session *session, struct mv_error *err);
};

extern const struct mv_frontend mv_frontend_ptrace, mv_frontend_inproc;

#endif
