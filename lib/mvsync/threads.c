/*
 * Threads: each has a queue of records.  Which one, the leader chooses; its creator's record tells the followers'.  A queue that a
 * thread has left goes on where it is, with the next thread's records.
 */
#include <limits.h>
#include "common/lock.h"
#include "sync.h"

#define SPARE 16	/* queues that were left and are not taken at once: followers may not have come to their ends yet */

static struct library_lock lock;
static uint16_t left[MVSYNC_QUEUES];	/* leader: queues that were used and are free, a ring */
static unsigned first_left, nleft, nfresh;
static pthread_key_t key;
static bool have_key;

/* ---- the leader's choice ---- */

static struct queue *choose(void)
{
	struct queue *q = NULL;

	library_lock(&lock);
	if (nleft && (nleft > SPARE || nfresh == MVSYNC_QUEUES)) {
		q = &sync_queues[left[first_left++ % MVSYNC_QUEUES]];
		nleft--;
	} else if (nfresh < MVSYNC_QUEUES) {
		q = &sync_queues[nfresh++];
	}
	library_unlock(&lock);
	return q;
}

static void leave(struct queue *q)
{
	if (sync_leads) {
		library_lock(&lock);
		left[(first_left + nleft++) % MVSYNC_QUEUES] = (uint16_t)(q - sync_queues);
		library_unlock(&lock);
		return;
	}
	__atomic_store_n(&q->busy, 0, __ATOMIC_RELEASE);
	sync_wake(&q->busy, false);
}

static struct queue *lead_create(struct queue *self)
{
	struct queue *q = choose();

	if (!q)
		return NULL;
	sync_reserve(self);
	sync_record(self, MVSYNC_CREATE, 0, MVSYNC_NO_CLOCK, (uint64_t)(q - sync_queues));
	return q;
}

/* The thread that had it before may not have come to its end here. */
static struct queue *follow_create(struct queue *self)
{
	struct queue *q = &sync_queues[sync_value(sync_take(self, MVSYNC_CREATE)) % MVSYNC_QUEUES];

	while (__atomic_exchange_n(&q->busy, 1, __ATOMIC_ACQUIRE))
		sync_sleep(&q->busy, 1, false);
	return q;
}

/* ---- a thread's life ---- */

/* In the last round of destructors: those of others may still take locks before. */
static void end(void *arg)
{
	struct queue *q = arg;

	if (++q->rounds < PTHREAD_DESTRUCTOR_ITERATIONS && !pthread_setspecific(key, q))
		return;
	sync_self = NULL;
	leave(q);
}

static void begin(struct queue *q)
{
	sync_self = q;
	q->rounds = 0;
	pthread_setspecific(key, q);
}

static void *begin_thread(void *arg)
{
	struct queue *q = arg;

	begin(q);
	return q->start(q->arg);
}

static int begin_c11(void *arg)
{
	struct queue *q = arg;

	begin(q);
	return q->c11(q->arg);
}

void sync_threads_start(void)
{
	if (!have_key && pthread_key_create(&key, end))
		SYNC_DIE("there is no key left for what belongs to a thread");
	have_key = true;
	lock = (struct library_lock){ 0 };	/* a fork may have left it held */
	first_left = nleft = 0;
	nfresh = 1;
	sync_self = &sync_queues[0];
}

/* For a thread that is about to be made; NULL: it has none, or with *full there is none left. */
static struct queue *new_queue(bool *full)
{
	struct queue *q = NULL;

	*full = false;
	if (!sync_begin() || !sync_self)
		return NULL;
	q = sync_leads ? lead_create(sync_self) : follow_create(sync_self);
	*full = !q;
	return q;
}

/*
 * What the C library does then is not the program's: whether it finds a stack that another thread has left depends on when that
 * ended, and if it finds none it allocates memory, which may be by an allocator with locks of pthreads.
 */
EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	bool full;
	struct queue *q = new_queue(&full), *self = sync_self;
	int r;

	if (!q)
		return full ? EAGAIN : REAL(pthread_create)(thread, attr, start, arg);
	q->start = start;
	q->arg = arg;
	sync_self = NULL;
	r = REAL(pthread_create)(thread, attr, begin_thread, q);
	sync_self = self;
	if (r)
		leave(q);
	return r;
}

EXPORT int thrd_create(thrd_t *thread, thrd_start_t start, void *arg)
{
	bool full;
	struct queue *q = new_queue(&full), *self = sync_self;
	int r;

	if (!q)
		return full ? thrd_nomem : REAL(thrd_create)(thread, start, arg);
	q->c11 = start;
	q->arg = arg;
	sync_self = NULL;
	r = REAL(thrd_create)(thread, begin_c11, q);
	sync_self = self;
	if (r != thrd_success)
		leave(q);
	return r;
}

/* ---- to wait for the end of one, or not ---- */

/* Needs no record; but what the C library frees then is not the program's either. */
EXPORT int pthread_join(pthread_t thread, void **result)
{
	struct queue *self = sync_self;
	int r;

	sync_self = NULL;
	r = REAL(pthread_join)(thread, result);
	sync_self = self;
	return r;
}

#define JOIN(attempt) ({							\
	struct queue *self = sync_self;						\
	int r;									\
	if (self && !sync_leads) {						\
		r = sync_status(sync_take(self, MVSYNC_JOIN));			\
		if (!r)								\
			r = pthread_join(thread, result);			\
	} else {								\
		if (self)							\
			sync_reserve(self);					\
		r = (attempt);							\
		if (self)							\
			sync_record(self, MVSYNC_JOIN, r, MVSYNC_NO_CLOCK, 0);	\
	}									\
	r; })

EXPORT int pthread_tryjoin_np(pthread_t thread, void **result)
{
	return JOIN(REAL(pthread_tryjoin_np)(thread, result));
}

EXPORT int pthread_timedjoin_np(pthread_t thread, void **result, const struct timespec *until)
{
	return JOIN(REAL(pthread_timedjoin_np)(thread, result, until));
}

EXPORT int pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock, const struct timespec *until)
{
	return JOIN(REAL(pthread_clockjoin_np)(thread, result, clock, until));
}
