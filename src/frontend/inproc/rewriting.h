/* What patch.c and text.c share: plans by file, and what of them is in a process. */
#ifndef MV_FRONTEND_INPROC_REWRITING_H
#define MV_FRONTEND_INPROC_REWRITING_H

#include "inproc.h"
#include "rewrite/shared.h"
#include "rewrite/slots.h"

/* A file's text, rewritten. */
struct in_text {
	struct in_text *next;
	struct mv_shared shared;
	int fd;				/* memfd, sealed: the text and the trampolines behind it */
	uint64_t inode;			/* its */
	int file;			/* the file itself */
	char *device, *path;		/* as /proc/PID/maps shows mappings of it; NULL = not asked yet */
};

struct in_plan {
	UT_hash_handle hh;
	struct in_key { uint64_t device, inode, size, time; } key;
	struct mv_plan plan;		/* no sites: nothing can be done with that file */
	struct in_text *text;		/* NULL = none */
	bool tried;			/* it was asked for: there will be no other */
};

struct patch {
	uint64_t at, slot;
	const struct mv_site *site;
};

#define IN_TEXTS_MAX 256		/* in a process; more stay as they are in their files */

struct in_process {
	struct mv_slots slots;
	struct patch *patches;
	unsigned npatches, room;
	struct in_loaded { uint64_t at; struct in_text *text; } *texts;	/* address of the text, wherever it was mapped first */
	unsigned ntexts;
	unsigned stops, limit;
	unsigned long stopped;		/* calls, since its program began */
	bool borrowed;			/* its memory is its parent's */
	bool grown;			/* code was mapped since it was rewritten */
};

struct in_process *in_process_of(struct pt_task *t);	/* NULL without memory */
/* What tells the file fd, if it is a regular one, and its state. */
bool in_key_of(int fd, struct in_key *key);
/* Its plan; without sites if it has none. */
void in_plan_read(int fd, struct mv_plan *plan);
/* Its text that is mapped from offset on, rewritten by that plan, which must live longer; the caller's, or NULL. */
struct in_text *in_text_make(const struct mv_plan *plan, int fd, uint64_t offset, uint64_t size, uint64_t seed);
void in_text_discard(struct in_text *text);
void in_text_keep(struct pt *pt, struct in_text *text);	/* it is the run's from now on */
/* Was the plan of p->key made ahead (ahead.c)?  It is in p then, and the text if there is one. */
bool in_ahead_take(struct pt *pt, struct in_plan *p);
/* The plan of a file, or NULL.  Once made it stays. */
struct in_plan *in_plan_of(struct pt *pt, int fd);
/* What is mapped from addr to end in thread tid, as a descriptor of a regular file; name is its path; or -1. */
int in_open_mapped(pid_t tid, uint64_t start, uint64_t end, const char *name);

#endif
