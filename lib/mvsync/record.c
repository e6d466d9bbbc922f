/*
 * Every object that threads come to one after the other has a clock; several may have the same.  The leader's record names the clock
 * and what it showed, and the clock goes on by one.  A follower has clocks of its own, waits until the one named shows that time,
 * does what the record is about, and lets the clock go on.
 */
#include <linux/futex.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "sync.h"

#define TIME_BITS 40
#define SPINS 200			/* before a sleep: a record that comes later is worth one */
#define NAP_NS 1000000
#define WRITER_NAPS 64			/* after so many, without a record: is there still somebody who writes? */
#define ROOM_NS 100000			/* a leader whose queue is full looks so often */
#define ROOM_LOOKS 1000			/* ... until it asks whether the follower is still there */

__thread struct queue *sync_self __attribute__((tls_model("initial-exec")));
struct queue sync_queues[MVSYNC_QUEUES];
static struct sync_log shared;
static uint32_t live;			/* leader: followers (bits from 0) that are waited for */
static struct clock {
	uint64_t now;
	uint32_t waiters;
} __attribute__((aligned(64))) clocks[MVSYNC_CLOCKS + 1];

void sync_log_set(const struct sync_log *to)
{
	shared = *to;
	live = (1u << shared.followers) - 1;
	for (unsigned i = 0; i < MVSYNC_CLOCKS; i++)
		if (clocks[i].now || clocks[i].waiters)
			clocks[i] = (struct clock){ 0 };
	for (unsigned i = 0; i < MVSYNC_QUEUES; i++)
		if (sync_queues[i].records || sync_queues[i].busy)
			sync_queues[i] = (struct queue){ 0 };
}

static unsigned number(const struct queue *q)
{
	return (unsigned)(q - sync_queues);
}

static uint64_t *place(struct queue *q)
{
	if (UNLIKELY(!q->records))
		q->records = shared.records + number(q) * shared.length;
	return &q->records[q->at & (shared.length - 1)];
}

static uint64_t phase(const struct queue *q)
{
	return q->at & shared.length ? 0 : 1;
}

/* ---- sleep ---- */

static void sleep_ns(const uint32_t *word, uint32_t value, bool between, long ns)
{
	struct timespec time = { .tv_nsec = ns };
	int saved = errno;

	syscall(SYS_futex, word, between ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE, value, &time, NULL, 0);
	errno = saved;
}

/* On a clock there may be many, and one of them is next. */
static uint32_t bit_of(uint64_t time)
{
	return 1u << time % 32;
}

/* Until it is woken: whoever lets that time come does it. */
static void sleep_for_time(const struct clock *c, uint32_t now, uint64_t time)
{
	int saved = errno;

	syscall(SYS_futex, &c->now, FUTEX_WAIT_BITSET_PRIVATE, now, NULL, NULL, bit_of(time));
	errno = saved;
}

static void wake_for_time(const struct clock *c, uint64_t time)
{
	int saved = errno;

	syscall(SYS_futex, &c->now, FUTEX_WAKE_BITSET_PRIVATE, INT32_MAX, NULL, NULL, bit_of(time));
	errno = saved;
}

void sync_sleep(const uint32_t *word, uint32_t value, bool between)
{
	sleep_ns(word, value, between, NAP_NS);
}

