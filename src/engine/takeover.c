/*
 * A follower takes the leader's place.  The run's supervisor says which one, when the leader has been stopped for good and those that
 * go on have come to the end of what it has written.  A thread of the new leader's then leads from where its call stands.
 */
#include "internal.h"
#include "turns.h"

static uint32_t bit(unsigned variant)
{
	return (uint32_t)1 << variant;
}

/* ---- who agrees with whom ---- */

static void hash_call(const struct mv_thread *t, uint64_t out[2])
{
	struct mv_blob *b = t->blob;
	struct mv_hash h;
	uint64_t rest[2];

	mv_hash_init(&h, t->run->config.seed);
	mv_hash_update(&h, &t->call.nr, sizeof(t->call.nr));
	for (unsigned i = 0; i < t->desc->nin; i++)
		mv_hash_update(&h, &t->norm[t->desc->in[i].arg], sizeof(t->norm[0]));
	mv_hash_update(&h, &b->faults, sizeof(b->faults));
	mv_hash_update(&h, &b->total, sizeof(b->total));
	mv_hash_update(&h, b->bytes, b->total < MV_INLINE_MAX ? (size_t)b->total : MV_INLINE_MAX);
	mv_blob_hash(b, rest);
	mv_hash_update(&h, rest, sizeof(rest));
	mv_hash_final(&h, out);
}

void mv_accuse_call(struct mv_thread *t)
{
	struct mv_accusation *a = &t->run->accusations[t->variant];

	if (mv_hook_of(t)->abstract) {
		struct mv_blob compared = *t->blob;

		mv_gather(t);
		mv_hook_of(t)->abstract(t);
		hash_call(t, a->call);
		*t->blob = compared;
	} else {
		hash_call(t, a->call);
	}
	a->calls = true;
}

bool mv_run_agree(const struct mv_run *run, unsigned a, unsigned b)
{
	const struct mv_accusation *x = &run->accusations[a], *y = &run->accusations[b];

	return mv_run_accused(run) & bit(a) && mv_run_accused(run) & bit(b) && x->calls && y->calls && x->set == y->set &&
	       x->verdict.seq == y->verdict.seq && x->call[0] == y->call[0] && x->call[1] == y->call[1];
}

bool mv_thread_meets(const struct mv_thread *t, uint64_t seq)
{
	return t->state == MV_ST_MEET && t->seq == seq;
}

bool mv_run_at_end(const struct mv_run *run, unsigned variant)
{
	const struct mv_accusation *a = &run->accusations[variant];
	const struct mv_set *s = a->set ? mv_set_at(run, a->set) : NULL;

	return s && mv_stream_head((const struct mv_stream *)(s + 1)) == a->verdict.seq;
}

/* ---- the change ---- */

void mv_run_change(struct mv_run *run, uint32_t with)
{
	__atomic_fetch_or(&run->changing, with, __ATOMIC_SEQ_CST);
}

bool mv_run_reads_on(const struct mv_run *run, unsigned variant, uint64_t set)
{
	return __atomic_load_n(&run->changing, __ATOMIC_ACQUIRE) & bit(variant) && run->accusations[variant].set != set;
}

/*
 * Whoever has the turn may have been stopped in the midst of the program's code, or at what the leader alone does.  Its siblings must
 * not go on from there: their twins will find what is at its next call.
 */
bool mv_stays(const struct mv_thread *t)
{
	return t->process->turns && __atomic_load_n(&t->run->changing, __ATOMIC_ACQUIRE);
}

void mv_run_gather(struct mv_run *run, unsigned variant)
{
	__atomic_store_n(&run->gathering, bit(variant), __ATOMIC_SEQ_CST);
}

static bool is_read(const struct mv_stream *s, unsigned variant)
{
	return mv_stream_tail(s, mv_consumer(variant)) > mv_stream_head(s);
}

bool mv_set_is_read(const struct mv_run *run, uint64_t offset, unsigned variant)
{
	struct mv_set *s = mv_set_at(run, offset);

	return s && mv_follows(run, variant) && is_read((const struct mv_stream *)(s + 1), variant);
}

uint32_t *mv_set_yields(struct mv_run *run, uint64_t offset, unsigned variant)
{
	struct mv_set *s = mv_set_at(run, offset);
	struct mv_word *word = s && variant < MV_VARIANTS_MAX ? mv_turn_yield(run, s, variant) : NULL;

	return word ? &word->value : NULL;
}

