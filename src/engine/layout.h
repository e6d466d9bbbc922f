/*
 * Where things go in a variant's address space (design.md section 9).
 *
 * The 47-bit space has 16 slices of 2^43 bytes.  Each variant owns one, dealt at random per run, never one in which
 * the kernel itself places things (0, 10, 15) or where AddressSanitizer has its shadow (1, 2) and heap (12).  Inside the slice a
 * variant only uses addresses whose offset modulo 2^40 lies in its own window (2^40 / W bytes, W = the smallest power
 * of two >= variants, at least 2), so that two variants differ in every address even when compared modulo 2^40: a
 * pointer with its low five bytes overwritten fits at most one. A slice has 8 such stripes (bits 40..42); the first,
 * chosen at random, is used, the others take what does not fit.
 */
#ifndef MV_ENGINE_LAYOUT_H
#define MV_ENGINE_LAYOUT_H

#include <stdint.h>
#include <multivar/multivar.h>

#define MV_SLICE_SHIFT 43
#define MV_STRIPE_SHIFT 40
#define MV_BRK_ALIGN ((uint64_t)1 << 21)

/*
 * Areas of a stripe, low to high: program and brk heap; file mappings; anonymous mappings; stacks.  An area is as long
 * in every variant as in any other, and anon.end is congruent modulo window_size in all of them.
 */
struct mv_area { uint64_t start, end; };

struct mv_layout {
	enum mv_layout_mode mode;
	uint64_t slice;			/* base of the slice */
	uint64_t window;		/* offset of the window in each stripe */
	uint64_t window_size;
	unsigned stripe;		/* 0..7 */
	struct mv_area image, files, anon, stack;
	uint64_t brk_phase;		/* where the program break starts, modulo MV_BRK_ALIGN: the same in all variants */
	struct mv_area monitor;		/* for what an in-process front-end maps; there in every mode */
	uint64_t rng;			/* state of the variant's own placement randomness */
};

/*
 * The layout of variant (0 .. variants - 1); the same seed gives the same layouts.  Pure.  Unless mode is DISJOINT
 * there is no area but the monitor's (all is 0), and with SAME the random sequence is the same in all variants.
 */
void mv_layout_init(struct mv_layout *l, enum mv_layout_mode mode, unsigned variant, unsigned variants,
		    const uint64_t seed[4]);
/* Next value of the layout's own random sequence. */
uint64_t mv_layout_random(struct mv_layout *l);

#endif
