/*
 * libmvsync: in which order threads come to what they synchronise by, recorded in one process and kept in others.
 *
 * It is used by preloading it (LD_PRELOAD).  It has functions of <pthread.h>, <semaphore.h> and <threads.h> by which threads wait
 * for each other, with the C library's own behind them.  The first pthread_create() of a program begins the record.
 *
 * Under `mvarmor run --threads=parallel` the leader records and the followers keep the order; nothing has to be set.  Elsewhere
 * MVSYNC_OPTIONS says what to do, for the first program that makes a thread:
 *
 *	record=FILE	write the order to FILE
 *	replay=FILE	keep the order that FILE has; it may still be written.  Where the record ends before the program does, because
 *			FILE was full or who wrote it ended otherwise, the program is ended with a message.
 *	records=N	room in FILE for N records of each thread, a power of two (MVSYNC_FILE_RECORDS)
 *
 * Without it the library does nothing.
 */
#ifndef MVSYNC_H
#define MVSYNC_H

#include <stdint.h>

/*
 * What the library asks of MvArmor; the kernel answers EINVAL, and so does mvarmor without --threads=parallel.
 *
 *	prctl(MVSYNC_PRCTL, MVSYNC_SETTINGS, struct mvsync_settings *settings)
 *		Fills *settings.  0, or -1 with EINVAL if the program has asked before.
 *	prctl(MVSYNC_PRCTL, MVSYNC_MAP, "mvsync")
 *		Maps MVSYNC_MEMORY bytes that all variants share: MVSYNC_LOG bytes of records that the leader alone can write,
 *		and for each follower MVSYNC_ACKS_PART bytes that it alone can write.  Their address, or -1 with errno.  Children of
 *		a fork do not have them.
 *	prctl(MVSYNC_PRCTL, MVSYNC_LIVE)
 *		Which variants have not been dropped, as bits.
 *	prctl(MVSYNC_PRCTL, MVSYNC_DIFFERS, own, leaders)
 *		Follower: the thread comes to one enum mvsync_op, and the record has another.  A divergence.
 */
#define MVSYNC_PRCTL 0x6d767379		/* "mvsy" */
enum { MVSYNC_SETTINGS, MVSYNC_MAP, MVSYNC_LIVE, MVSYNC_DIFFERS };

enum {	/* mvsync_settings.flags */
	MVSYNC_HIDE = 2,	/* take ourselves out of LD_PRELOAD: mvarmor put us there */
};

struct mvsync_settings {
	uint32_t variant;	/* 0: the leader, which records */
	uint32_t variants;
	uint32_t flags;		/* MVSYNC_* */
	uint32_t reserved;	/* 0 */
};

/*
 * A record is a word.  Every thread has a queue of them, and the queue's n-th record is at n modulo the queue's length.
 *
 *	bit 0		1 when the queue is filled for the first, third, ... time, 0 the second, fourth, ...: is it there yet?
 *	bits 1 to 5	enum mvsync_op
 *	bits 6 to 13	how the operation ended: 0, an errno, or MVSYNC_SERIAL
 *	bits 14 to 23	which clock it belongs to; MVSYNC_NO_CLOCK: none
 *	bits 24 to 63	the clock's time before it; or what there is to say, if there is no clock
 */
enum mvsync_op {
	MVSYNC_MUTEX = 1, MVSYNC_COND, MVSYNC_RWLOCK, MVSYNC_SEM, MVSYNC_VALUE, MVSYNC_ARRIVE, MVSYNC_BARRIER, MVSYNC_ONCE,
	MVSYNC_SPIN, MVSYNC_CREATE, MVSYNC_JOIN,
	MVSYNC_OPS
};
#define MVSYNC_OP_NAMES { "nothing", "a mutex", "the end of a wait for a condition", "a rwlock", "a semaphore", \
	"a semaphore's value", "a barrier", "the end of a barrier", "pthread_once", "a spin lock", "pthread_create", "pthread_join" }
#define MVSYNC_SERIAL 255
#define MVSYNC_CLOCKS 1023
#define MVSYNC_NO_CLOCK 1023

#define MVSYNC_QUEUES 2048	/* threads at a time */
#define MVSYNC_RECORDS 8192	/* of a queue, under MvArmor: how far the leader may run ahead */
#define MVSYNC_FILE_RECORDS 65536
#define MVSYNC_LOG ((uint64_t)MVSYNC_QUEUES * MVSYNC_RECORDS * 8)

/* What a follower tells of each queue.  A line for each. */
struct mvsync_ack {
	uint32_t taken;		/* records, modulo 2^32; not each one is told at once */
	uint32_t naps;		/* so many times it has begun to sleep until there is a record */
	uint32_t unused[14];
};
#define MVSYNC_ACKS_PART ((uint64_t)MVSYNC_QUEUES * 64)
#define MVSYNC_ACKS (7 * MVSYNC_ACKS_PART)
#define MVSYNC_MEMORY (MVSYNC_LOG + MVSYNC_ACKS)

#endif
