#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "rewrite/functions.h"

#define SECTIONS_MAX 65536

/* DWARF's pointer encodings (DW_EH_PE_*), as far as linkers for x86-64 use them. */
#define PE_ABSPTR 0x00
#define PE_UDATA2 0x02
#define PE_UDATA4 0x03
#define PE_UDATA8 0x04
#define PE_SDATA2 0x0a
#define PE_SDATA4 0x0b
#define PE_SDATA8 0x0c
#define PE_PCREL 0x10
#define PE_OMIT 0xff

/* Bytes of a section; a read beyond the end gives 0 and makes it bad. */
struct bytes {
	const uint8_t *at, *end;
	uint64_t vaddr;		/* of *at */
	bool bad;
};

static uint64_t take(struct bytes *b, unsigned n)
{
	uint64_t value = 0;

	if ((size_t)(b->end - b->at) < n) {
		b->bad = true;
		b->at = b->end;
		return 0;
	}
	memcpy(&value, b->at, n);
	b->at += n;
	b->vaddr += n;
	return value;
}

static uint64_t take_leb(struct bytes *b)
{
	uint64_t value = 0, byte;
	unsigned shift = 0;

	do {
		byte = take(b, 1);
		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80 && !b->bad);
	return value;
}

static uint64_t take_pointer(struct bytes *b, uint8_t encoding)
{
	uint64_t from = b->vaddr, value;

	switch (encoding & 0x0f) {
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8:
		value = take(b, 8);
		break;
	case PE_UDATA2:
		value = take(b, 2);
		break;
	case PE_SDATA2:
		value = (uint64_t)(int16_t)take(b, 2);
		break;
	case PE_UDATA4:
		value = take(b, 4);
		break;
	case PE_SDATA4:
		value = (uint64_t)(int32_t)take(b, 4);
		break;
	default:
		b->bad = true;
		return 0;
	}
	if ((encoding & 0xf0) == PE_PCREL)
		value += from;
	else if (encoding & 0xf0)
		b->bad = true;
	return value;
}

/* ---- the list ---- */

static int by_start(const void *a, const void *b)
{
	const struct mv_function *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->end < y->end) - (x->end > y->end);	/* the longer one first */
}

static int add(struct mv_functions *fs, const struct mv_image *im, uint64_t start, uint64_t size, bool signal_frame)
{
	const struct mv_text *text = mv_image_text(im, start);

	if (!text || !size || size > text->vaddr + text->size - start)
		return 0;
	if (fs->n == fs->room) {
		unsigned room = fs->room ? fs->room * 2 : 4096;
		struct mv_function *list = realloc(fs->list, room * sizeof(*list));

		if (!list)
			return -ENOMEM;
		fs->list = list;
		fs->room = room;
	}
	fs->list[fs->n++] = (struct mv_function){ start, start + size, signal_frame };
	return 0;
}

/* What overlaps one before it is left out. */
static void put_in_order(struct mv_functions *fs)
{
	unsigned kept = 0;

	if (fs->n)
		qsort(fs->list, fs->n, sizeof(*fs->list), by_start);
	for (unsigned i = 0; i < fs->n; i++) {
		if (kept && fs->list[i].start < fs->list[kept - 1].end) {
			fs->list[kept - 1].signal_frame |= fs->list[i].signal_frame;
			continue;
		}
		fs->list[kept++] = fs->list[i];
	}
	fs->n = kept;
}

int mv_functions_index(const struct mv_functions *fs, uint64_t vaddr)
{
	unsigned low = 0, high = fs->n;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (vaddr < fs->list[mid].start)
			high = mid;
		else if (vaddr >= fs->list[mid].end)
			low = mid + 1;
		else
			return (int)mid;
	}
	return -1;
}

/* ---- .eh_frame ---- */

struct cie {
	uint64_t offset;	/* in the section, to know it again */
	uint8_t encoding;
	bool signal_frame, usable;
};

