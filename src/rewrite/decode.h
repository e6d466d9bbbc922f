/* One instruction, as far as rewriting needs to know it.  Internal to src/rewrite. */
#ifndef MV_REWRITE_DECODE_H
#define MV_REWRITE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mv_insn {
	uint64_t vaddr, target;	/* target: of a direct branch or call */
	uint8_t length;
	uint8_t kind;		/* enum mv_displaced_kind; valid if movable */
	uint8_t field;		/* see struct mv_displaced */
	bool has_target;
	bool goes_on;		/* what follows can come next */
	bool movable;		/* does the same at another address, adjusted as its kind says */
	bool padding;		/* nop or int3 */
	bool site;		/* `syscall` or rdtsc */
};

/* False: no valid instruction within size bytes.  Thread-safe. */
bool mv_decode(const uint8_t *bytes, size_t size, uint64_t vaddr, struct mv_insn *in);

enum mv_writes_rax { MV_RAX_KEPT, MV_RAX_SET, MV_RAX_UNKNOWN };

/* What a valid instruction does to rax; MV_RAX_SET: it makes it *value, whatever was before. */
enum mv_writes_rax mv_decode_rax(const uint8_t *bytes, size_t size, uint64_t *value);

#endif
