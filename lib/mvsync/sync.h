/*
 * The parts of libmvsync.
 *
 *	start.c		what we are to do, when it begins, forks
 *	record.c	records and clocks: the leader writes, a follower waits
 *	locks.c		mutexes, rwlocks, spin locks
 *	waits.c		conditions, semaphores, barriers, once
 *	threads.c	threads, which have a queue of records each
 *	c11.c		<threads.h>, made of these
 *
 * The record delays, and no more: whatever a follower takes it takes by the C library's own function, so that what the
 * leader's memory says cannot make two threads hold one mutex.  Unlocking is not recorded.  An operation is in the record when it has
 * succeeded, so that of all records of a clock each one can be followed when those before it have been.
 */
#ifndef SYNC_H
#define SYNC_H

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <threads.h>
#include <time.h>
#include "common/common.h"
#include "mvsync.h"

#define EXPORT __attribute__((visibility("default")))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define SYNC_DIE(...) library_die("libmvsync", (const char *const[]){ __VA_ARGS__, NULL })

/* ---- start.c ---- */

/* The C library's functions that have ours before them. */
#define SYNC_REAL(F) \
	F(int, pthread_mutex_lock, pthread_mutex_t *) \
	F(int, pthread_mutex_trylock, pthread_mutex_t *) \
	F(int, pthread_mutex_timedlock, pthread_mutex_t *, const struct timespec *) \
	F(int, pthread_mutex_clocklock, pthread_mutex_t *, clockid_t, const struct timespec *) \
	F(int, pthread_rwlock_rdlock, pthread_rwlock_t *) \
	F(int, pthread_rwlock_tryrdlock, pthread_rwlock_t *) \
	F(int, pthread_rwlock_timedrdlock, pthread_rwlock_t *, const struct timespec *) \
	F(int, pthread_rwlock_clockrdlock, pthread_rwlock_t *, clockid_t, const struct timespec *) \
	F(int, pthread_rwlock_wrlock, pthread_rwlock_t *) \
	F(int, pthread_rwlock_trywrlock, pthread_rwlock_t *) \
	F(int, pthread_rwlock_timedwrlock, pthread_rwlock_t *, const struct timespec *) \
	F(int, pthread_rwlock_clockwrlock, pthread_rwlock_t *, clockid_t, const struct timespec *) \
	F(int, pthread_spin_lock, pthread_spinlock_t *) \
	F(int, pthread_spin_trylock, pthread_spinlock_t *) \
	F(int, pthread_cond_wait, pthread_cond_t *, pthread_mutex_t *) \
	F(int, pthread_cond_timedwait, pthread_cond_t *, pthread_mutex_t *, const struct timespec *) \
	F(int, pthread_cond_clockwait, pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *) \
	F(int, sem_wait, sem_t *) \
	F(int, sem_trywait, sem_t *) \
	F(int, sem_timedwait, sem_t *, const struct timespec *) \
	F(int, sem_clockwait, sem_t *, clockid_t, const struct timespec *) \
	F(int, sem_getvalue, sem_t *, int *) \
	F(int, pthread_barrier_wait, pthread_barrier_t *) \
	F(int, pthread_once, pthread_once_t *, void (*)(void)) \
	F(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) \
	F(int, pthread_join, pthread_t, void **) \
	F(int, pthread_tryjoin_np, pthread_t, void **) \
	F(int, pthread_timedjoin_np, pthread_t, void **, const struct timespec *) \
	F(int, pthread_clockjoin_np, pthread_t, void **, clockid_t, const struct timespec *) \
	F(int, thrd_create, thrd_t *, thrd_start_t, void *)

struct sync_real {
#define FIELD(type, name, ...) type (*name)(__VA_ARGS__);
	SYNC_REAL(FIELD)
#undef FIELD
};
extern struct sync_real sync_real;
void sync_resolve(void);
/* Constructors of other libraries may come before ours. */
#define REAL(name) (UNLIKELY(!sync_real.name) ? sync_resolve() : (void)0, sync_real.name)

