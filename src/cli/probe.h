/*
 * What this machine allows.  Each probe really does the thing, in a process of its own; nothing on the machine changes.
 */
#ifndef MV_CLI_PROBE_H
#define MV_CLI_PROBE_H

#include <stdbool.h>

struct mv_finding {
	bool ok;
	char found[200];	/* what was found, e.g. "6.1.0" or "unshare: Operation not permitted" */
	char cure[320];		/* set if the probe knows better than the table; else empty */
};

#define MV_NEEDED_BY_PTRACE 1u
#define MV_NEEDED_BY_INPROC 2u
#define MV_NEEDED_BY_ALL 3u

struct mv_probe {
	const char *name;	/* stable, for JSON */
	const char *title;
	unsigned needed_by;	/* front-ends that cannot work without it: MV_NEEDED_BY_ ... */
	void (*probe)(struct mv_finding *f);	/* called in a child process that may do what it likes */
	const char *consequence;	/* when it is missing */
	const char *cure;
};

extern const struct mv_probe mv_probes[];
extern const unsigned mv_nprobes;

/* Run a probe in a child process, for some seconds at most. */
void mv_probe_run(const struct mv_probe *p, struct mv_finding *f);

#endif
