/*
 * Addresses that a program writes to a pipe or pair of sockets of its own making: libuv's signal handlers send the handle that is
 * meant to its loop, sshd's monitor sends its child a struct as it lies in memory.  Bytes that differ are equal where they are
 * the same place in each variant's own memory, wherever in the message that is.  The leader puts a list before the message: where in it
 * there may be an address, which one, and what that means in every variant.
 *
 * Whoever reads the addresses in the process that wrote them, or in one forked from it or that it was forked from, finds its own
 * variant's: lsof sends its child the function that it shall call.  The run remembers what leaders have written; only that is an
 * address to followers when it is read.  Bytes that happen to be one, or that somebody else has made to look so, are in all
 * variants what they are in the leader.  So is what another program reads.
 */
#include "engine/internal.h"

#define MESSAGE_MAX MV_SCRATCH	/* longer ones are bytes */
#define LETTER_MAX 512u		/* ... longer ones the writer itself reads as bytes; extra has a bit for each word */
#define LIST_MAX (MV_INLINE_MAX / sizeof(struct place))
#define WORD 8u

/* Where in a message there is one of the leader's addresses. */
struct place {
	uint64_t at;
	uint64_t word;
	uint64_t meaning;
};

static uint32_t pair(const struct mv_thread *t)
{
	return mv_fd_get(t->process->files, (int32_t)t->call.args[0])->pair;
}

/* Stacks begin at a distance of their own in each variant. */
static bool means(const struct mv_thread *t, uint64_t word, uint64_t *meaning)
{
	const struct mv_mapping *m = word >> 47 ? NULL : mv_mm_find(t->process->mm, word);
	uint64_t out[2];

	if (!m || m->flags & (MV_MM_HIDDEN | MV_MM_FIXED_PLACE) || m->ordinal == MV_MAP_STACK ||
	    m->ordinal == MV_MAP_OWN || m->ordinal & MV_MAP_ALONE)
		return false;
	mv_mm_normalise(t->process->mm, word, out);
	*meaning = out[0] << 44 ^ out[1];
	return true;
}

/* Several processes may be at it, and what one finds when another overwrites it is no letter. */
static bool letter_is(const struct mv_thread *t, uint32_t pair, uint64_t address)
{
	const struct mv_letters *l = &t->run->letters[t->variant];

	for (unsigned i = 0; i < MV_LETTERS; i++)
		if (__atomic_load_n(&l->slots[i].pair, __ATOMIC_ACQUIRE) == pair &&
		    __atomic_load_n(&l->slots[i].address, __ATOMIC_RELAXED) == address)
			return true;
	return false;
}

static void letter_put(struct mv_thread *t, uint32_t pair, uint64_t address)
{
	struct mv_letters *l = &t->run->letters[t->variant];
	struct mv_letter *slot;

	if (letter_is(t, pair, address))
		return;
	slot = &l->slots[__atomic_fetch_add(&l->n, 1, __ATOMIC_RELAXED) % MV_LETTERS];
	__atomic_store_n(&slot->pair, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->address, address, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->pair, pair, __ATOMIC_RELEASE);
}

/* ---- write: args fd, buffer, length ---- */

/* The message, or what could be read of it, is no more than bytes. */
static bool is_plain(const struct mv_thread *t)
{
	return !pair(t) || t->cls != MV_CLASS_LEADER || t->blob->faults || t->blob->total < WORD || t->blob->total > MESSAGE_MAX;
}

/* What has been gathered, in the thread's scratch. */
static bool message(struct mv_thread *t)
{
	const struct mv_blob *b = t->blob;

	if (b->total > MV_INLINE_MAX)
		return mv_peek_all(t, t->call.args[1], t->scratch, b->total);
	__builtin_memcpy(t->scratch, b->bytes, b->total);
	return true;
}

static uint64_t word_at(const uint8_t *bytes, uint64_t at)
{
	uint64_t word;

	__builtin_memcpy(&word, bytes + at, WORD);
	return word;
}

/* The gathered input anew: the list, and what is in the scratch. */
static void put_list(struct mv_thread *t, const void *list, uint64_t len)
{
	struct mv_blob *b = t->blob;
	uint64_t total = b->total;

	b->total = 0;
	mv_blob_put(b, list, len, t->run->config.seed);
	mv_blob_put(b, t->scratch, total, t->run->config.seed);
	for (unsigned i = 0; i < b->nmarks; i++)
		b->marks[i].start += len;
}

