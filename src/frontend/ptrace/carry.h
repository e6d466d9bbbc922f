/*
 * What a process of the leader's has in the kernel and its twin has not, on its way to the twin, which is about to lead.
 */
#ifndef MV_FRONTEND_PTRACE_CARRY_H
#define MV_FRONTEND_PTRACE_CARRY_H

#include "pt.h"

bool pt_cannot(char why[PT_WHY], const char *format, ...) __attribute__((format(printf, 2, 3)));	/* false */

/* ---- openfd.c ---- */

#define PT_FD_LINK 80

struct pt_open_fd {
	int n;
	bool own;		/* the follower's is no stand-in for the leader's */
	bool cloexec;		/* in the follower */
	char what[PT_FD_LINK];	/* what the leader's link says */
};

struct pt_open_fds {
	struct pt_open_fd *v;	/* to be freed */
	unsigned count;
};

void pt_fd_link(pid_t pid, int n, char out[PT_FD_LINK]);
void pt_open_list(pid_t pid, struct pt_open_fds *out);	/* the numbers only */
/* The leader's, with what the follower has in their places; false if they have not the same ones. */
bool pt_open_both(pid_t from, pid_t to, struct pt_open_fds *out, char why[PT_WHY]);
int pt_take_fd(struct pt_task *from, int n);	/* a descriptor of ours, or -1 and errno */

/* ---- carryable.c ---- */

struct pt_stat { int parent, group, session, terminal; };
bool pt_read_stat(pid_t pid, struct pt_stat *s);

/*
 * Both are stopped for good: from, a thread of the leader's, anywhere; to, its twin, at a call.  False if something cannot be carried:
 * why names it, and nothing has been changed.
 */
bool pt_carryable(struct pt_task *from, struct pt_task *to, char why[PT_WHY]);
/* Carry it.  False: why says what failed, and neither process can go on. */
bool pt_carry(struct pt_task *from, struct pt_task *to, char why[PT_WHY]);

#endif
