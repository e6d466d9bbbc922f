#include "engine/layout.h"

#include "engine/random.h"

#define PURPOSE_LAYOUT 0x6c61796f75742020u
#define PURPOSE_MONITOR 0x6d6f6e69746f7220u
#define MIB ((uint64_t)1 << 20)
#define PAGE ((uint64_t)4096)
#define EDGE (64 * MIB)		/* unused at both ends of a window, so that small overruns do not reach another's */

/*
 * Not 0 (non-PIE programs), 10 (PIE programs, brk), 15 (mmap, stack, vDSO), nor 1 and 2: a variant that was built with
 * AddressSanitizer maps its shadow over all of slice 1 and the first bytes of slice 2, and its heap into slice 12.
 */
static const uint8_t usable_slices[] = { 3, 4, 5, 6, 7, 8, 9, 11, 13, 14 };
_Static_assert(sizeof(usable_slices) >= MV_VARIANTS_MAX, "a slice for each variant");

static void shuffle(struct mv_random *r, uint8_t *v, unsigned n)
{
	for (unsigned i = n; i > 1; i--) {
		unsigned j = (unsigned)(mv_random_next(r) % i);
		uint8_t x = v[i - 1];

		v[i - 1] = v[j];
		v[j] = x;
	}
}

static uint64_t random_pages(struct mv_layout *l, uint64_t below)
{
	return mv_layout_random(l) % (below / PAGE) * PAGE;
}

/*
 * File mappings slide by any number of pages of the variant's own.  Anonymous ones slide by a number that all variants
 * share (common): allocators trim to alignments and keep tables by an address's upper bits, and must do both alike.
 * Areas keep their length, so that what fits in one variant fits in all.
 */
static void set_areas(struct mv_layout *l, uint64_t common)
{
	uint64_t w = l->window_size, base = l->slice + ((uint64_t)l->stripe << MV_STRIPE_SHIFT) + l->window;
	uint64_t file_slack = w / 32, anon_slack = w / 16;

	l->image.start = base + EDGE;
	l->image.end = base + w / 8;
	l->files.end = base + w / 4 - random_pages(l, file_slack);
	l->files.start = l->files.end - (w / 8 - file_slack);
	l->anon.end = base + w - w / 16 - common % (anon_slack / PAGE) * PAGE;
	l->anon.start = l->anon.end - (w - w / 16 - w / 4 - anon_slack);
	l->stack.start = base + w - w / 16;
	l->stack.end = base + w - EDGE;
}

/*
 * In another stripe than what the program maps first, in the variant's own slice and window.  Drawn apart: what leaks of the
 * layout's sequence must not tell where the monitor is.
 */
static void set_monitor(struct mv_layout *l, uint64_t slice, uint64_t window, uint64_t window_size, unsigned variant,
			const uint64_t seed[4])
{
	struct mv_random r;
	uint64_t base;

	mv_random_init(&r, seed, PURPOSE_MONITOR + variant);
	base = slice + (uint64_t)((l->stripe + 1 + mv_random_next(&r) % 7) & 7) * ((uint64_t)1 << MV_STRIPE_SHIFT) + window;
	l->monitor.start = base + EDGE + mv_random_next(&r) % (window_size / 2 / PAGE) * PAGE;
	l->monitor.end = l->monitor.start + window_size / 4;
}

void mv_layout_init(struct mv_layout *l, enum mv_layout_mode mode, unsigned variant, unsigned variants,
		    const uint64_t seed[4])
{
	uint8_t slices[sizeof(usable_slices)], windows[MV_VARIANTS_MAX];
	unsigned nwindows = 2, shift = 1;
	uint64_t slice, window, window_size;
	struct mv_random r;
	uint64_t common;

	__builtin_memset(l, 0, sizeof(*l));
	l->mode = mode;
	mv_random_init(&r, seed, PURPOSE_LAYOUT);

	/* What is drawn here is the same in every variant: it is how they agree without talking. */
	for (; nwindows < variants && nwindows < MV_VARIANTS_MAX; nwindows *= 2)
		shift++;
	for (unsigned i = 0; i < nwindows; i++)
		windows[i] = (uint8_t)i;
	__builtin_memcpy(slices, usable_slices, sizeof(slices));
	shuffle(&r, slices, sizeof(slices));
	shuffle(&r, windows, nwindows);
	common = mv_random_next(&r);
	l->brk_phase = mv_random_next(&r) % (MV_BRK_ALIGN / PAGE) * PAGE;

	for (unsigned i = 0; i < MV_VARIANTS_MAX; i++) {
		uint64_t own = mv_random_next(&r);

		if (i == (mode == MV_LAYOUT_SAME ? 0 : variant))
			l->rng = own;
	}
	slice = (uint64_t)slices[variant] << MV_SLICE_SHIFT;
	window_size = (uint64_t)1 << (MV_STRIPE_SHIFT - shift);
	window = windows[variant] * window_size;
	if (mode == MV_LAYOUT_DISJOINT) {
		l->slice = slice;
		l->window_size = window_size;
		l->window = window;
		l->stripe = (unsigned)(mv_layout_random(l) & 7);
		set_areas(l, common);
	}
	set_monitor(l, slice, window, window_size, variant, seed);
}

uint64_t mv_layout_random(struct mv_layout *l)
{
	return mv_random_step(&l->rng);
}
