/*
 * What a process of the leader's has in the kernel and its twin has not, on its way to the twin, which is about to lead.
 */
#ifndef MV_FRONTEND_PTRACE_CARRY_H
#define MV_FRONTEND_PTRACE_CARRY_H

#include "pt.h"

/*
 * Both are stopped for good: from, a thread of the leader's, anywhere; to, its twin, at a call.  False if something cannot be carried:
 * why names it, and nothing has been changed.
 */
bool pt_carryable(struct pt_task *from, struct pt_task *to, char why[PT_WHY]);
/* Carry it.  False: why says what failed, and neither process can go on. */
bool pt_carry(struct pt_task *from, struct pt_task *to, char why[PT_WHY]);

#endif
