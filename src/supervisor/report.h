/*
 * Reports: what there is to say when a run ends otherwise than by its program's own end.
 *
 * Order of things: the run is stopped; mv_snapshot_take() of every thread that matters while it still exists; everything is
 * killed; then the report is rendered.  Text and JSON come from the same struct.
 */
#ifndef MV_SUPERVISOR_REPORT_H
#define MV_SUPERVISOR_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/user.h>
#include <multivar/multivar.h>
#include "base/error.h"

#define MV_HISTORY_MAX 16
#define MV_FRAMES_MAX 64

struct mv_frame {
	uint64_t pc;
	char *symbol;		/* may be NULL; malloc()ed */
	uint64_t offset;	/* from symbol */
	char *module;		/* file name of the mapping, may be NULL; malloc()ed */
	uint64_t module_offset;	/* file offset inside it */
};

struct mv_region {		/* one line of /proc/PID/maps */
	uint64_t start, end;
	char perms[5];
	uint64_t offset;
	char *name;		/* may be NULL; malloc()ed */
};

/* One variant's thread as it was. */
struct mv_snapshot {
	unsigned variant;
	pid_t host_tid;
	uint32_t tid;			/* as the program sees it */
	char program[256];
	struct user_regs_struct regs;
	unsigned nhistory;
	struct mv_history history[MV_HISTORY_MAX];	/* oldest first */
	char history_name[MV_HISTORY_MAX][48];
	unsigned nframes;
	struct mv_frame frames[MV_FRAMES_MAX];
	unsigned nregions;
	struct mv_region *regions;	/* malloc()ed */
};

struct mv_report {
	char *command;			/* what was run, for display */
	char policy[64];
	unsigned variants;
	unsigned number;		/* of this divergence in the run, from 1; 0: the run does not go on after divergences */
	unsigned leader;		/* the variant that leads, or did */
	bool dropped;			/* the run goes on without the variant */
	bool succeeded;			/* ... without the leader: the variant of the verdict leads now */
	struct mv_verdict verdict;
	char *words;			/* MV_DIFF_REPORT: what the variant wrote, malloc()ed; else NULL */
	char *rules;			/* lines about the rules of other builds and how often each was used, malloc()ed; NULL: none */
	const char *hint;		/* mv_verdict_hint() */
	bool leader_call_gone;		/* not among the leader's last calls: verdict.leader_call is as it was compared */
	unsigned nsnapshots;
	struct mv_snapshot *snapshots;	/* malloc()ed; the leader's first */
};

/*
 * Look at stopped (ptrace) thread host_tid: registers, backtrace with symbols, regions, program.  Best effort: what cannot
 * be read is left out.  rename, if not NULL, puts right what the mappings are called.  The caller fills variant, tid and history.
 * Always returns 0.
 */
struct mv_maps;
int mv_snapshot_take(pid_t host_tid, void (*rename)(void *ctx, struct mv_maps *maps), void *ctx, struct mv_snapshot *out);
void mv_snapshot_free(struct mv_snapshot *s);
void mv_report_free(struct mv_report *r);	/* frees what it points to, not r */

/* The mapping an address lies in, or NULL; s may be NULL. */
const struct mv_region *mv_region_at(const struct mv_snapshot *s, uint64_t address);
/* The thread of a variant that the verdict is about, else any of its threads, else NULL. */
const struct mv_snapshot *mv_report_snapshot(const struct mv_report *r, unsigned variant);

/* A pointer among what differs. */
struct mv_pointer {
	unsigned arg;
	bool is_arg;			/* the argument itself */
	uint64_t offset;		/* else: where its bytes begin behind the argument */
	bool digits;			/* printed, not as it is in memory */
	uint64_t leader, variant;
	const struct mv_region *leader_region, *variant_region;	/* the leader's is NULL where it was not looked at */
};

#define MV_POINTERS_MAX 16

/* Finds up to max of them among the bytes of the verdict that are known, first ones first; how many. */
unsigned mv_report_pointers(const struct mv_report *r, struct mv_pointer *out, unsigned max);

/* The whole report as text (first line first); colour if colour is true. */
void mv_report_text(FILE *out, const struct mv_report *r, bool colour);
/* The same as one JSON object (documented in docs/report-format.md).  0 or -errno. */
int mv_report_json(FILE *out, const struct mv_report *r);

#endif
