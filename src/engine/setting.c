/*
 * Looks at settings of the machine's that libraries take at moments which may follow from addresses: before the C library gives back a part of a
 * thread's heap for the first time it reads whether memory is overcommitted.  Heaps hold what is hashed by addresses, so one variant may
 * come to that at another call than the others, or never.
 *
 * It opens a file that says the same to all, reads, closes, and has told nobody anything.  A variant that comes to it alone makes these calls for
 * itself, with a descriptor that no other has (expected.c); those of the leader alone are passed over.  Where both look at once it is compared as ever.
 */
#include "internal.h"

#define NR_READ 0
#define NR_CLOSE 3
#define NR_OPENAT 257
#define O_CLOEXEC_ 02000000u

static const char setting[] = "/proc/sys/vm/overcommit_memory";

static bool looks(const struct mv_policy *policy, uint32_t nr, const uint64_t *norm, const void *path, uint64_t len)
{
	struct mv_call call = { .nr = nr };

	if (nr != NR_OPENAT || (uint32_t)norm[2] != O_CLOEXEC_ || len != sizeof(setting) || __builtin_memcmp(path, setting, sizeof(setting)))
		return false;
	__builtin_memcpy(call.args, norm, sizeof(call.args));
	return !mv_call_is_sensitive(policy, &call);
}

bool mv_looks(const struct mv_thread *t)
{
	return t->call.nr == NR_OPENAT && t->cls == MV_CLASS_LEADER && !t->blob->faults &&
	       looks(&t->run->policy, t->call.nr, t->norm, t->blob->bytes, t->blob->total);
}

static bool leader_looks(const struct mv_thread *t, const struct mv_record *rec, const void *payload)
{
	return rec->nr == NR_OPENAT && rec->payload_len >= sizeof(setting) &&
	       looks(&t->run->policy, rec->nr, mv_record_args(rec), payload, rec->input_len);
}

static bool is_rest(const struct mv_thread *t, uint32_t nr, const uint64_t *norm)
{
	return t->look && (nr == NR_READ || nr == NR_CLOSE) && norm[0] == t->look - 1;
}

bool mv_look_on(struct mv_thread *t)
{
	bool rest = is_rest(t, t->call.nr, t->norm);

	if (!rest || t->call.nr == NR_CLOSE)
		t->look = 0;
	return rest || mv_looks(t);
}

void mv_look_begin(struct mv_thread *t)
{
	t->look = t->process->turns && t->result >= 0 && mv_looks(t) ? (uint64_t)t->result + 1 : 0;
}

enum mv_expect mv_look(struct mv_thread *t, const struct mv_record *rec, const void *payload)
{
	bool leaders;

	/* Nobody but the leader has that descriptor until it is closed. */
	if (is_rest(t, rec->nr, mv_record_args(rec))) {
		if (rec->nr == NR_CLOSE)
			t->look = 0;
		return MV_EXPECT_LEADERS;
	}
	leaders = leader_looks(t, rec, payload);
	if (leaders == mv_looks(t))
		return MV_EXPECT_NOTHING;
	if (!leaders)
		return MV_EXPECT_MINE;
	t->look = MV_LOOK_OPENS;
	return MV_EXPECT_LEADERS;
}

void mv_look_result(struct mv_thread *t, int64_t result)
{
	if (t->look == MV_LOOK_OPENS)
		t->look = result < 0 ? 0 : (uint64_t)result + 1;
}
