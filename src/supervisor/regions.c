/*
 * Which of what differs are pointers, and where they point.  A pointer is what points into a mapping of each variant, as eight
 * bytes or as the digits that a program prints; nothing else is known of the bytes.
 */
#include <stdlib.h>
#include <string.h>
#include "supervisor/report.h"
#include "supervisor/verdict.h"

#define DIGITS_MIN 6		/* fewer are more likely to be a number */
#define DIGITS_MAX 20

const struct mv_region *mv_region_at(const struct mv_snapshot *s, uint64_t address)
{
	unsigned i;

	for (i = 0; s && i < s->nregions; i++)
		if (address >= s->regions[i].start && address < s->regions[i].end)
			return &s->regions[i];
	return NULL;
}

const struct mv_snapshot *mv_report_snapshot(const struct mv_report *r, unsigned variant)
{
	const struct mv_snapshot *s, *any = NULL;

	for (s = r->snapshots; s < r->snapshots + r->nsnapshots; s++) {
		if (s->variant != variant)
			continue;
		if (s->tid == r->verdict.set)
			return s;
		if (!any)
			any = s;
	}
	return any;
}

/* How many digits there are, and what they say; 0 if they do not fit. */
static unsigned digits(const uint8_t *bytes, unsigned n, int base, uint64_t *value)
{
	static const char known[] = "0123456789abcdefABCDEF";
	char text[DIGITS_MAX + 2] = "";
	unsigned i;

	for (i = 0; i < n && i <= DIGITS_MAX && bytes[i] && memchr(known, bytes[i], base == 10 ? 10 : sizeof(known) - 1); i++)
		text[i] = (char)bytes[i];
	*value = strtoull(text, NULL, base);
	return i <= DIGITS_MAX ? i : 0;
}

/* What the leader's memory is like is not known where the run went on without the other. */
static bool both_point(const struct mv_snapshot *leader, const struct mv_snapshot *other, struct mv_pointer *p)
{
	p->leader_region = mv_region_at(leader, p->leader);
	p->variant_region = mv_region_at(other, p->variant);
	return p->leader != p->variant && p->variant_region && (p->leader_region || (p->leader && !(leader && leader->nregions)));
}

/* As bytes, or as digits that begin here; their length in both, or 0. */
static unsigned pointer_here(const struct mv_verdict *v, const struct mv_snapshot *leader, const struct mv_snapshot *other, unsigned i,
			     unsigned known, struct mv_pointer *p)
{
	const uint8_t *a = v->leader_bytes + i, *b = v->variant_bytes + i;
	uint64_t none;
	int base;

	*p = (struct mv_pointer){ 0 };
	if (known - i >= sizeof(p->leader)) {
		memcpy(&p->leader, a, sizeof(p->leader));
		memcpy(&p->variant, b, sizeof(p->variant));
		if (both_point(leader, other, p))
			return sizeof(p->leader);
	}
	if (i && digits(a - 1, 1, 16, &none))
		return 0;
	p->digits = true;
	for (base = 16; base >= 10; base -= 6) {
		unsigned na = digits(a, known - i, base, &p->leader), nb = digits(b, known - i, base, &p->variant);

		if (na >= DIGITS_MIN && nb >= DIGITS_MIN && both_point(leader, other, p))
			return na < nb ? na : nb;
	}
	return 0;
}

unsigned mv_report_pointers(const struct mv_report *r, struct mv_pointer *out, unsigned max)
{
	const struct mv_verdict *v = &r->verdict;
	const struct mv_snapshot *leader = mv_report_snapshot(r, r->leader), *other = mv_report_snapshot(r, v->variant);
	unsigned known = v->known < sizeof(v->leader_bytes) ? v->known : (unsigned)sizeof(v->leader_bytes);
	unsigned first = mv_verdict_first_byte(v), i, n = 0;

	if (v->kind != MV_VERDICT_DIVERGENCE || (v->difference != MV_DIFF_BYTES && v->difference != MV_DIFF_ARG))
		return 0;
	if (v->difference == MV_DIFF_ARG && max) {
		*out = (struct mv_pointer){ .arg = v->arg, .is_arg = true, .leader = v->leader_value, .variant = v->variant_value };
		n = both_point(leader, other, out);
	}
	for (i = 0; i < known && n < max;) {
		unsigned length = pointer_here(v, leader, other, i, known, &out[n]);

		if (length) {
			out[n].arg = v->bytes_arg;
			out[n++].offset = v->offset - first + i;
		}
		i += length ? length : 1;
	}
	return n;
}
