/*
 * For tests of threads: what depends on their order is told to the kernel, where variants that differ in it are found out, but
 * not printed, since natively it differs from run to run.
 */
#ifndef TESTS_SYS_TURNS_H
#define TESTS_SYS_TURNS_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include "check.h"

static inline void tell(const void *data, size_t len)
{
	static int null = -1;

	if (null < 0)
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	NEED(write(null, data, len) == (ssize_t)len);
}

static inline pthread_t begin(void *(*fn)(void *), long arg)
{
	pthread_t t;

	NEED(pthread_create(&t, NULL, fn, (void *)arg) == 0);
	return t;
}

static inline long end(pthread_t t)
{
	void *result;

	NEED(pthread_join(t, &result) == 0);
	return (long)result;
}

/* Run fn in n threads at once; the sum of what they return. */
static inline long together(unsigned n, void *(*fn)(void *))
{
	pthread_t t[64];
	long sum = 0;

	for (unsigned i = 0; i < n; i++)
		t[i] = begin(fn, i);
	for (unsigned i = 0; i < n; i++)
		sum += end(t[i]);
	return sum;
}

#endif
