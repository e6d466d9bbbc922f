/*
 * Temporary names.  The C library draws the six letters of mkstemp() and mkdtemp() from, among others, the address of a
 * variable on its stack (mktemp(1) asks for ten): variants that are laid out differently draw different names for the same file.
 * Only the leader's file is made, so a follower takes over the leader's letters, in its memory too, where the program reads the
 * name back.
 *
 * Nothing else may differ: the same length, at most twelve neighbouring letters or digits.
 */
#include "internal.h"

#define LETTERS 12

static bool letter(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

void mv_adopt_temporary_name(struct mv_thread *t, const struct mv_record *rec, const void *payload, unsigned arg)
{
	struct mv_blob *b = t->blob;
	const uint8_t *leader = payload;
	uint64_t first = 0, end, start = UINT64_MAX, next = b->total;

	if (b->total != rec->input_len || b->total > rec->payload_len || b->faults)
		return;
	for (unsigned i = 0; i < b->nmarks; i++)
		if (b->marks[i].arg == arg)
			start = b->marks[i].start;
		else if (b->marks[i].start > start && b->marks[i].start < next)
			next = b->marks[i].start;
	while (first < b->total && b->bytes[first] == leader[first])
		first++;
	end = b->total;
	while (end > first && b->bytes[end - 1] == leader[end - 1])
		end--;
	if (end == first || end - first > LETTERS || first < start || end > next)
		return;
	for (uint64_t i = first; i < end; i++)
		if (!letter(b->bytes[i]) || !letter(leader[i]))
			return;
	if (t->ops->poke(t->task, t->call.args[arg] + (first - start), leader + first, end - first) == end - first)
		__builtin_memcpy(b->bytes + first, leader + first, end - first);
}