void sync_wake(const uint32_t *word, bool between)
{
	int saved = errno;

	syscall(SYS_futex, word, between ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
	errno = saved;
}

/* ---- the leader ---- */

static const struct mvsync_ack *ack(unsigned follower, const struct queue *q)
{
	return &shared.acks[follower * MVSYNC_QUEUES + number(q)];
}

/* A follower that was dropped says nothing any more. */
static void ask_who_lives(void)
{
	int saved = errno;
	long bits = prctl(MVSYNC_PRCTL, MVSYNC_LIVE, 0, 0, 0);

	if (bits >= 0)
		__atomic_store_n(&live, (uint32_t)(bits >> 1) & ((1u << shared.followers) - 1), __ATOMIC_RELAXED);
	errno = saved;
}

void sync_wait_room(struct queue *q)
{
	if (!shared.acks) {
		q->room = shared.length;
		if (q->at + SYNC_SLACK <= q->room)
			return;
		__atomic_store_n(&shared.file->full, 1, __ATOMIC_RELEASE);
		SYNC_DIE("the file is full; MVSYNC_OPTIONS: records= says how much it has room for");
	}
	for (unsigned looks = 0;; looks++) {
		uint64_t least = q->at;
		const struct mvsync_ack *latest = NULL;

		for (unsigned f = 0; f < shared.followers; f++) {
			uint64_t behind = (uint32_t)q->at - __atomic_load_n(&ack(f, q)->taken, __ATOMIC_ACQUIRE);

			if (__atomic_load_n(&live, __ATOMIC_RELAXED) & 1u << f && q->at - behind < least) {
				least = q->at - behind;
				latest = ack(f, q);
			}
		}
		q->room = least + shared.length;
		if (q->at + SYNC_SLACK <= q->room)
			return;
		sleep_ns(&latest->taken, (uint32_t)least, true, ROOM_NS);
		if (looks % ROOM_LOOKS == ROOM_LOOKS - 1)
			ask_who_lives();
	}
}

/*
 * Without a barrier between the record and the look: a nap that has just begun may be overlooked, and then lasts for its
 * millisecond.
 */
static void end_naps(struct queue *q, const uint64_t *at)
{
	for (unsigned f = 0; f < shared.followers; f++) {
		uint32_t naps = __atomic_load_n(&ack(f, q)->naps, __ATOMIC_RELAXED);

		if (LIKELY(naps == q->woken[f]))
			continue;
		q->woken[f] = naps;
		sync_wake((const uint32_t *)at, true);
	}
}

void sync_record(struct queue *q, enum mvsync_op op, int status, unsigned clock, uint64_t value)
{
	uint64_t *at = place(q);

	if (clock < MVSYNC_CLOCKS)
		value = __atomic_fetch_add(&clocks[clock].now, 1, __ATOMIC_ACQ_REL);
	__atomic_store_n(at, phase(q) | (uint64_t)op << 1 | (uint64_t)(status & 0xff) << 6 | (uint64_t)clock << 14 | value << 24,
			 __ATOMIC_RELEASE);
	q->at++;
	if (shared.acks)
		end_naps(q, at);
}

/* ---- a follower ---- */

static bool there(const struct queue *q, const uint64_t *at, uint64_t *word)
{
	*word = __atomic_load_n(at, __ATOMIC_ACQUIRE);
	return (*word & 1) == phase(q);
}

static void tell(struct queue *q)
{
	q->told = (uint32_t)q->at;
	if (shared.acks)
		__atomic_store_n(&shared.acks[number(q)].taken, q->told, __ATOMIC_RELEASE);
}

/* Why no record comes any more, or NULL. */
static const char *ending(void)
{
	int saved = errno;
	bool gone = kill((pid_t)shared.file->writer, 0) && errno == ESRCH;

	errno = saved;
	if (__atomic_load_n(&shared.file->full, __ATOMIC_ACQUIRE))
		return "its file was full";
	return gone ? "the process that wrote it is gone" : NULL;
}

static uint64_t wait_for_record(struct queue *q, const uint64_t *at)
{
	const char *why = NULL;
	uint64_t word;

	for (unsigned i = 0; i < SPINS; i++) {
		if (there(q, at, &word))
			return word;
		__builtin_ia32_pause();
	}
	tell(q);
	for (unsigned naps = 0;; naps++) {
		if (shared.acks)
			__atomic_fetch_add(&shared.acks[number(q)].naps, 1, __ATOMIC_SEQ_CST);
		else if (naps % WRITER_NAPS == WRITER_NAPS - 1)
			why = ending();
		if (there(q, at, &word))
			return word;
		if (why)
			SYNC_DIE("the record ends here: ", why);
		sync_sleep((const uint32_t *)at, (uint32_t)word, true);
	}
}

static _Noreturn void differs(enum mvsync_op op, uint64_t word)
{
	static const char *const names[MVSYNC_OPS] = MVSYNC_OP_NAMES;
	unsigned recorded = word >> 1 & 31;

	prctl(MVSYNC_PRCTL, MVSYNC_DIFFERS, op, recorded, 0);
	if (shared.acks)
		for (;;)
			pause();	/* the run, or this variant, is about to end */
	SYNC_DIE("a thread comes to ", names[op], " where the record has ", recorded < MVSYNC_OPS ? names[recorded] : "no operation");
}

uint64_t sync_take(struct queue *q, enum mvsync_op op)
{
	const uint64_t *at = place(q);
	uint64_t word;

	if (!there(q, at, &word))
		word = wait_for_record(q, at);
	if ((word >> 1 & 31) != op)
		differs(op, word);
	q->at++;
	if ((uint32_t)q->at - q->told >= shared.length / 4)
		tell(q);
	return word;
}

static struct clock *clock_of(uint64_t word)
{
	return &clocks[word >> 14 & 1023];
}

static bool comes(const struct clock *c, uint64_t time)
{
	return !((__atomic_load_n(&c->now, __ATOMIC_ACQUIRE) ^ time) << (64 - TIME_BITS));
}

void sync_await(uint64_t word)
{
	struct clock *c = clock_of(word);
	uint64_t time = sync_value(word);

	for (unsigned i = 0; i < SPINS; i++) {
		if (comes(c, time))
			return;
		__builtin_ia32_pause();
	}
	__atomic_fetch_add(&c->waiters, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		uint32_t now = (uint32_t)__atomic_load_n(&c->now, __ATOMIC_SEQ_CST);

		if (comes(c, time))
			break;
		sleep_for_time(c, now, time);
	}
	__atomic_fetch_sub(&c->waiters, 1, __ATOMIC_SEQ_CST);
}

void sync_pass(uint64_t word)
{
	struct clock *c = clock_of(word);
	uint64_t now = __atomic_add_fetch(&c->now, 1, __ATOMIC_SEQ_CST);

	if (UNLIKELY(__atomic_load_n(&c->waiters, __ATOMIC_SEQ_CST)))
		wake_for_time(c, now);
}
