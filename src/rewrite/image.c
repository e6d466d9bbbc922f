#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "rewrite/image.h"

#define CLOCK_COARSE_NS 2000000000u	/* file systems with coarse clocks have two seconds */
#define TEXT_MAX ((uint64_t)1 << 30)	/* more code than any program has; a sparse file can claim any size */

static int read_into(const struct mv_image *im, uint64_t offset, void *data, uint64_t size, struct mv_error *err)
{
	uint64_t done = 0;

	if (offset > im->size || size > im->size - offset)
		return mv_error_set(err, ENOEXEC, "the ELF file is shorter than its headers say");
	while (done < size) {
		ssize_t n = pread(im->fd, (char *)data + done, size - done, (off_t)(offset + done));

		if (n <= 0)
			return mv_error_set(err, n < 0 ? errno : ENOEXEC, "cannot read an ELF file");
		done += (uint64_t)n;
	}
	return 0;
}

int mv_image_read(const struct mv_image *im, uint64_t offset, uint64_t size, void **data, struct mv_error *err)
{
	int r;

	*data = NULL;
	if (size > TEXT_MAX) {
		mv_error_set(err, EFBIG, "a part of the ELF file has %llu bytes", (unsigned long long)size);
		return -EFBIG;
	}
	*data = malloc(size + 1);
	if (!*data) {
		mv_error_set(err, ENOMEM, "cannot read an ELF file");
		return -ENOMEM;
	}
	r = read_into(im, offset, *data, size, err);
	if (r) {
		free(*data);
		*data = NULL;
	}
	return r;
}

static uint64_t nanoseconds(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

static void take_state(struct mv_image *im, const struct stat *st)
{
	struct timespec now;

	/* Without the time stamp counter, which the supervisor does without. */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (nanoseconds(&st->st_ctim) + CLOCK_COARSE_NS < nanoseconds(&now))
		im->state = (struct mv_file_state){ st->st_dev, st->st_ino, nanoseconds(&st->st_mtim), nanoseconds(&st->st_ctim) };
}

static int read_headers(struct mv_image *im, struct mv_error *err)
{
	struct stat st;
	void *data;
	int r;

	if (fstat(im->fd, &st))
		return mv_error_set(err, errno, "cannot look at an ELF file");
	im->size = (uint64_t)st.st_size;
	take_state(im, &st);
	r = read_into(im, 0, &im->eh, sizeof(im->eh), err);
	if (r)
		return r;
	if (memcmp(im->eh.e_ident, ELFMAG, SELFMAG) || im->eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    im->eh.e_machine != EM_X86_64 || im->eh.e_phentsize != sizeof(Elf64_Phdr))
		return mv_error_set(err, ENOEXEC, "not an ELF file for x86-64");
	r = mv_image_read(im, im->eh.e_phoff, im->eh.e_phnum * sizeof(Elf64_Phdr), &data, err);
	if (!r)
		im->ph = data;
	return r;
}

static int read_text(struct mv_image *im, struct mv_error *err)
{
	uint64_t behind = 0, total = 0;

	im->texts = calloc(im->eh.e_phnum + 1u, sizeof(*im->texts));
	if (!im->texts)
		return mv_error_set(err, ENOMEM, "cannot read an ELF file");
	for (unsigned i = 0; i < im->eh.e_phnum; i++) {
		const Elf64_Phdr *ph = &im->ph[i];
		struct mv_text *text = &im->texts[im->ntexts];
		void *bytes;
		int r;

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X) || !ph->p_filesz)
			continue;
		total += ph->p_filesz;
		if (ph->p_vaddr < behind || ph->p_vaddr >> 47 || ph->p_filesz >> 47 || total > TEXT_MAX)
			return mv_error_set(err, ENOEXEC, "the ELF file's segments are out of order or too large");
		behind = ph->p_vaddr + ph->p_filesz;
		r = mv_image_read(im, ph->p_offset, ph->p_filesz, &bytes, err);
		if (r)
			return r;
		*text = (struct mv_text){ ph->p_vaddr, ph->p_offset, ph->p_filesz, bytes };
		im->ntexts++;
	}
	return 0;
}

