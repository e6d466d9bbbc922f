/*
 * Three variants of two threads each, in real threads that sleep in real futexes, through a ring that is nearly always
 * full or empty; also built with -fsanitize=thread.  A sleep that lasts until its timeout is a lost wake-up.  Exit status
 * 0 when all calls are over and nobody has overslept.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <multivar/multivar.h>
#include <multivar/policy.h>

#define VARIANTS 3
#define THREADS 2
#define CALLS 6000
#define ARENA ((size_t)4 << 20)
#define TIMEOUT 30		/* seconds, long after anybody should have been woken */

struct actor {
	struct mv_thread *t;
	unsigned variant, number;
	char data[64];
	unsigned long sleeps;
};

static struct actor actors[VARIANTS][THREADS];
/* One thread of a variant at a time may be in the engine; the variants know nothing of each other's locks. */
static pthread_mutex_t inside[VARIANTS] = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER };

static void fail(const char *what, const struct actor *a)
{
	fprintf(stderr, "variant %u, thread %u: %s\n", a->variant, a->number, what);
	exit(1);
}

static size_t peek(void *task, uint64_t addr, void *dst, size_t len)
{
	(void)task;
	memcpy(dst, (const void *)addr, len);
	return len;
}

static size_t poke(void *task, uint64_t addr, const void *src, size_t len)
{
	(void)task;
	memcpy((void *)addr, src, len);
	return len;
}

static void *alloc(size_t size)
{
	return calloc(1, size);
}

static void release(void *p, size_t size)
{
	(void)size;
	free(p);
}

static int export_fd(void *task, const struct mv_share *share, uint64_t *handle)
{
	(void)task, (void)share, (void)handle;
	return -EBADF;
}

static const struct mv_ops ops = { .peek = peek, .poke = poke, .alloc = alloc, .free = release, .export_fd = export_fd };

/* Something of everything: both kinds of records alone, data, lockstep, order among siblings, order with holding. */
static struct mv_call nth_call(struct actor *a, unsigned i)
{
	static const char path[512] = "/";	/* more is read than the string */

	switch ((i * 7 + a->number) % 5) {
	case 0:
		return (struct mv_call){ SYS_read, { 3, (uintptr_t)a->data, sizeof(a->data) } };
	case 1:
		return (struct mv_call){ SYS_getpgrp, { 0 } };	/* lockstep */
	case 2:
		return (struct mv_call){ SYS_umask, { 022 } };
	case 3:
		return (struct mv_call){ SYS_chdir, { (uintptr_t)path } };
	default:
		return (struct mv_call){ SYS_getpid, { 0 } };
	}
}

static int64_t kernel(struct actor *a, const struct mv_call *call, unsigned i)
{
	if (call->nr != SYS_read)
		return 0;
	memset(a->data, (int)i, sizeof(a->data));
	return sizeof(a->data);
}

/* As multivar.h says it is done.  Where a thread may nap, it does every other time. */
static void sleep_on(struct actor *a, const struct mv_wait *w)
{
	bool naps = w->naps && a->sleeps % 2;
	struct timespec timeout = { .tv_sec = naps ? 0 : TIMEOUT, .tv_nsec = naps ? 1000000 : 0 };

	__atomic_fetch_add(naps ? w->naps : w->sleepers, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(w->word, __ATOMIC_SEQ_CST) == w->value) {
		a->sleeps++;
		if (syscall(SYS_futex, w->word, FUTEX_WAIT, w->value, &timeout) && errno == ETIMEDOUT && !naps)
			fail("nobody has woken it", a);
	}
}

static void wake(struct actor *a)
{
	uint32_t *words[MV_WAKES_MAX];
	unsigned n = mv_thread_wakes(a->t, words);

	for (unsigned i = 0; i < n; i++)
		syscall(SYS_futex, words[i], FUTEX_WAKE, INT32_MAX);
}

