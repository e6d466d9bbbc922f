/*
 * Addresses that a program writes to a pipe or pair of sockets of its own making, to read them again: libuv's signal handlers
 * send the handle that is meant to its loop.  They are compared by what they mean, as operands are, and whoever reads them finds
 * its own variant's.
 *
 * The leader remembers what it has written; only that is an address to followers when it is read.  Bytes that happen to be one,
 * or that somebody else has made to look so, are in all variants what they are in the leader.
 */
#include "engine/internal.h"

#define LETTER_MAX 512u		/* longer ones are bytes; extra has a bit for each word */
#define WORD 8u

static uint32_t pair(const struct mv_thread *t)
{
	return mv_fd_get(t->process->files, (int32_t)t->call.args[0])->pair;
}

/* Stacks begin at a distance of their own in each variant. */
static bool means(const struct mv_thread *t, uint64_t word, uint64_t *meaning)
{
	const struct mv_mapping *m = mv_mm_find(t->process->mm, word);
	uint64_t out[2];

	if (!m || m->flags & (MV_MM_HIDDEN | MV_MM_FIXED_PLACE) || m->ordinal == MV_MAP_STACK ||
	    m->ordinal == MV_MAP_OWN || m->ordinal & MV_MAP_ALONE)
		return false;
	mv_mm_normalise(t->process->mm, word, out);
	*meaning = out[0] << 44 ^ out[1];
	return true;
}

/* ---- write: args fd, buffer, length ---- */

static void normalise(struct mv_thread *t)
{
	struct mv_blob *b = t->blob;
	uint32_t p = pair(t);

	if (!p || t->cls != MV_CLASS_LEADER || b->total > LETTER_MAX)
		return;
	for (uint64_t at = 0; at + WORD <= b->total; at += WORD) {
		uint64_t word, meaning;

		__builtin_memcpy(&word, b->bytes + at, WORD);
		if (!means(t, word, &meaning))
			continue;
		/* What nobody can write who does not know the run's secret. */
		meaning ^= t->run->config.seed[0];
		__builtin_memcpy(b->bytes + at, &meaning, WORD);
		mv_letter_put(t->process->files, p, word);	/* followers, too: one may lead later */
	}
}

const struct mv_hook mv_hook_write = { .normalise = normalise };

/* ---- read: args fd, buffer, length ---- */

static void collect(struct mv_thread *t)
{
	uint64_t words[LETTER_MAX / WORD], n = (uint64_t)t->result / WORD;
	uint32_t p = pair(t);

	if (!p || t->cls != MV_CLASS_LEADER || (uint64_t)t->result > LETTER_MAX || !mv_peek_all(t, t->call.args[1], words, n * WORD))
		return;
	for (unsigned i = 0; i < n; i++)
		if (mv_letter_is(t->process->files, p, words[i]))
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