extern bool sync_leads;		/* where there is a record */
/* The program is about to have a second thread: begin the record, if there is to be one.  False: there is none. */
bool sync_begin(void);

/* ---- record.c ---- */

struct queue {
	uint64_t *records;
	uint64_t at;		/* the next record's place */
	uint64_t room;		/* leader: it may write up to here */
	uint32_t told;		/* follower: so many records it has said it has taken */
	uint32_t busy;		/* it is a thread's */
	uint32_t woken[7];	/* leader: the naps of followers that have been ended */
	uint32_t rounds;	/* of the thread's destructors */
	union {
		void *(*start)(void *);
		int (*c11)(void *);
	};
	void *arg;
} __attribute__((aligned(64)));

extern __thread struct queue *sync_self __attribute__((tls_model("initial-exec")));	/* NULL: no record, now or at all */
extern struct queue sync_queues[MVSYNC_QUEUES];

/* How a file begins. */
struct sync_file {
	uint64_t magic;
	uint64_t length;		/* of a queue */
	uint64_t full;			/* a thread found its queue so: there is no more to come */
	uint64_t writer;		/* a process */
};

struct sync_log {
	uint64_t *records;		/* MVSYNC_QUEUES times length */
	uint64_t length;		/* of a queue, a power of two */
	struct mvsync_ack *acks;	/* of the first follower, or a follower's own; NULL: a file, which has room for all */
	struct sync_file *file;
	unsigned followers;
};
/* Before that: nobody records or waits. */
void sync_log_set(const struct sync_log *log);

#define SYNC_SLACK 8		/* records that a reservation is good for: an operation's, and those of a handler in its midst */
void sync_wait_room(struct queue *q);
/* Leader, before an operation: wait until there is room for what it may record. */
static inline void sync_reserve(struct queue *q)
{
	if (UNLIKELY(q->at + SYNC_SLACK > q->room))
		sync_wait_room(q);
}
static inline unsigned sync_clock(const void *object)
{
	return (unsigned)(((uint64_t)(uintptr_t)object >> 3) * 0x9e3779b97f4a7c15u >> 40) % MVSYNC_CLOCKS;
}
/* Leader: the operation has ended so; value is for MVSYNC_NO_CLOCK. */
void sync_record(struct queue *q, enum mvsync_op op, int status, unsigned clock, uint64_t value);

/* Follower: the record of the operation at hand, when it is there. */
uint64_t sync_take(struct queue *q, enum mvsync_op op);
static inline int sync_status(uint64_t word)
{
	return word >> 6 & 0xff;
}
static inline uint64_t sync_value(uint64_t word)
{
	return word >> 24;
}
/* Wait until it is this record's turn; let the next one's come. */
void sync_await(uint64_t word);
void sync_pass(uint64_t word);
/* Sleep while *word is value, for at most a millisecond; wake who does.  between: processes. */
void sync_sleep(const uint32_t *word, uint32_t value, bool between);
void sync_wake(const uint32_t *word, bool between);

/*
 * An operation on a lock.  attempt is what the program asks for, acquire takes the lock without giving up; both return 0 or an
 * errno.
 */
#define SYNC_LOCK(op, object, attempt, acquire) ({					\
	struct queue *self_ = sync_self;						\
	int r_;										\
	if (LIKELY(!self_)) {								\
		r_ = (attempt);								\
	} else if (sync_leads) {							\
		sync_reserve(self_);							\
		r_ = (attempt);								\
		sync_record(self_, op, r_, sync_clock(object), 0);			\
	} else {									\
		uint64_t word_ = sync_take(self_, op);					\
		sync_await(word_);							\
		r_ = sync_status(word_);						\
		if (!r_ || r_ == EOWNERDEAD)						\
			r_ = (acquire);							\
		sync_pass(word_);							\
	}										\
	r_; })

/* ---- threads.c ---- */

void sync_threads_start(void);

#endif
