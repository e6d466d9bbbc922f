/*
 * Writing a seccomp filter.  It is written from its end: what an instruction jumps to has been written before it, and what
 * is written next falls through to what was written last.  A place is where an instruction was written; jumps of any length.
 */
#ifndef MV_FRONTEND_INPROC_BPF_H
#define MV_FRONTEND_INPROC_BPF_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/filter.h>

typedef unsigned bpf_place;

struct bpf {
	unsigned n;				/* written so far; more than there is room for: it does not fit */
	struct sock_filter code[BPF_MAXINSNS];	/* the last n of them */
};

/* From this value of what is loaded on, up to the next one's, the filter goes on at place. */
struct bpf_range { uint32_t from; bpf_place place; unsigned weight; };

bpf_place bpf_return(struct bpf *b, uint32_t value);
/* Each of these begins with loading; what was written last comes behind. */
bpf_place bpf_load(struct bpf *b, unsigned offset);	/* of 32 bits in struct seccomp_data */
bpf_place bpf_op(struct bpf *b, uint16_t code, uint32_t k);
bpf_place bpf_goto(struct bpf *b, bpf_place to);
/* condition: BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET, of what is loaded and k */
bpf_place bpf_if(struct bpf *b, uint16_t condition, uint32_t k, bpf_place yes, bpf_place no);
/*
 * Decide by what is loaded: n >= 1 ranges, ascending, the first from 0.  Neighbours with the same place are one.  What weighs
 * more is found with fewer comparisons.  ranges is changed.
 */
bpf_place bpf_ranges(struct bpf *b, struct bpf_range *ranges, unsigned n);

/* The finished filter; false if it does not fit. */
bool bpf_program(struct bpf *b, struct sock_fprog *program);

#endif
