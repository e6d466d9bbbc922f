/*
 * Log domains.  A message belongs to one domain and is written when the domain is on.  One line each, to one FILE.
 */
#ifndef MV_BASE_LOG_H
#define MV_BASE_LOG_H

#include <stdio.h>

enum {
	MV_LOG_NOTICE = 1 << 0,		/* guarantees that shrink, once per cause; on by default */
	MV_LOG_CALLS = 1 << 1,		/* every call of every variant */
	MV_LOG_PROCESS = 1 << 2,	/* processes and threads: start, exec, end */
	MV_LOG_SIGNAL = 1 << 3,
	MV_LOG_BOOT = 1 << 4,
	MV_LOG_STALL = 1 << 5,		/* every thread's state, when one has work and does not get on */
	MV_LOG_RULES = 1 << 6,		/* at the end: how often each rule for another build was used */
	MV_LOG_ALL = (1 << 7) - 1,
};

/* Where and what; libraries do not call this. */
void mv_log_setup(FILE *out, unsigned domains);
int mv_log_on(unsigned domain);		/* for messages that are costly to make */
void mv_log(unsigned domain, const char *format, ...) __attribute__((format(printf, 2, 3)));
/*
 * Parse a list of notice, calls, process, signal, boot, stall, rules, all, none, e.g. "calls,signal".  Starts from notice; "none"
 * drops what came before it.  0, or -1 with *bad pointing at the unknown name, which ends at a comma or NUL.
 */
int mv_log_parse(const char *list, unsigned *domains, const char **bad);

#endif