void mv_set_changes(struct mv_run *run, uint64_t offset)
{
	struct mv_set *s = mv_set_at(run, offset);
	struct mv_procset *ps = s ? mv_set_procset(run, s, run->leader) : NULL;

	if (ps)
		__atomic_store_n(&ps->changed, __atomic_load_n(&ps->issued, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}

uint32_t *mv_set_rouses(struct mv_run *run, uint64_t offset)
{
	struct mv_set *s = mv_set_at(run, offset);
	struct mv_word *word = s ? mv_stream_commit_word((struct mv_stream *)(s + 1)) : NULL;

	if (word)
		mv_word_bump(word);
	return word ? &word->value : NULL;
}

bool mv_thread_is_quiet(const struct mv_thread *t, bool undone)
{
	switch (t->state) {
	case MV_ST_IDLE:
	case MV_ST_LOCAL:
	case MV_ST_WANT:
	case MV_ST_MEET:
	case MV_ST_LOCK:
		return !t->follows;
	case MV_ST_PUBLISH:
		return !t->ticket;
	case MV_ST_HOLD:
		return t->stays;
	case MV_ST_LEAD:
		return undone && !t->step && !t->follows;
	default:
		return false;
	}
}

bool mv_thread_rests(const struct mv_thread *t)
{
	return !t->leads && (t->state == MV_ST_FETCH || t->state == MV_ST_AWAIT) && !t->passing && !t->alone;
}

bool mv_thread_awaits(const struct mv_thread *t)
{
	return t->state != MV_ST_FETCH;
}

bool mv_thread_begins(const struct mv_thread *t)
{
	return t->state != MV_ST_IDLE && (t->call.nr == MV_PSEUDO_BEGIN || t->call.nr == MV_PSEUDO_ENTER);
}

bool mv_gathers(const struct mv_thread *t)
{
	return __atomic_load_n(&t->run->gathering, __ATOMIC_ACQUIRE) & bit(t->variant) && mv_thread_rests(t) &&
	       is_read(t->stream, t->variant);
}

/* The call that they disagree with is not made. */
static void pass(struct mv_stream *s, unsigned consumer)
{
	while (mv_stream_tail(s, consumer) && mv_stream_tail(s, consumer) <= mv_stream_head(s))
		mv_stream_consume(s, consumer);
}

void mv_run_take_over(struct mv_run *run, unsigned variant, uint32_t with)
{
	struct mv_set *s = mv_set_at(run, run->accusations[variant].set);
	unsigned former = mv_run_leader(run);

	for (unsigned v = 1; s && v < run->config.variants; v++) {
		if (!(with & bit(v)))
			continue;
		if (v == variant)
			mv_stream_leave((struct mv_stream *)(s + 1), mv_consumer(v));
		else
			pass((struct mv_stream *)(s + 1), mv_consumer(v));
		__builtin_memset(&run->accusations[v], 0, sizeof(run->accusations[v]));
	}
	mv_run_release(run, former);
	__atomic_fetch_or(&run->accused, bit(former), __ATOMIC_SEQ_CST);
	__atomic_store_n(&run->leader, variant, __ATOMIC_SEQ_CST);
	__atomic_store_n(&run->changing, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&run->gathering, 0, __ATOMIC_SEQ_CST);
	__atomic_fetch_and(&run->accused, ~with, __ATOMIC_SEQ_CST);
}

bool mv_run_uses_ipc(const struct mv_run *run)
{
	return __atomic_load_n(&run->ipc, __ATOMIC_RELAXED);
}

/* ---- a thread ---- */

static bool has_read_all(const struct mv_thread *t)
{
	const void *payload;

	return !mv_stream_next(t->stream, mv_consumer(t->variant), &payload);
}

bool mv_thread_leads(struct mv_thread *t)
{
	if (t->leads || !mv_leads(t->run, t->variant) || !has_read_all(t))
		return t->leads;
	switch (t->state) {
	case MV_ST_IDLE:
	case MV_ST_LOCAL:
		break;
	case MV_ST_FETCH:
		/* The leader's was another one: nobody makes this before all have come to it. */
		t->leads = true;
		mv_gather(t);
		t->level = MV_LEVEL_LOCKSTEP;
		t->state = mv_turn_enter(t);
		break;
	case MV_ST_AWAIT:
		/* The leader has told of it, and was stopped before it had made it. */
		t->seq = mv_latest(t)->seq;
		t->state = t->level == MV_LEVEL_LOCKSTEP ? MV_ST_MEET : MV_ST_LOCK;
		break;
	default:
		return false;
	}
	t->leads = true;
	t->turn = 0;		/* with the change all have given theirs up */
	t->awaits = t->passing = false;
	t->nearly = 0;
	mv_files_real(t->process->files);
	return true;
}

void mv_thread_again(struct mv_thread *t)
{
	t->ncalls--;
	t->state = MV_ST_IDLE;
	t->wary = true;
}
