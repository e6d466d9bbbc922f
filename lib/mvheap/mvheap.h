/*
 * libmvheap: a malloc that puts its objects elsewhere in every variant.
 *
 * It is used by preloading it (LD_PRELOAD) or linking with it: what it offers is the malloc family of <stdlib.h> and
 * <malloc.h>, with glibc's semantics, for any thread, also between fork and exec.  This header says how it is set up.
 *
 * Under `mvarmor run --heap` the settings come from the engine by a call that exists only there, so that no variant's
 * environment tells it apart.  Elsewhere they come from the variable MVHEAP_OPTIONS, a list such as
 * "seed=7,slab-max=64,slab-pad=4096,fill=off"; what it does not name is as below.  Words and numbers that make no sense end
 * the program with a message, before it has run.
 *
 *	seed=N		what order and places derive from; without it AT_RANDOM is
 *	variant=N	0 .. variants - 1 (0), and
 *	variants=N	1 .. MVHEAP_VARIANTS_MAX (1): of processes with the same seed and request sequence, any two objects have
 *			a different distance in each variant
 *	slab-max=N	objects in a slab at most, 1 .. MVHEAP_SLAB_MAX (MVHEAP_SLAB_MAX_DEFAULT)
 *	slab-pad=N	guard bytes behind a slab at least, 0 .. MVHEAP_SLAB_PAD (MVHEAP_SLAB_PAD_DEFAULT); from 4096 on they are
 *			inaccessible, before a slab too
 *	fill=on|off	fill fresh and freed memory with a byte that no other variant has (on)
 */
#ifndef MVHEAP_H
#define MVHEAP_H

#include <stdint.h>

#define MVHEAP_VARIANTS_MAX 8
#define MVHEAP_SLAB_MAX 16384
#define MVHEAP_SLAB_MAX_DEFAULT 1024
#define MVHEAP_SLAB_PAD 524288		/* what is always free between two slabs */
#define MVHEAP_SLAB_PAD_DEFAULT 4096

/*
 * What the library asks of MvArmor; the kernel answers EINVAL.
 *
 *	prctl(MVHEAP_PRCTL, MVHEAP_SETTINGS, struct mvheap_settings *settings)
 *		Fills *settings.  0, or -1 with EINVAL if --heap is off, or the program has asked before.
 *	prctl(MVHEAP_PRCTL, MVHEAP_REGION, void *start, size_t length)
 *		[start, start + length) is a private anonymous mapping as mmap made it: how the library changes protections
 *		in it (to none, or to read and write) is not compared from now on.  0, or -1 with EINVAL.
 */
#define MVHEAP_PRCTL 0x6d766870		/* "mvhp" */
enum { MVHEAP_SETTINGS, MVHEAP_REGION };

enum {	/* mvheap_settings.flags */
	MVHEAP_FILL = 1,
	MVHEAP_HIDE = 2,	/* take ourselves out of LD_PRELOAD: mvarmor put us there */
};

struct mvheap_settings {
	uint64_t seed;		/* the same in all variants */
	uint32_t variant;
	uint32_t variants;
	uint32_t slab_max;	/* objects */
	uint32_t slab_pad;	/* bytes */
	uint32_t flags;		/* MVHEAP_* */
	uint32_t reserved;	/* 0 */
};

#endif
