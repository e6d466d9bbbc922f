/*
 * The descriptors of one process of one variant, as far as the engine must know them: what kind they are, which are local
 * to the variant, which were exported to followers; and what the program registered with its epoll descriptors.
 * Entries are set when a descriptor is made; a closed one keeps a stale entry that nothing can reach.
 */
#ifndef MV_ENGINE_FDS_H
#define MV_ENGINE_FDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <multivar/multivar.h>

enum {
	MV_FD_TWIN = 1,		/* every variant has its own, used alike by all (memfd) */
	MV_FD_OWN = 2,		/* every variant has its own, contents differ: calls on it stay out of the stream */
	MV_FD_EXPORTED = 4,	/* followers hold the leader's open file */
	MV_FD_SHADOW = 16,	/* likewise, their variant's shadow of it: what changes the leader's file at a place changes that, too */
	MV_FD_PLACEHOLDER = 8,	/* follower: stands for the leader's, nobody uses it */
	MV_FD_HELD = 64,	/* what is written to it counts for other processes: the leader goes on when all variants have written */
	MV_FD_SIGNALS = 32,	/* a signalfd: values that signals carry come through it */
};

struct mv_fd {
	uint8_t kind;		/* enum mv_fdkind */
	uint8_t flags;		/* MV_FD_* */
	uint16_t plain;		/* no shadow of the file was known when the run had counted so many (mv_run.shadows, modulo 2^16) */
	uint32_t epoll;		/* number of the epoll object, 0 = none */
	uint32_t pair;		/* number of the pipe or pair of sockets that this process, or one it was forked from, has made itself, 0 = none */
};

struct mv_files;

struct mv_files *mv_files_new(const struct mv_ops *ops);
struct mv_files *mv_files_ref(struct mv_files *f);
struct mv_files *mv_files_copy(const struct mv_files *f);
void mv_files_unref(struct mv_files *f);
/* What is known of fd; a zero entry for numbers never seen.  The pointer is valid until the next mv_fd_set(). */
const struct mv_fd *mv_fd_get(const struct mv_files *f, int64_t fd);
/* 0, -EBADF for a negative or absurd number, or -ENOMEM. */
int mv_fd_set(struct mv_files *f, int64_t fd, struct mv_fd entry);
/* A placeholder, which the program may have closed since; -1 if none is known. */
int mv_files_placeholder(const struct mv_files *f);
/* A copy of one that lies at address at in another memory, which peek reads; NULL if it is none. */
struct mv_files *mv_files_fetch(const struct mv_ops *ops, void *task, uint64_t at);
struct mv_files *mv_process_files(struct mv_process *p);	/* to be unref'd */
/* From now on none is a placeholder. */
void mv_files_real(struct mv_files *f);
/* No descriptor that was ever made has this number or a higher one; at least 64. */
uint32_t mv_files_limit(const struct mv_files *f);
/* As bytes, for another memory (freeze.c): how many, into to, and back; NULL for bytes that are none, or without memory. */
size_t mv_files_frozen_size(const struct mv_files *f);
void mv_files_freeze(const struct mv_files *f, void *to);
struct mv_files *mv_files_thaw(const struct mv_ops *ops, const void *bytes, size_t size);
uint32_t mv_files_epoll(struct mv_files *f);	/* a fresh epoll object number */

void mv_files_unpair(struct mv_files *f);	/* another program knows nothing of this one's pairs */

/*
 * What the program registered for descriptor fd with epoll object ep.  What it has taken back since, or put something else in
 * the place of, is remembered, once for each descriptor and for the last dozens of descriptors: an event that another thread
 * waits for may be on its way.
 */
int mv_epoll_set(struct mv_files *f, uint32_t ep, int fd, uint64_t data);
void mv_epoll_del(struct mv_files *f, uint32_t ep, int fd);
#define MV_EPOLL_FORMER ((int64_t)1 << 32)
/* The descriptor last registered with this data, with MV_EPOLL_FORMER if it is that no more; or -1. */
int64_t mv_epoll_fd(const struct mv_files *f, uint32_t ep, uint64_t data);
/* The data for what mv_epoll_fd() has returned. */
bool mv_epoll_data(const struct mv_files *f, uint32_t ep, int64_t fd, uint64_t *data);

#endif
