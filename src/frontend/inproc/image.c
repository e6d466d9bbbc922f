/*
 * The monitor's image: put behind the arena in its memfd, the data relocated for each variant's place, from where every
 * process maps it.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "inproc.h"

#define PAGE 4096u

extern const uint8_t mv_monitor_image[];
extern const size_t mv_monitor_image_size;

static uint64_t page_up(uint64_t n)
{
	return (n + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

/* Text, data and relocations of the embedded file, which is ours: what it must be it is, or the build is broken. */
struct parts {
	const Elf64_Phdr *text, *data;
	const Elf64_Rela *rela;
	size_t nrela;
};

static bool find_parts(struct parts *p)
{
	const Elf64_Ehdr *e = (const void *)mv_monitor_image;
	const Elf64_Phdr *ph = (const void *)(mv_monitor_image + e->e_phoff);
	const Elf64_Dyn *dyn = NULL;
	uint64_t rela = 0;

	memset(p, 0, sizeof(*p));
	for (unsigned i = 0; i < e->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD)
			*(ph[i].p_flags & PF_W ? &p->data : &p->text) = &ph[i];
		if (ph[i].p_type == PT_DYNAMIC)
			dyn = (const void *)(mv_monitor_image + ph[i].p_offset);
	}
	for (; dyn && dyn->d_tag; dyn++) {
		if (dyn->d_tag == DT_RELA)
			rela = dyn->d_un.d_ptr;
		if (dyn->d_tag == DT_RELASZ)
			p->nrela = dyn->d_un.d_val / sizeof(*p->rela);
	}
	if (!p->text || !p->data || !rela || p->text->p_vaddr || p->data->p_vaddr % PAGE)
		return false;
	p->rela = (const void *)(mv_monitor_image + p->data->p_offset + (rela - p->data->p_vaddr));
	return true;
}

/* data: what the file has of the image from its data on, which begins at address from. */
static bool relocate(const struct parts *p, uint8_t *data, uint64_t from, uint64_t size, uint64_t base)
{
	for (size_t i = 0; i < p->nrela; i++) {
		uint64_t value = base + (uint64_t)p->rela[i].r_addend, at = p->rela[i].r_offset - from;

		if (ELF64_R_TYPE(p->rela[i].r_info) != R_X86_64_RELATIVE || p->rela[i].r_offset < from || at > size - sizeof(value))
			return false;
		memcpy(data + at, &value, sizeof(value));
	}
	return true;
}

static int place(struct pt *pt, unsigned variant, const struct parts *p, struct mv_error *err)
{
	const struct mv_run_options *o = pt->session->options;
	struct in_image *m = &pt->inproc->images[variant];
	const struct mv_area *area = &pt->inproc->layouts[variant].monitor;
	uint64_t start = p->data->p_vaddr, filled = page_up(start + p->data->p_filesz), arena = page_up(o->arena_size);

	m->low = area->start;
	m->base = m->low + MON_GAP;
	m->text = start;
	m->data = filled - start;
	m->bss = page_up(start + p->data->p_memsz) - filled;
	m->agent = m->base + filled + m->bss + MON_GAP / 2;
	m->heap = m->base + filled + m->bss + MON_GAP;
	m->arena = m->heap + MON_HEAP + MON_GAP;
	m->high = m->arena + arena + MON_GAP;
	m->text_file = arena;
	m->data_file = arena + m->text + variant * m->data;
	m->heads_file = arena + m->text + pt->nvariants * m->data + variant * MON_ENTRIES;
	if (m->high > area->end)
		return mv_error_set(err, 0, "an arena of %zu bytes does not fit into the layout", o->arena_size);
	return 0;
}

static int write_at(struct pt *pt, uint64_t at, const void *bytes, uint64_t size, struct mv_error *err)
{
	if (pwrite(pt->session->arena, bytes, size, (off_t)at) != (ssize_t)size)
		return mv_error_set(err, errno, "cannot write the monitor's image");
	return 0;
}

/* A page at a time: hardly any process has more than a page of threads. */
int in_heads_write(struct pt *pt, unsigned variant, uint64_t head, struct mv_error *err)
{
	struct in_image *m = &pt->inproc->images[variant];
	struct mon_head page[PAGE / sizeof(struct mon_head)];

	if (head - m->info.heads >= MON_ENTRIES)
		return mv_error_set(err, EINVAL, "a monitor has a thread that is nowhere");
	for (; m->heads <= head - m->info.heads; m->heads += PAGE) {
		for (unsigned i = 0; i < PAGE / sizeof(*page); i++)
			page[i] = (struct mon_head){ m->info.heads + m->heads + i * sizeof(*page), m->info.entry, m->info.look, { 0 } };
		if (write_at(pt, m->heads_file + m->heads, page, PAGE, err))
			return -1;
	}
	return 0;
}

/* Where the key is closed the ways in are others. */
static void choose_ways_in(struct mon_info *info)
{
	info->start = info->start_closed;
	info->entry = info->entry_closed;
	info->look = info->look_closed;
}

static int load(struct pt *pt, unsigned variant, const struct parts *p, struct mv_error *err)
{
	struct in_image *m = &pt->inproc->images[variant];
	uint8_t *data;
	int r = place(pt, variant, p, err);

	if (r)
		return r;
	data = calloc(1, m->data);
	if (!data)
		return mv_error_set(err, ENOMEM, "cannot load the monitor");
	memcpy(data, mv_monitor_image + p->data->p_offset, p->data->p_filesz);
	if (!relocate(p, data, m->text, m->data, m->base))
		r = mv_error_set(err, 0, "the monitor's image is damaged");
	if (!r && !variant)
		r = write_at(pt, m->text_file, mv_monitor_image + p->text->p_offset, p->text->p_filesz, err);
	if (!r)
		r = write_at(pt, m->data_file, data, m->data, err);
	memcpy(&m->info, data, sizeof(m->info));
	free(data);
	m->keyed = pt->inproc->keys;
	if (m->keyed)
		choose_ways_in(&m->info);
	if (!r && m->info.heads + 3 * MON_ENTRIES != m->base + m->text + m->data + m->bss)
		r = mv_error_set(err, 0, "the monitor's image is damaged");
	return r ? r : in_heads_write(pt, variant, m->info.heads, err);
}

int in_images_load(struct pt *pt, struct mv_error *err)
{
	struct parts p;
	int r = 0;

	if (!find_parts(&p))
		return mv_error_set(err, 0, "the monitor's image is damaged");
	for (unsigned v = 0; v < pt->nvariants && !r; v++)
		r = load(pt, v, &p, err);
	return r;
}
