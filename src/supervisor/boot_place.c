/* Where the parts of a program go, and its break. */
#include <errno.h>
#include <string.h>
#include "engine/mm.h"
#include "supervisor/boot_internal.h"

#define BRK_ROOM (64 * BOOT_GIB)
#define BRK_DISTANCE BOOT_GIB		/* the emulated break starts at most so far above the program */
#define USER_END (((uint64_t)1 << 47) - BOOT_PAGE)

static bool is_chosen(const struct boot *b, uint64_t start, uint64_t end)
{
	const struct boot_part *parts[] = { &b->program, &b->interp, &b->stack };

	for (unsigned i = 0; i < 3; i++)
		if (parts[i]->delta && start < parts[i]->end + parts[i]->delta && parts[i]->start + parts[i]->delta < end)
			return true;
	return false;
}

/*
 * A random place for [part->start, part->end) with below bytes free under it and above bytes over it inside the area.
 * What is already mapped, or will be there, is avoided: MREMAP_FIXED would replace it.
 */
static int move_part(struct boot *b, struct boot_part *part, struct mv_area area, uint64_t below, uint64_t above)
{
	uint64_t len = part->end - part->start, need = below + len + above + part->align, at;

	if (area.end < area.start || area.end - area.start <= need)
		return mv_error_set(b->err, ENOMEM, "boot: %llu MiB do not fit into an area of %llu MiB of the layout",
				    (unsigned long long)(need / BOOT_MIB), (unsigned long long)((area.end - area.start) / BOOT_MIB));
	for (int tries = 0; tries < 64; tries++) {
		at = area.start + below + mv_layout_random(b->layout) % ((area.end - area.start - need) / BOOT_PAGE + 1) *
		     BOOT_PAGE;
		at += (part->start - at) & (part->align - 1);
		if (mv_maps_overlap(&b->maps, at - below, at + len + above) || is_chosen(b, at - below, at + len + above))
			continue;
		part->delta = at - part->start;
		return 0;
	}
	return mv_error_set(b->err, ENOMEM, "boot: no free place between %#llx and %#llx",
			    (unsigned long long)area.start, (unsigned long long)area.end);
}

int boot_place_parts(struct boot *b)
{
	struct mv_layout *l = b->layout;
	uint64_t image_len = l->image.end - l->image.start;
	int r = 0;

	if (l->mode != MV_LAYOUT_DISJOINT)
		return 0;
	if (!b->plan->program_fixed)
		r = move_part(b, &b->program, l->image, 0, boot_min(BRK_ROOM + BRK_DISTANCE, image_len / 2));
	if (!r && b->interp.end)
		r = move_part(b, &b->interp, l->files, b->plan->extra ? b->plan->extra->below_interp : 0, 0);
	if (!r && b->vdso.end)
		r = move_part(b, &b->vdso, l->files, 0, 0);
	if (!r)
		r = move_part(b, &b->stack, l->stack, b->stack_room - (b->stack.end - b->stack.start) + 2 * BOOT_GUARD, 0);
	return r;
}

/* The middle of the largest hole: far from whatever grows. */
static uint64_t middle_of_hole(const struct mv_maps *maps)
{
	uint64_t low = BOOT_LOWEST, best = 0, middle = 0;

	for (unsigned i = 0; i <= maps->n; i++) {
		uint64_t high = i < maps->n ? boot_min(maps->maps[i].start, USER_END) : USER_END;

		if (high > low && high - low > best) {
			best = high - low;
			middle = boot_page_down(low + best / 2);
		}
		if (i < maps->n && maps->maps[i].end > low)
			low = maps->maps[i].end;
	}
	return middle;
}

int boot_place_agent(struct boot *b)
{
	struct boot_part agent = { .start = BOOT_PAGE, .end = BOOT_PAGE + b->plan->agent_len, .align = BOOT_PAGE };
	int r;

	if (b->plan->extra) {
		b->plan->agent = b->plan->extra->agent;
		return 0;
	}
	if (b->layout->mode != MV_LAYOUT_DISJOINT) {
		b->plan->agent = middle_of_hole(&b->maps);
		return 0;
	}
	r = move_part(b, &agent, b->layout->anon, 0, 0);
	b->plan->agent = agent.start + agent.delta;
	return r;
}

void boot_plan_brk(struct boot *b, uint64_t kernel_brk)
{
	struct mv_area area = b->layout->image;
	uint64_t base = b->program.end + b->program.delta, start = boot_page_up(kernel_brk);
	const struct mv_map *next = NULL;

	if (b->layout->mode == MV_LAYOUT_DISJOINT) {
		if (b->plan->program_fixed)
			base = area.start +
			       mv_layout_random(b->layout) % ((area.end - area.start) / 2 / BOOT_PAGE) * BOOT_PAGE;
		start = base + BOOT_PAGE * (1 + mv_layout_random(b->layout) %
					    (boot_min(BRK_DISTANCE, (area.end - base) / 4) / BOOT_PAGE));
		/* What malloc adds to align a block must be the same in all variants. */
		start = (start + MV_BRK_ALIGN - 1) / MV_BRK_ALIGN * MV_BRK_ALIGN + b->layout->brk_phase;
		b->plan->brk_start = start;
		b->plan->brk_limit = boot_min(area.end, start + BRK_ROOM);
		return;
	}
	/* The kernel's own place need not be above the program: that of a static PIE is not. */
	if (!start || boot_part_has(&b->program, start))
		start = b->program.end;
	for (unsigned i = 0; i < b->maps.n && !next; i++)
		if (b->maps.maps[i].start >= start && strcmp(b->maps.maps[i].name, "[heap]"))
			next = &b->maps.maps[i];
	b->plan->brk_start = start;
	b->plan->brk_limit = start + BRK_ROOM;
	/* mmap grows down towards the heap: leave the upper half of the hole to it. */
	if (next)
		b->plan->brk_limit = boot_min(b->plan->brk_limit, boot_page_down(start + (next->start - start) / 2));
}
