/* Words for verdicts. */
#ifndef MV_SUPERVISOR_VERDICT_H
#define MV_SUPERVISOR_VERDICT_H

#include <stddef.h>
#include <stdint.h>
#include <multivar/multivar.h>

/*
 * The first line, without newline and without "mvarmor: " in front, e.g.
 *   divergence: write(1, ...): argument 2 differs at byte 17 (leader 0x41, variant 1 0x42)
 *   unsupported: io_uring_setup(...): not implemented
 * Writes a NUL-terminated string of less than size bytes (size > 0), cut if need be, and returns text.
 */
char *mv_verdict_line(const struct mv_verdict *v, char *text, size_t size);

/*
 * What may have made the variants disagree without an attack, by what is known of the run (mv_run_racing()): one line without
 * newline, or NULL.
 */
const char *mv_verdict_hint(const struct mv_verdict *v, uint32_t racing);

/* Index into leader_bytes and variant_bytes of the first difference; known if there is none. */
unsigned mv_verdict_first_byte(const struct mv_verdict *v);
/* "divergence", "unsupported", "failure", "none"; "bytes", "argument" ...: names for machines. */
const char *mv_verdict_kind_name(uint32_t kind);
const char *mv_difference_name(uint32_t difference);

#endif
