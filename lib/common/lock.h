/*
 * A lock of a library of ours: not a pthread's, which libmvsync would keep the order of.  What an allocator does when is no
 * affair of the program's, and the C library itself allocates memory at times that nobody orders.
 */
#ifndef LIB_COMMON_LOCK_H
#define LIB_COMMON_LOCK_H

#include <errno.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>

struct library_lock { uint32_t word; };		/* 0 = free, 1 = held, 2 = held, and there may be somebody who waits */

static inline void library_lock(struct library_lock *l)
{
	uint32_t was = 0;
	int saved;

	if (__libc_single_threaded) {
		l->word = 1;
		return;
	}
	if (__builtin_expect(__atomic_compare_exchange_n(&l->word, &was, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED), 1))
		return;
	saved = errno;
	while (__atomic_exchange_n(&l->word, 2, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &l->word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
	errno = saved;
}

static inline void library_unlock(struct library_lock *l)
{
	if (__libc_single_threaded) {
		l->word = 0;
		return;
	}
	if (__builtin_expect(__atomic_exchange_n(&l->word, 0, __ATOMIC_RELEASE) == 2, 0)) {
		int saved = errno;

		syscall(SYS_futex, &l->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		errno = saved;
	}
}

#endif
