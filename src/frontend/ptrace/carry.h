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

/* ---- rest.c ---- */

#define PT_REST_MS 5000
#define PT_REST_PAUSE_MS 2

enum pt_rest { PT_REST_NOT_YET, PT_REST_ALL, PT_REST_NEVER /* why says who does not */ };
/* Let all threads of the leader's stop for good, and those of variant, one of with, which is to lead. */
enum pt_rest pt_rest(struct pt *pt, unsigned variant, uint32_t with, char why[PT_WHY]);
bool pt_looked_lately(const struct pt *pt);	/* whether they have come to rest */
void pt_rest_over(struct pt *pt);	/* it leads now */

/* ---- carryable.c ---- */

struct pt_stat { int parent, group, session, terminal; };
bool pt_read_stat(pid_t pid, struct pt_stat *s);

/*
 * All of the leader's threads and of the variant's that is about to lead rest.  False if something cannot be carried: why names it, and
 * nothing has been changed.
 */
bool pt_carryable(struct pt *pt, unsigned variant, char why[PT_WHY]);
/* Does somebody of the run get the signals of a descriptor's owner?  The thread or process, or NULL. */
struct f_owner_ex;
struct pt_task *pt_owner(struct pt *pt, const struct f_owner_ex *owner);

/* ---- carry.c ---- */

/* Carry it.  False: why says what failed, and nobody can go on. */
bool pt_carry(struct pt *pt, unsigned variant, char why[PT_WHY]);

/* One thread, for each process of the leader's that is not known yet: the first that has not ended.  NULL after the last. */
struct pt_task *pt_next_process(struct pt *pt, struct pt_task *after);

#endif
