#include <errno.h>
#include <string.h>
#include "rewrite/trampoline.h"

#define JMP_LEN 5
#define JCC_LEN 6

bool mv_is_trap_byte(uint8_t byte)
{
	switch (byte) {
	case 0xcc:
	case 0x06: case 0x07: case 0x0e: case 0x16: case 0x17: case 0x1e: case 0x1f:	/* push, pop of a segment */
	case 0x27: case 0x2f: case 0x37: case 0x3f:	/* daa, das, aaa, aas */
	case 0x60: case 0x61:				/* pusha, popa */
	case 0x9a: case 0xea:				/* far call, far jmp */
	case 0xce:					/* into */
	case 0xd4:					/* aam */
	case 0xd6:					/* udb */
		return true;
	default:
		return false;
	}
}

static unsigned copied_length(const struct mv_displaced *d)
{
	switch (d->kind) {
	case MV_DISPLACED_JMP:
		return JMP_LEN;
	case MV_DISPLACED_JCC:
		return JCC_LEN;
	case MV_DISPLACED_PAD:
		return 0;
	default:
		return d->length;
	}
}

unsigned mv_trampoline_size(const struct mv_site *site)
{
	unsigned size = MV_ENTRY_LEN;

	if (site->kind == MV_SITE_NONE)
		return 0;
	for (unsigned i = 0; i < site->ndisplaced; i++)
		size += copied_length(&site->displaced[i]);
	return site->kind == MV_SITE_F ? size + JMP_LEN : size;
}

/* ---- code ---- */

struct out {
	uint8_t *at;
	uint64_t address;	/* where *at will be */
	int code;		/* 0 or -ERANGE */
};

static void put(struct out *o, const void *bytes, size_t n)
{
	memcpy(o->at, bytes, n);
	o->at += n;
	o->address += n;
}

/* Four bytes that lead to target from where the instruction ends, rest bytes behind them. */
static void put_distance(struct out *o, uint64_t target, unsigned rest)
{
	int64_t distance = (int64_t)(target - (o->address + 4 + rest));
	int32_t narrow = (int32_t)distance;

	if (distance != narrow)
		o->code = -ERANGE;
	put(o, &narrow, sizeof(narrow));
}

static void put_jmp(struct out *o, uint64_t target)
{
	put(o, "\xe9", 1);
	put_distance(o, target, 0);
}

static void put_entry(struct out *o, const struct mv_site *site, uint64_t ret, int32_t entry)
{
	bool counter = mv_site_is_counter(site);

	put(o, counter ? "\x48\x8d\x05" : "\x48\x8d\x0d", 3);	/* lea ret(%rip),%rax or %rcx */
	entry += counter ? MV_ENTRY_SIZE : 0;
	put_distance(o, ret, 0);
	put(o, "\x65\xff\x24\x25", 4);		/* jmp *%gs:entry */
	put(o, &entry, sizeof(entry));
}

/* Where an instruction at address refers to: its end plus the distance in its field. */
static uint64_t target_of(const struct mv_displaced *d, const uint8_t *in, uint64_t address)
{
	bool near = d->kind != MV_DISPLACED_RIP && d->length - d->field == 1;
	int32_t distance;

	if (near)
		distance = in[d->field] - (in[d->field] & 0x80 ? 256 : 0);
	else
		memcpy(&distance, in + d->field, sizeof(distance));
	return address + d->length + (uint64_t)(int64_t)distance;
}

static void put_displaced(struct out *o, const struct mv_site *site, const struct mv_displaced *d, uint64_t text)
{
	const uint8_t *in = site->bytes + d->at;
	uint8_t condition[2];
	unsigned rest;

	switch (d->kind) {
	case MV_DISPLACED_PLAIN:
		put(o, in, d->length);
		break;
	case MV_DISPLACED_RIP:
		rest = d->length - d->field - 4u;
		put(o, in, d->field);
		put_distance(o, target_of(d, in, text + d->at), rest);
		put(o, in + d->field + 4, rest);
		break;
	case MV_DISPLACED_JMP:
		put_jmp(o, target_of(d, in, text + d->at));
		break;
	case MV_DISPLACED_JCC:
		condition[0] = 0x0f;
		condition[1] = (uint8_t)(0x80 | (in[d->field - 1] & 0x0f));
		put(o, condition, sizeof(condition));
		put_distance(o, target_of(d, in, text + d->at), 0);
		break;
	default:
		break;
	}
}

static bool traps_are_there(const struct mv_site *site, const uint8_t patch[MV_PATCH_LEN])
{
	for (unsigned i = 0; i < 4; i++)
		if (site->traps >> i & 1 && !mv_is_trap_byte(patch[1 + i]))
			return false;
	return true;
}

int mv_trampoline_make(const struct mv_site *site, uint64_t at, uint64_t slot, int32_t entry, struct mv_trampoline *t)
{
	uint64_t text = at - site->before;
	struct out code = { t->code, slot, 0 }, patch = { t->patch, text, 0 };

	if (site->kind == MV_SITE_NONE)
		return -EINVAL;
	t->patch_at = text;
	t->ret = site->kind == MV_SITE_P1 ? at + 2 : slot + MV_ENTRY_LEN;
	if (site->kind == MV_SITE_F)
		put_entry(&code, site, t->ret, entry);
	for (unsigned i = 0; i < site->ndisplaced; i++)
		put_displaced(&code, site, &site->displaced[i], text);
	if (site->kind == MV_SITE_F)
		put_jmp(&code, at + site->length);
	else
		put_entry(&code, site, t->ret, entry);
	t->size = (unsigned)(code.at - t->code);
	put_jmp(&patch, slot);
	if (patch.code || !traps_are_there(site, t->patch))
		return -ERANGE;
	return code.code;
}

/* ---- places ---- */

int mv_trampoline_to_text(const struct mv_site *site, unsigned offset)
{
	unsigned at = 0;

	if (site->kind == MV_SITE_NONE)
		return MV_NOWHERE;
	if (site->kind == MV_SITE_P1) {
		at = site->length;
		if (!offset)
			return -(int)site->before;
		return offset == at || offset == at + 7 ? 0 : MV_NOWHERE;
	}
	if (offset == 0 || offset == 7)		/* lea, jmp */
		return 0;
	at = MV_ENTRY_LEN;
	for (unsigned i = 0; i < site->ndisplaced; i++) {
		if (at == offset && site->displaced[i].kind != MV_DISPLACED_PAD)
			return site->displaced[i].at;
		at += copied_length(&site->displaced[i]);
	}
	return at == offset ? site->length : MV_NOWHERE;
}

int mv_trampoline_from_text(const struct mv_site *site, unsigned offset)
{
	unsigned at = MV_ENTRY_LEN;

	if (site->kind != MV_SITE_F)
		return MV_NOWHERE;
	for (unsigned i = 0; i < site->ndisplaced; i++) {
		const struct mv_displaced *d = &site->displaced[i];

		if (d->at == offset && d->kind != MV_DISPLACED_PAD)
			return (int)at;
		at += copied_length(d);
	}
	return MV_NOWHERE;
}