static void read_cie(struct bytes b, struct cie *cie)
{
	const char *augmentation = (const char *)b.at + 1;
	uint64_t version = take(&b, 1);

	cie->encoding = PE_ABSPTR;
	cie->signal_frame = false;
	while (take(&b, 1) && !b.bad)
		;
	take_leb(&b);		/* code and data alignment */
	take_leb(&b);
	if (version == 1)
		take(&b, 1);	/* return address register */
	else
		take_leb(&b);
	cie->usable = !b.bad && (version == 1 || version == 3) && (!*augmentation || *augmentation == 'z');
	if (!cie->usable || !*augmentation)
		return;
	take_leb(&b);		/* length of what follows */
	while (*++augmentation && !b.bad) {
		if (*augmentation == 'R') {
			cie->encoding = (uint8_t)take(&b, 1);
		} else if (*augmentation == 'L') {
			take(&b, 1);
		} else if (*augmentation == 'P') {
			uint8_t encoding = (uint8_t)take(&b, 1);

			take_pointer(&b, encoding & 0x7f);
		} else if (*augmentation == 'S') {
			cie->signal_frame = true;
		} else if (*augmentation != 'B') {
			cie->usable = false;
		}
	}
	cie->usable &= !b.bad;
}

static int read_fdes(struct mv_functions *fs, const struct mv_image *im, const uint8_t *section, uint64_t size, uint64_t vaddr)
{
	struct bytes all = { section, section + size, vaddr, false };
	struct cie cie = { .offset = UINT64_MAX };

	while (all.end - all.at >= 4) {
		uint64_t length = take(&all, 4), at, distance, start, count;
		struct bytes entry = all;

		if (!length || length == UINT32_MAX || length > (uint64_t)(all.end - all.at))
			break;
		entry.end = entry.at + length;
		all.at += length;
		all.vaddr += length;
		at = (uint64_t)(entry.at - section);
		distance = take(&entry, 4);	/* 0: this is a CIE itself */
		if (!distance || distance > at)
			continue;
		if (cie.offset != at - distance) {
			struct bytes c = { section + (at - distance), section + size, vaddr + (at - distance), false };

			length = take(&c, 4);
			if (length > (uint64_t)(c.end - c.at) || take(&c, 4))
				continue;
			c.end = c.at + length - 4;
			cie.offset = at - distance;
			read_cie(c, &cie);
		}
		if (!cie.usable)
			continue;
		start = take_pointer(&entry, cie.encoding);
		count = take_pointer(&entry, cie.encoding & 0x0f);
		if (!entry.bad && add(fs, im, start, count, cie.signal_frame))
			return -ENOMEM;
	}
	return 0;
}

/* ---- sections ---- */

struct sections {
	Elf64_Shdr *sh;
	unsigned n;
	char *names;
	uint64_t names_size;
};

/* Section headers are optional: *s is empty when there are none or they make no sense. */
static void read_sections(const struct mv_image *im, struct sections *s)
{
	unsigned names = im->eh.e_shstrndx;
	void *data;

	*s = (struct sections){ 0 };
	if (!im->eh.e_shoff || im->eh.e_shentsize != sizeof(*s->sh) || names >= im->eh.e_shnum ||
	    mv_image_read(im, im->eh.e_shoff, im->eh.e_shnum * sizeof(*s->sh), &data, NULL))
		return;
	s->sh = data;
	if (mv_image_read(im, s->sh[names].sh_offset, s->sh[names].sh_size, &data, NULL))
		return;
	s->names = data;
	s->names_size = s->sh[names].sh_size;
	s->names[s->names_size] = 0;	/* mv_image_read() leaves room for that */
	s->n = im->eh.e_shnum;
}

static void free_sections(struct sections *s)
{
	free(s->sh);
	free(s->names);
}

static const Elf64_Shdr *section_named(const struct sections *s, const char *name)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->sh[i].sh_type != SHT_NOBITS && s->sh[i].sh_name < s->names_size &&
		    !strcmp(s->names + s->sh[i].sh_name, name))
			return &s->sh[i];
	return NULL;
}

