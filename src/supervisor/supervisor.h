/*
 * The supervisor: one run from start to end.
 */
#ifndef MV_SUPERVISOR_SUPERVISOR_H
#define MV_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <multivar/multivar.h>
#include <multivar/policy.h>
#include <multivar/rules.h>
#include "base/error.h"

enum mv_recovery {			/* what a divergence does */
	MV_RECOVER_KILL,		/* ends the run */
	MV_RECOVER_REPORT,		/* as DROP, and the caller is told at the end */
	MV_RECOVER_DROP,		/* ends the follower that disagrees with the leader */
	MV_RECOVER_VOTE,		/* the same, if the leader has a majority with it; needs three variants */
};

#define MV_BUILD_WORDS 16

/* A variant that is another build of the program; path is NULL where it is none. */
struct mv_build {
	char *path;
	char *args[MV_BUILD_WORDS], *env[MV_BUILD_WORDS];	/* before the program's own arguments; NAME=VALUE */
	unsigned nargs, nenv;
	struct mv_rules *rules;		/* of a follower */
};

/* What `mvarmor run` was asked to do.  The caller owns everything it points to. */
struct mv_run_options {
	unsigned variants;		/* 1 .. MV_VARIANTS_MAX */
	const char *frontend;		/* "auto", "inproc", "ptrace" */
	const struct mv_policy *policy;
	enum mv_layout_mode layout;
	bool turns;			/* the threads of a process run one at a time, */
	bool turns_shared;		/* ... and those of processes that share memory, */
	bool turns_all;			/* ... and of all processes */
	bool parallel;			/* they run at once, in the order that libmvsync keeps */
	bool same_at_random;		/* do not give each variant its own AT_RANDOM */
	bool own_random;		/* leave libraries the random generators that they have */
	bool no_keys;			/* no protection key for monitors */
	enum mv_heap_mode heap;
	const char *preload;		/* absolute paths of our libraries that heap and parallel need, with colons between; or NULL */
	unsigned slab_max, slab_pad;	/* objects, bytes */
	bool heap_fill;
	enum mv_recovery recovery;
	struct mv_build builds[MV_VARIANTS_MAX];
	bool have_seed;
	uint64_t seed;			/* layouts and keys derive from it */
	size_t arena_size;		/* bytes */
	unsigned ring_records;		/* power of two */
	unsigned deadline_ms;		/* how long a follower may stay behind asleep, or compute longer than the leader; 0 = for ever */
	const char *report_path;	/* NULL: none; ".json" at the end: JSON, else text.  Later ones get a number */
	unsigned reports_before;	/* by earlier runs to the same path */
	FILE *log;			/* messages and reports; never NULL */
	bool colour;
	unsigned log_domains;		/* MV_LOG_* of base/log.h */
	char *const *argv;		/* program and its arguments, NULL-terminated */
	char *const *envp;
};

enum mv_outcome_kind {
	MV_OUTCOME_EXITED,		/* the leader's first process exited: status */
	MV_OUTCOME_SIGNALED,		/* it died by a signal: status is the signal, core says whether it dumped */
	MV_OUTCOME_DIVERGENCE,
	MV_OUTCOME_UNSUPPORTED,
	MV_OUTCOME_FAILED,		/* ours, see err */
};

struct mv_outcome {
	enum mv_outcome_kind kind;
	int status;
	bool core;
	unsigned divergences;		/* the one that ended the run, if any, and those it has gone on after */
	unsigned reports;		/* written to report_path, or tried to */
	bool research;			/* MV_RECOVER_REPORT: the exit status is to tell of divergences */
	unsigned restarts;		/* set by the caller */
	bool told_to_end;		/* by SIGINT, SIGQUIT or SIGTERM, which the program got */
	char line[512];			/* DIVERGENCE, UNSUPPORTED: the first line of the report */
};

/*
 * Run it to its end.  Fills *outcome; returns 0, or -errno with *err filled and outcome->kind == MV_OUTCOME_FAILED
 * (err->status says the exit status: 127 program not found, 126 not executable, else 125).  When it returns, no process
 * of the run is left.  Changes the caller's signal handlers while it runs; uses the calling thread only.
 */
int mv_supervise(const struct mv_run_options *options, struct mv_outcome *outcome, struct mv_error *err);

#endif
