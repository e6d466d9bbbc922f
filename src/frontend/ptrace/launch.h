/*
 * Starting a variant's first process: the part that runs in the child, and the supervisor's part.
 */
#ifndef MV_FRONTEND_PTRACE_LAUNCH_H
#define MV_FRONTEND_PTRACE_LAUNCH_H

#include "pt.h"

int pt_launch_socket(int pair[2]);	/* pair[0] is the supervisor's; 0 or -1 with errno */
_Noreturn void pt_launch_child(struct pt *pt, unsigned variant, int sock);
/* Follow the child on the other end until its program is loaded; consumes sock.  0 or -errno with *err filled. */
int pt_launch_finish(struct pt *pt, unsigned variant, int sock, struct mv_error *err);
/* Give a process that has just executed a program its place: plan the boot, let the agent do it, tell the engine. */
bool pt_boot(struct pt_task *t);

#endif