static void take_build_id(struct mv_image *im, const char *notes, uint64_t size, uint64_t align)
{
	uint64_t at = 0;

	while (size - at >= sizeof(Elf64_Nhdr)) {
		uint64_t name, desc, next;
		Elf64_Nhdr note;

		memcpy(&note, notes + at, sizeof(note));
		name = at + sizeof(note);
		desc = (name + note.n_namesz + align - 1) & ~(align - 1);
		next = (desc + note.n_descsz + align - 1) & ~(align - 1);
		if (desc > size || desc + note.n_descsz > size)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && !memcmp(notes + name, "GNU", 4) &&
		    note.n_descsz <= sizeof(im->build_id)) {
			memcpy(im->build_id, notes + desc, note.n_descsz);
			im->build_id_len = note.n_descsz;
			return;
		}
		if (next > size)
			return;
		at = next;
	}
}

/* A file without usable notes is a file without a build-id. */
static void find_build_id(struct mv_image *im)
{
	for (unsigned i = 0; i < im->eh.e_phnum && !im->build_id_len; i++) {
		const Elf64_Phdr *ph = &im->ph[i];
		void *notes;

		if (ph->p_type != PT_NOTE || ph->p_filesz > 65536 || mv_image_read(im, ph->p_offset, ph->p_filesz, &notes, NULL))
			continue;
		take_build_id(im, notes, ph->p_filesz, ph->p_align == 8 ? 8 : 4);
		free(notes);
	}
}

static int find_text_relocations(struct mv_image *im, struct mv_error *err)
{
	for (unsigned i = 0; i < im->eh.e_phnum; i++) {
		void *data;
		int r;

		if (im->ph[i].p_type != PT_DYNAMIC)
			continue;
		r = mv_image_read(im, im->ph[i].p_offset, im->ph[i].p_filesz, &data, err);
		if (r)
			return r;
		for (uint64_t d = 0; d < im->ph[i].p_filesz / sizeof(Elf64_Dyn); d++) {
			const Elf64_Dyn *dyn = (const Elf64_Dyn *)data + d;

			im->text_relocations |= dyn->d_tag == DT_TEXTREL ||
						(dyn->d_tag == DT_FLAGS && dyn->d_un.d_val & DF_TEXTREL);
		}
		free(data);
	}
	return 0;
}

int mv_image_open_headers(int fd, struct mv_image *im, struct mv_error *err)
{
	int r;

	*im = (struct mv_image){ .fd = fd };
	r = read_headers(im, err);
	if (r)
		mv_image_close(im);
	else
		find_build_id(im);
	return r;
}

int mv_image_open(int fd, struct mv_image *im, struct mv_error *err)
{
	int r;

	*im = (struct mv_image){ .fd = fd };
	r = read_headers(im, err);
	if (!r)
		r = read_text(im, err);
	if (!r)
		r = find_text_relocations(im, err);
	if (r)
		mv_image_close(im);
	else
		find_build_id(im);
	return r;
}

void mv_image_close(struct mv_image *im)
{
	for (unsigned i = 0; i < im->ntexts; i++)
		free(im->texts[i].bytes);
	free(im->texts);
	free(im->ph);
	*im = (struct mv_image){ .fd = -1 };
}

const struct mv_text *mv_image_text(const struct mv_image *im, uint64_t vaddr)
{
	for (unsigned i = 0; i < im->ntexts; i++)
		if (vaddr - im->texts[i].vaddr < im->texts[i].size)
			return &im->texts[i];
	return NULL;
}

const Elf64_Phdr *mv_image_segment(const struct mv_image *im, uint64_t vaddr)
{
	for (unsigned i = 0; i < im->eh.e_phnum; i++)
		if (im->ph[i].p_type == PT_LOAD && vaddr - im->ph[i].p_vaddr < im->ph[i].p_filesz)
			return &im->ph[i];
	return NULL;
}
