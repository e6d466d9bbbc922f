/*
 * An ELF file as far as rewriting needs it.  Everything is copied, nothing mapped: a file that is truncated while it is
 * looked at is an error and not a SIGBUS.  Internal to src/rewrite.
 */
#ifndef MV_REWRITE_IMAGE_H
#define MV_REWRITE_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "rewrite/plan.h"

#define MV_BUILD_ID_MAX 64

struct mv_text {		/* an executable segment, as far as the file fills it */
	uint64_t vaddr, offset, size;
	uint8_t *bytes;
};

struct mv_image {
	int fd;			/* the caller's */
	uint64_t size;		/* of the file */
	struct mv_file_state state;	/* before it was read */
	Elf64_Ehdr eh;
	Elf64_Phdr *ph;		/* eh.e_phnum of them */
	struct mv_text *texts;	/* low to high, not overlapping */
	unsigned ntexts;
	bool text_relocations;	/* the loader is going to change code */
	unsigned build_id_len;	/* 0: the file has none */
	uint8_t build_id[MV_BUILD_ID_MAX];
};

/*
 * Read headers, executable segments and what else is above.  0, or -errno with *err filled (-ENOEXEC: no 64-bit x86-64 ELF
 * file).
 */
int mv_image_open(int fd, struct mv_image *im, struct mv_error *err);
/* Likewise, without the segments: ntexts is 0. */
int mv_image_open_headers(int fd, struct mv_image *im, struct mv_error *err);
/* Harmless after a failed mv_image_open(). */
void mv_image_close(struct mv_image *im);

/*
 * malloc() and read size bytes of the file, with room for one more.  0 and *data is the caller's; or -errno with *err
 * filled, and *data is NULL.
 */
int mv_image_read(const struct mv_image *im, uint64_t offset, uint64_t size, void **data, struct mv_error *err);
/* The executable segment that vaddr is in, or NULL. */
const struct mv_text *mv_image_text(const struct mv_image *im, uint64_t vaddr);
/* The segment's header that vaddr is in, counting what the file fills only; or NULL. */
const Elf64_Phdr *mv_image_segment(const struct mv_image *im, uint64_t vaddr);

#endif
