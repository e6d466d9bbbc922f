/* What the kernel has mapped of a program: itself, its interpreter, its stack. */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include "engine/mm.h"
#include "supervisor/boot_internal.h"

#define ALIGN_MAX BOOT_GIB
#define PHDRS_MAX 128

int boot_not_ours(struct boot *b, const char *why)
{
	int r = mv_error_set(b->err, ENOEXEC, "%s %s; only 64-bit x86-64 programs can run here", b->plan->program, why);

	if (b->err)
		b->err->status = 126;
	return r;
}

/* The pages of an ELF image's segments, and its alignment, from its program headers as they are in memory. */
static int span_of(struct boot *b, const Elf64_Phdr *ph, uint64_t nph, uint64_t bias, struct boot_part *part)
{
	part->start = UINT64_MAX;
	part->end = 0;
	part->align = BOOT_PAGE;
	for (uint64_t i = 0; i < nph; i++) {
		uint64_t start = boot_page_down(ph[i].p_vaddr + bias), end = boot_page_up(ph[i].p_vaddr + bias + ph[i].p_memsz);

		if (ph[i].p_type != PT_LOAD || !ph[i].p_memsz)
			continue;
		part->start = boot_min(part->start, start);
		if (end > part->end)
			part->end = end;
		if (ph[i].p_align > part->align && ph[i].p_align <= ALIGN_MAX && !(ph[i].p_align & (ph[i].p_align - 1)))
			part->align = ph[i].p_align;
	}
	if (part->start >= part->end)
		return boot_not_ours(b, "has no segments to load");
	return 0;
}

/* AT_PHDR is where the headers are; how far that is from where they were linked tells how far the program was moved. */
int boot_find_program(struct boot *b)
{
	uint64_t at = mv_auxv_get(&b->auxv, AT_PHDR), n = mv_auxv_get(&b->auxv, AT_PHNUM), in_file, bias = 0;
	const struct mv_map *map = mv_maps_find(&b->maps, at);
	Elf64_Phdr ph[PHDRS_MAX];
	uint64_t i;
	int r;

	if (mv_auxv_get(&b->auxv, AT_PHENT) != sizeof(Elf64_Phdr) || !n || n > PHDRS_MAX || !map)
		return boot_not_ours(b, "has unusable program headers");
	r = mv_proc_peek(b->pid, at, ph, n * sizeof(ph[0]), b->err);
	if (r)
		return r;
	in_file = at - map->start + map->offset;
	for (i = 0; i < n; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_offset <= in_file && in_file - ph[i].p_offset < ph[i].p_filesz)
			break;
	if (i == n)
		return boot_not_ours(b, "does not load its program headers");
	bias = at - (in_file - ph[i].p_offset + ph[i].p_vaddr);
	b->program.ordinal = MV_MAP_PROGRAM;
	b->program.flags = MV_MM_FILE | (bias ? 0 : MV_MM_FIXED_PLACE);
	b->plan->program_fixed = bias == 0;
	b->plan->seeds_by_random = !mv_auxv_get(&b->auxv, AT_BASE) && boot_is_go(b, ph, n, bias);
	return span_of(b, ph, n, bias, &b->program);
}

int boot_find_interp(struct boot *b)
{
	uint64_t base = mv_auxv_get(&b->auxv, AT_BASE);
	Elf64_Phdr ph[PHDRS_MAX];
	Elf64_Ehdr eh;
	int r;

	if (!base)
		return 0;
	r = mv_proc_peek(b->pid, base, &eh, sizeof(eh), b->err);
	if (r)
		return r;
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_ident[EI_CLASS] != ELFCLASS64 || !eh.e_phnum ||
	    eh.e_phnum > PHDRS_MAX || eh.e_phentsize != sizeof(ph[0]) || eh.e_type != ET_DYN)
		return boot_not_ours(b, "has an unusable interpreter");
	r = mv_proc_peek(b->pid, base + eh.e_phoff, ph, eh.e_phnum * sizeof(ph[0]), b->err);
	if (r)
		return r;
	b->interp.ordinal = MV_MAP_INTERP;
	b->interp.flags = MV_MM_FILE;
	return span_of(b, ph, eh.e_phnum, base, &b->interp);
}

/*
 * A stack grows until RLIMIT_STACK, which the program may raise up to what is free below: the kernel leaves at least
 * 128 MiB, and so do we.
 */
int boot_find_stack(struct boot *b)
{
	const struct mv_map *map = mv_maps_find(&b->maps, b->regs->rsp);
	uint64_t lowest = BOOT_LOWEST;
	struct rlimit limit;
	int r;

	if (!map)
		return mv_error_set(b->err, EINVAL, "boot: process %d has no stack at %#llx", (int)b->pid,
				    (unsigned long long)b->regs->rsp);
	r = mv_proc_limit(b->pid, RLIMIT_STACK, &limit, b->err);
	if (r)
		return r;
	b->stack = (struct boot_part){ .start = map->start, .end = map->end, .align = BOOT_PAGE, .ordinal = MV_MAP_STACK,
				       .flags = MV_MM_GROWS_DOWN };
	b->stack_room = limit.rlim_cur == RLIM_INFINITY ? 256 * BOOT_MIB : boot_min(boot_page_up(limit.rlim_cur), BOOT_GIB);
	if (b->stack_room < 128 * BOOT_MIB)
		b->stack_room = 128 * BOOT_MIB;
	if (b->stack_room < map->end - map->start)
		b->stack_room = map->end - map->start;
	if (b->layout->mode == MV_LAYOUT_DISJOINT)
		return 0;
	if (map > b->maps.maps)
		lowest = map[-1].end + BOOT_GUARD;
	if (lowest > map->start)
		lowest = map->start;
	b->stack_room = boot_min(b->stack_room, map->end - lowest);
	return 0;
}
