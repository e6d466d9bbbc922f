#include "internal.h"

/* Fill what every verdict of this thread has in common. */
static struct mv_verdict *begin(struct mv_thread *t, const struct mv_record *rec)
{
	struct mv_verdict *v = mv_divergence_begin(t->run, t->variant, t->set);

	if (!v)
		return NULL;
	v->variant_call = t->call;
	v->seq = mv_latest(t)->seq;
	if (rec) {
		v->seq = mv_stream_tail(t->stream, mv_consumer(t->variant));
		v->leader_call.nr = rec->nr;
		__builtin_memcpy(v->leader_call.args, mv_record_args(rec), sizeof(rec->args));
		mv_accuse_call(t);
	}
	return v;
}

#define BEFORE 16	/* bytes: what differs may be the end of something */

/* The argument and the offset behind it that byte number at of the gathered input belongs to, and where those bytes end. */
static unsigned locate(const struct mv_blob *b, uint64_t at, uint64_t *offset, uint64_t *end)
{
	unsigned arg = 0, i;

	*offset = at;
	for (i = 0; i < b->nmarks && b->marks[i].start <= at; i++) {
		arg = b->marks[i].arg;
		*offset = at - b->marks[i].start;
	}
	*end = i < b->nmarks ? b->marks[i].start : b->total;
	return arg;
}

/* How many bytes of the inputs both have at hand. */
static uint64_t valid(const struct mv_thread *t, const struct mv_record *rec)
{
	uint64_t n = t->blob->total < MV_INLINE_MAX ? t->blob->total : MV_INLINE_MAX;

	return n < rec->payload_len ? n : rec->payload_len;
}

static uint64_t first_difference(const uint8_t *a, const uint8_t *b, uint64_t n)
{
	uint64_t i = 0;

	if (!__builtin_memcmp(a, b, n))
		return n;
	while (a[i] == b[i])
		i++;
	return i;
}

/* Keep what there is from a little before byte number at on.  All bytes at hand may be equal: then at is their number. */
static void keep_bytes(struct mv_verdict *v, const struct mv_thread *t, const uint8_t *leader, uint64_t at, uint64_t n)
{
	uint64_t from = at, end;

	v->bytes_arg = locate(t->blob, at, &v->offset, &end);
	if (at < n)
		from -= v->offset < BEFORE ? v->offset : BEFORE;
	if (end > n)
		end = n;
	if (end > from + sizeof(v->leader_bytes))
		end = from + sizeof(v->leader_bytes);
	v->known = (uint32_t)(end - from);
	__builtin_memcpy(v->leader_bytes, leader + from, v->known);
	__builtin_memcpy(v->variant_bytes, t->blob->bytes + from, v->known);
}

static bool differ_bytes(struct mv_thread *t, const struct mv_record *rec, const uint8_t *leader, uint64_t at, uint64_t n)
{
	struct mv_verdict *v = begin(t, rec);

	if (!v)
		return false;
	v->difference = MV_DIFF_BYTES;
	keep_bytes(v, t, leader, at, n);
	v->arg = v->bytes_arg;
	mv_divergence_end(t->run, v);
	return false;
}

/* Where a value differs, a length for one, the input often does, too, and tells more.  leader may be NULL. */
static bool differ_value(struct mv_thread *t, const struct mv_record *rec, const uint8_t *leader, enum mv_difference what, unsigned arg,
			 uint64_t leader_value, uint64_t variant_value)
{
	struct mv_verdict *v = begin(t, rec);

	if (!v)
		return false;
	v->difference = what;
	v->arg = arg;
	v->leader_value = leader_value;
	v->variant_value = variant_value;
	if (leader) {
		uint64_t n = valid(t, rec), at = first_difference(leader, t->blob->bytes, n);

		if (at < n)
			keep_bytes(v, t, leader, at, n);
	}
	mv_divergence_end(t->run, v);
	return false;
}

static bool same_input(struct mv_thread *t, const struct mv_record *rec, const uint8_t *leader)
{
	struct mv_blob *b = t->blob;
	unsigned faults = rec->faults;
	uint64_t n = valid(t, rec), at, hash[2], offset, end;

	if (faults != b->faults) {
		unsigned arg = (unsigned)__builtin_ctz(faults ^ b->faults);

		return differ_value(t, rec, NULL, MV_DIFF_FAULT, arg, !(faults >> arg & 1), !(b->faults >> arg & 1));
	}
	at = first_difference(leader, b->bytes, n);
	if (at < n)
		return differ_bytes(t, rec, leader, at, n);
	if (rec->input_len != b->total)
		return differ_value(t, rec, NULL, MV_DIFF_LENGTH, locate(b, n ? n - 1 : 0, &offset, &end), rec->input_len, b->total);
	if (b->total <= MV_INLINE_MAX)
		return true;
	mv_blob_hash(b, hash);
	if (hash[0] != rec->hash[0] || hash[1] != rec->hash[1])
		return differ_bytes(t, rec, leader, MV_INLINE_MAX, MV_INLINE_MAX);
	return true;
}

bool mv_compare(struct mv_thread *t, const struct mv_record *rec, const void *payload)
{
	const uint64_t *args = mv_record_args(rec);
	bool fault = t->call.nr == MV_PSEUDO_FAULT || rec->nr == MV_PSEUDO_FAULT;

	if (rec->nr != t->call.nr)
		return differ_value(t, rec, NULL, fault ? MV_DIFF_SIGNAL : MV_DIFF_NR, 0, rec->nr, t->call.nr);
	if (t->level == MV_LEVEL_UNCHECKED)
		return true;
	for (unsigned i = 0; i < t->desc->nin; i++) {
		unsigned a = t->desc->in[i].arg;

		if (args[a] != t->norm[a])
			return differ_value(t, rec, fault ? NULL : payload, fault ? MV_DIFF_SIGNAL : MV_DIFF_ARG, a, args[a], t->norm[a]);
	}
	return same_input(t, rec, payload);
}

void mv_diverge_result(struct mv_thread *t, int64_t own)
{
	struct mv_verdict *v = begin(t, NULL);

	if (!v)
		return;
	v->difference = MV_DIFF_RESULT;
	v->leader_call.nr = t->call.nr;
	__builtin_memcpy(v->leader_call.args, t->norm, sizeof(t->norm));
	v->leader_value = (uint64_t)t->result;
	v->variant_value = (uint64_t)own;
	mv_divergence_end(t->run, v);
}