/* For whoever reads it in this process, which may lead later if it does not. */
static void remember(struct mv_thread *t)
{
	uint64_t meaning;

	for (uint64_t at = 0; at + WORD <= t->blob->total; at += WORD)
		if (means(t, word_at(t->blob->bytes, at), &meaning))
			letter_put(t, pair(t), word_at(t->blob->bytes, at));
}

static void normalise(struct mv_thread *t)
{
	struct place list[LIST_MAX];
	uint64_t n = 0, total = t->blob->total;

	if (is_plain(t))
		return;
	if (total <= LETTER_MAX)
		remember(t);
	if (!t->leads || !message(t))
		return;
	for (uint64_t at = 0; at + WORD <= total && n < LIST_MAX; at++) {
		struct place *p = &list[n];

		*p = (struct place){ .at = at, .word = word_at(t->scratch, at) };
		n += means(t, p->word, &p->meaning);
	}
	if (n)
		put_list(t, list, n * sizeof(*list));
}

static void reconcile(struct mv_thread *t, const struct mv_record *rec, const void *payload)
{
	uint64_t total, len;

	if (!pair(t))
		return;
	if (t->blob->total != t->call.args[2])	/* it has another leader's list still */
		mv_gather(t);
	total = t->blob->total;
	len = rec->input_len - total;
	if (is_plain(t) || rec->input_len <= total || len % sizeof(struct place) || len > rec->payload_len || len > MV_INLINE_MAX || !message(t))
		return;
	for (uint64_t i = 0; i < len; i += sizeof(struct place)) {
		struct place p;
		uint64_t word, meaning;

		__builtin_memcpy(&p, (const uint8_t *)payload + i, sizeof(p));
		if (p.at > total - WORD)
			return;
		word = word_at(t->scratch, p.at);
		if (word != p.word && means(t, word, &meaning) && meaning == p.meaning)
			__builtin_memcpy(t->scratch + p.at, &p.word, WORD);
	}
	put_list(t, payload, len);
}

static void abstract(struct mv_thread *t)
{
	if (is_plain(t) || !message(t))
		return;
	for (uint64_t at = 0; at + WORD <= t->blob->total; at++) {
		uint64_t meaning;

		if (means(t, word_at(t->scratch, at), &meaning))
			__builtin_memcpy(t->scratch + at, &meaning, WORD);
	}
	put_list(t, NULL, 0);
}

static void written(struct mv_thread *t)
{
	mv_copied_collect(t);
	if (mv_fd_get(t->process->files, (int32_t)t->call.args[0])->flags & MV_FD_HELD)
		t->flags |= MV_REC_HOLD;
}

const struct mv_hook mv_hook_write = {
	.collect = written, .normalise = normalise, .reconcile = reconcile, .abstract = abstract, .follow = mv_copied_follow,
};

/* ---- read: args fd, buffer, length ---- */

static void collect(struct mv_thread *t)
{
	uint64_t words[LETTER_MAX / WORD], n = (uint64_t)t->result / WORD, meaning;
	uint32_t p = pair(t);

	if (!p || t->cls != MV_CLASS_LEADER || (uint64_t)t->result > LETTER_MAX || !mv_peek_all(t, t->call.args[1], words, n * WORD))
		return;
	for (unsigned i = 0; i < n; i++)
		if (means(t, words[i], &meaning) && letter_is(t, p, words[i]))
			t->extra |= 1ull << i;
}

static void convert(struct mv_thread *t, uint64_t offset, uint8_t *bytes, size_t len, bool out)
{
	for (unsigned i = 0; i < LETTER_MAX / WORD; i++) {
		uint64_t at = i * WORD, word, meaning = 0;

		if (!(t->extra >> i & 1) || at < offset || at + WORD > offset + len)
			continue;
		__builtin_memcpy(&word, bytes + (at - offset), WORD);
		if (!out)
			meaning = mv_mm_address(t->process->mm, word >> 44, word & ((1ull << 44) - 1));
		else if (!means(t, word, &meaning))
			meaning = 0;	/* it is not mapped any more */
		__builtin_memcpy(bytes + (at - offset), &meaning, WORD);
	}
}

static void publish(struct mv_thread *t, const struct mv_dest *d, uint64_t offset, void *bytes, size_t len)
{
	(void)d;
	convert(t, offset, bytes, len, true);
}

static void adopt(struct mv_thread *t, const struct mv_dest *d, uint64_t offset, void *bytes, size_t len)
{
	(void)d;
	convert(t, offset, bytes, len, false);
}

const struct mv_hook mv_hook_read = {
	.collect = collect, .publish = publish, .adopt = adopt, .seldom = true, .done = mv_signal_records,
};
