/* What the files with probes share. */
#ifndef MV_CLI_PROBE_INTERNAL_H
#define MV_CLI_PROBE_INTERNAL_H

#include <sys/types.h>
#include "cli/probe.h"

/* Fill ok and found. */
void mv_probe_say(struct mv_finding *f, bool ok, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Not ok: what, and what errno says. */
void mv_probe_say_errno(struct mv_finding *f, const char *what);
/* The number in a file of /proc/sys, or fallback when there is no such file. */
long mv_probe_read_number(const char *path, long fallback);
/* fork(): a child that dies with its parent. */
pid_t mv_probe_fork(void);

/* probe_trace.c */
void mv_probe_ptrace(struct mv_finding *f);
void mv_probe_seccomp_trace(struct mv_finding *f);
void mv_probe_notify(struct mv_finding *f);

/* probe_inproc.c */
void mv_probe_memory_code(struct mv_finding *f);
void mv_probe_memory_room(struct mv_finding *f);
void mv_probe_seccomp_place(struct mv_finding *f);
void mv_probe_gs(struct mv_finding *f);
void mv_probe_text_write(struct mv_finding *f);
void mv_probe_mseal(struct mv_finding *f);
void mv_probe_pkeys(struct mv_finding *f);

/* probe_namespace.c */
void mv_probe_pid_namespace(struct mv_finding *f);
void mv_probe_last_pid(struct mv_finding *f);
void mv_probe_set_tid(struct mv_finding *f);

#endif