/* Without section headers, .eh_frame_hdr says where .eh_frame starts; a terminator says where it ends. */
static bool eh_frame_by_segment(const struct mv_image *im, uint64_t *vaddr, uint64_t *offset, uint64_t *size)
{
	for (unsigned i = 0; i < im->eh.e_phnum; i++) {
		const Elf64_Phdr *ph = &im->ph[i], *in;
		struct bytes b;
		uint8_t encoding;
		void *data;

		if (ph->p_type != PT_GNU_EH_FRAME || ph->p_filesz < 4 ||
		    mv_image_read(im, ph->p_offset, ph->p_filesz, &data, NULL))
			continue;
		b = (struct bytes){ (uint8_t *)data + 4, (uint8_t *)data + ph->p_filesz, ph->p_vaddr + 4, false };
		encoding = ((uint8_t *)data)[1];
		*vaddr = take_pointer(&b, encoding);
		free(data);
		in = mv_image_segment(im, *vaddr);
		if (b.bad || encoding == PE_OMIT || !in)
			continue;
		*offset = in->p_offset + (*vaddr - in->p_vaddr);
		*size = in->p_filesz - (*vaddr - in->p_vaddr);
		return true;
	}
	return false;
}

static int by_eh_frame(struct mv_functions *fs, const struct mv_image *im, const struct sections *s)
{
	const Elf64_Shdr *sh = section_named(s, ".eh_frame");
	uint64_t vaddr, offset, size;
	void *data;
	int r;

	if (sh) {
		vaddr = sh->sh_addr;
		offset = sh->sh_offset;
		size = sh->sh_size;
	} else if (!eh_frame_by_segment(im, &vaddr, &offset, &size)) {
		return 0;
	}
	r = mv_image_read(im, offset, size, &data, NULL);
	if (r)
		return r == -ENOMEM ? r : 0;
	r = read_fdes(fs, im, data, size, vaddr);
	free(data);
	return r;
}

/* The first function that ends behind vaddr. */
static unsigned first_behind(const struct mv_functions *fs, uint64_t vaddr)
{
	unsigned low = 0, high = fs->n;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (fs->list[mid].end <= vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * known is in order already.  A function that it has may turn out longer: clone()'s unwind information ends where there
 * is nothing to unwind to any more, and that is before the call.
 */
static int take_symbol(struct mv_functions *known, struct mv_functions *more, const struct mv_image *im, uint64_t start,
		       uint64_t size)
{
	unsigned i = first_behind(known, start), next = i + 1;
	const struct mv_text *text = mv_image_text(im, start);
	uint64_t end = start + size;

	if (!text || size > text->vaddr + text->size - start)
		return 0;
	if (i == known->n || known->list[i].start >= end)
		return add(more, im, start, size, false);
	if (known->list[i].start != start)
		return 0;
	if (next < known->n && known->list[next].start < end)
		end = known->list[next].start;
	if (known->list[i].end < end)
		known->list[i].end = end;
	return 0;
}

/* Code without unwind information, too: Go's, hand-written assembly. */
static int by_symbols(struct mv_functions *fs, const struct mv_image *im, const struct sections *s)
{
	const Elf64_Shdr *sh = section_named(s, ".symtab");
	struct mv_functions more = { 0 };
	void *data;
	int r;

	if (!sh)
		sh = section_named(s, ".dynsym");
	if (!sh)
		return 0;
	r = mv_image_read(im, sh->sh_offset, sh->sh_size, &data, NULL);
	if (r)
		return r == -ENOMEM ? r : 0;
	for (uint64_t i = 0; i < sh->sh_size / sizeof(Elf64_Sym) && !r; i++) {
		const Elf64_Sym *sym = (const Elf64_Sym *)data + i;

		if (ELF64_ST_TYPE(sym->st_info) == STT_FUNC && sym->st_size && sym->st_shndx != SHN_UNDEF)
			r = take_symbol(fs, &more, im, sym->st_value, sym->st_size);
	}
	free(data);
	for (unsigned i = 0; i < more.n && !r; i++)
		r = add(fs, im, more.list[i].start, more.list[i].end - more.list[i].start, false);
	mv_functions_free(&more);
	return r;
}

int mv_functions_find(const struct mv_image *im, struct mv_functions *fs, struct mv_error *err)
{
	struct sections s;
	int r;

	*fs = (struct mv_functions){ 0 };
	read_sections(im, &s);
	r = by_eh_frame(fs, im, &s);
	put_in_order(fs);
	if (!r)
		r = by_symbols(fs, im, &s);
	put_in_order(fs);
	free_sections(&s);
	return r ? mv_error_set(err, -r, "cannot list an ELF file's functions") : 0;
}

void mv_functions_free(struct mv_functions *fs)
{
	free(fs->list);
	*fs = (struct mv_functions){ 0 };
}
