/* Mutexes, rwlocks, spin locks: in the record when they are held. */
#include "sync.h"

/* ---- mutexes ---- */

#define MUTEX(attempt) SYNC_LOCK(MVSYNC_MUTEX, m, attempt, REAL(pthread_mutex_lock)(m))

EXPORT int pthread_mutex_lock(pthread_mutex_t *m)
{
	return MUTEX(REAL(pthread_mutex_lock)(m));
}

EXPORT int pthread_mutex_trylock(pthread_mutex_t *m)
{
	return MUTEX(REAL(pthread_mutex_trylock)(m));
}

EXPORT int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *until)
{
	return MUTEX(REAL(pthread_mutex_timedlock)(m, until));
}

EXPORT int pthread_mutex_clocklock(pthread_mutex_t *m, clockid_t clock, const struct timespec *until)
{
	return MUTEX(REAL(pthread_mutex_clocklock)(m, clock, until));
}

/* ---- rwlocks ---- */

#define READ(attempt) SYNC_LOCK(MVSYNC_RWLOCK, l, attempt, REAL(pthread_rwlock_rdlock)(l))
#define WRITE(attempt) SYNC_LOCK(MVSYNC_RWLOCK, l, attempt, REAL(pthread_rwlock_wrlock)(l))

EXPORT int pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
	return READ(REAL(pthread_rwlock_rdlock)(l));
}

EXPORT int pthread_rwlock_tryrdlock(pthread_rwlock_t *l)
{
	return READ(REAL(pthread_rwlock_tryrdlock)(l));
}

EXPORT int pthread_rwlock_timedrdlock(pthread_rwlock_t *l, const struct timespec *until)
{
	return READ(REAL(pthread_rwlock_timedrdlock)(l, until));
}

EXPORT int pthread_rwlock_clockrdlock(pthread_rwlock_t *l, clockid_t clock, const struct timespec *until)
{
	return READ(REAL(pthread_rwlock_clockrdlock)(l, clock, until));
}

EXPORT int pthread_rwlock_wrlock(pthread_rwlock_t *l)
{
	return WRITE(REAL(pthread_rwlock_wrlock)(l));
}

EXPORT int pthread_rwlock_trywrlock(pthread_rwlock_t *l)
{
	return WRITE(REAL(pthread_rwlock_trywrlock)(l));
}

EXPORT int pthread_rwlock_timedwrlock(pthread_rwlock_t *l, const struct timespec *until)
{
	return WRITE(REAL(pthread_rwlock_timedwrlock)(l, until));
}

EXPORT int pthread_rwlock_clockwrlock(pthread_rwlock_t *l, clockid_t clock, const struct timespec *until)
{
	return WRITE(REAL(pthread_rwlock_clockwrlock)(l, clock, until));
}

/* ---- spin locks ---- */

#define SPIN(attempt) SYNC_LOCK(MVSYNC_SPIN, (const void *)l, attempt, REAL(pthread_spin_lock)(l))

EXPORT int pthread_spin_lock(pthread_spinlock_t *l)
{
	return SPIN(REAL(pthread_spin_lock)(l));
}

EXPORT int pthread_spin_trylock(pthread_spinlock_t *l)
{
	return SPIN(REAL(pthread_spin_trylock)(l));
}