static void park(struct actor *a, struct mv_step *step)
{
	struct mv_wait w, now = { 0 };

	mv_thread_wait(a->t, &w);
	mv_retry(a->t, step);
	wake(a);
	if (step->action == MV_PARK)
		mv_thread_wait(a->t, &now);
	if (!w.word || now.word != w.word)
		return;
	pthread_mutex_unlock(&inside[a->variant]);
	sleep_on(a, &w);
	pthread_mutex_lock(&inside[a->variant]);
}

static void make_call(struct actor *a, unsigned i)
{
	struct mv_call call = nth_call(a, i);
	struct mv_step step;

	mv_enter(a->t, &call, &step);
	wake(a);
	for (;;) {
		switch (step.action) {
		case MV_RUN:
			mv_exit(a->t, kernel(a, &step.call, i), &step);
			wake(a);
			break;
		case MV_PARK:
			park(a, &step);
			break;
		case MV_DONE:
			if (call.nr == SYS_read && a->data[0] != (char)i)
				fail("wrong data", a);
			return;
		default:
			fail("the run has ended", a);
		}
	}
}

static void *act(void *arg)
{
	struct actor *a = arg;

	for (unsigned i = 0; i < CALLS; i++) {
		pthread_mutex_lock(&inside[a->variant]);
		make_call(a, i);
		pthread_mutex_unlock(&inside[a->variant]);
	}
	return NULL;
}

/* What pthread_create() passes; nobody waits: the leader's half is over before the followers' begin. */
static void make_sibling(struct mv_thread *parent, unsigned variant)
{
	struct mv_call clone = { SYS_clone, { 0x3d0f00 } };
	struct mv_step step;
	struct actor *a = &actors[variant][1];

	mv_enter(parent, &clone, &step);
	if (step.action == MV_RUN)
		mv_exit(parent, 1001, &step);
	if (step.action == MV_DONE)
		a->t = mv_thread_child(parent, 1001, NULL);
	if (!a->t)
		fail("no sibling", a);
}

int main(void)
{
	static struct mv_policy policy;
	struct mv_config config = {
		.variants = VARIANTS, .ring_records = 8, .ring_bytes = 16384, .layout = MV_LAYOUT_SAME, .policy = &policy,
	};
	pthread_t threads[VARIANTS][THREADS];
	void *arena = aligned_alloc(4096, ARENA);
	struct mv_run *run;
	unsigned long sleeps = 0;

	memset(policy.level, MV_LEVEL_RELAXED, sizeof(policy.level));
	memset(policy.level[SYS_getpgrp], MV_LEVEL_LOCKSTEP, sizeof(policy.level[0]));
	run = arena ? mv_run_new(arena, ARENA, &config) : NULL;
	if (!run)
		return 1;
	for (unsigned v = 0; v < VARIANTS; v++) {
		for (unsigned i = 0; i < THREADS; i++) {
			actors[v][i].variant = v;
			actors[v][i].number = i;
		}
		actors[v][0].t = mv_thread_root(run, v, 1000, &ops, NULL);
		if (!actors[v][0].t)
			return 1;
		make_sibling(actors[v][0].t, v);
	}
	for (unsigned v = 0; v < VARIANTS; v++)
		for (unsigned i = 0; i < THREADS; i++)
			if (pthread_create(&threads[v][i], NULL, act, &actors[v][i]))
				return 1;
	for (unsigned v = 0; v < VARIANTS; v++) {
		for (unsigned i = 0; i < THREADS; i++) {
			pthread_join(threads[v][i], NULL);
			sleeps += actors[v][i].sleeps;
		}
	}
	for (unsigned v = 0; v < VARIANTS; v++)
		for (unsigned i = THREADS; i-- > 0;)
			mv_thread_gone(actors[v][i].t, 0);
	free(arena);
	printf("%lu sleeps\n", sleeps);
	if (sleeps < 100)
		fail("hardly anybody has slept: this test has tested nothing", &actors[0][0]);
	return 0;
}
