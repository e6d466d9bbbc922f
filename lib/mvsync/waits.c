/*
 * Conditions, semaphores, barriers, once.
 *
 * A follower does not wait for conditions and barriers themselves: the record says when a wait has ended, and that the mutex was taken
 * then, or that all had come.  So what wakes threads is not recorded.
 */
#include "sync.h"

/* ---- conditions: in the record when the mutex is held again ---- */

/* A follower: give the mutex up, and take it when the leader's thread had it again. */
static int follow_wait(struct queue *q, pthread_mutex_t *m)
{
	int unlocked = pthread_mutex_unlock(m), r;
	uint64_t word = sync_take(q, MVSYNC_COND);

	sync_await(word);
	r = sync_status(word);
	if (!unlocked) {
		int locked = REAL(pthread_mutex_lock)(m);

		r = locked ? locked : r;
	}
	sync_pass(word);
	return r;
}

#define WAIT(wait) ({								\
	struct queue *self = sync_self;						\
	int r;									\
	if (self && !sync_leads) {						\
		r = follow_wait(self, m);					\
	} else {								\
		if (self)							\
			sync_reserve(self);					\
		r = (wait);							\
		if (self)							\
			sync_record(self, MVSYNC_COND, r, sync_clock(m), 0);	\
	}									\
	r; })

EXPORT int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	return WAIT(REAL(pthread_cond_wait)(c, m));
}

EXPORT int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
	return WAIT(REAL(pthread_cond_timedwait)(c, m, until));
}

EXPORT int pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock, const struct timespec *until)
{
	return WAIT(REAL(pthread_cond_clockwait)(c, m, clock, until));
}

/* ---- semaphores: their functions tell errors by errno; to post is not recorded, and handlers may ---- */

static int failure(int r)
{
	return r ? errno : 0;
}

static int acquire(sem_t *s)
{
	int r;

	while ((r = failure(REAL(sem_wait)(s))) == EINTR)
		;
	return r;
}

static int by_errno(int r)
{
	if (!r)
		return 0;
	errno = r;
	return -1;
}

#define SEM(attempt) by_errno(SYNC_LOCK(MVSYNC_SEM, s, failure(attempt), acquire(s)))

EXPORT int sem_wait(sem_t *s)
{
	return SEM(REAL(sem_wait)(s));
}

EXPORT int sem_trywait(sem_t *s)
{
	return SEM(REAL(sem_trywait)(s));
}

EXPORT int sem_timedwait(sem_t *restrict s, const struct timespec *restrict until)
{
	return SEM(REAL(sem_timedwait)(s, until));
}

EXPORT int sem_clockwait(sem_t *restrict s, clockid_t clock, const struct timespec *restrict until)
{
	return SEM(REAL(sem_clockwait)(s, clock, until));
}

EXPORT int sem_getvalue(sem_t *restrict s, int *restrict value)
{
	struct queue *self = sync_self;
	int r;

	if (self && !sync_leads) {
		*value = (int)sync_value(sync_take(self, MVSYNC_VALUE));
		return 0;
	}
	if (self)
		sync_reserve(self);
	r = REAL(sem_getvalue)(s, value);
	if (self)
		sync_record(self, MVSYNC_VALUE, 0, MVSYNC_NO_CLOCK, (uint32_t)*value);
	return r;
}

/* ---- barriers: all have arrived before any leaves ---- */

EXPORT int pthread_barrier_wait(pthread_barrier_t *b)
{
	struct queue *self = sync_self;
	uint64_t word;
	int r;

	if (!self)
		return REAL(pthread_barrier_wait)(b);
	if (sync_leads) {
		sync_reserve(self);
		sync_record(self, MVSYNC_ARRIVE, 0, sync_clock(b), 0);
		r = REAL(pthread_barrier_wait)(b);
		sync_record(self, MVSYNC_BARRIER, r == PTHREAD_BARRIER_SERIAL_THREAD ? MVSYNC_SERIAL : r, sync_clock(b), 0);
		return r;
	}
	word = sync_take(self, MVSYNC_ARRIVE);
	sync_await(word);
	sync_pass(word);
	word = sync_take(self, MVSYNC_BARRIER);
	sync_await(word);
	sync_pass(word);
	r = sync_status(word);
	return r == MVSYNC_SERIAL ? PTHREAD_BARRIER_SERIAL_THREAD : r;
}

/* ---- once: recorded before the function runs, by the thread that does; else when it has run ---- */

static __thread struct once {
	void (*function)(void);
	bool ran;
} once __attribute__((tls_model("initial-exec")));

static void run(void)
{
	void (*function)(void) = once.function;

	once.ran = true;
	sync_record(sync_self, MVSYNC_ONCE, 1, sync_clock((const void *)(uintptr_t)function), 0);
	function();
}

static int lead_once(struct queue *self, pthread_once_t *control, void (*function)(void))
{
	struct once outer = once;
	bool ran;
	int r;

	sync_reserve(self);
	once = (struct once){ .function = function };
	r = REAL(pthread_once)(control, run);
	ran = once.ran;
	once = outer;
	if (!ran)
		sync_record(self, MVSYNC_ONCE, 0, sync_clock((const void *)(uintptr_t)function), 0);
	return r;
}

EXPORT int pthread_once(pthread_once_t *control, void (*function)(void))
{
	struct queue *self = sync_self;
	uint64_t word;
	int r = 0;

	if (!self)
		return REAL(pthread_once)(control, function);
	if (sync_leads)
		return lead_once(self, control, function);
	word = sync_take(self, MVSYNC_ONCE);
	sync_await(word);
	if (sync_status(word)) {
		sync_pass(word);
		return REAL(pthread_once)(control, function);
	}
	r = REAL(pthread_once)(control, function);
	sync_pass(word);
	return r;
}
