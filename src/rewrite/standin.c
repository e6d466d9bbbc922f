#include <string.h>
#include <unistd.h>
#include "rewrite/image.h"
#include "rewrite/standin.h"

#define DYNAMIC_MAX 128		/* entries that are looked at */
#define CHAIN_MAX 64		/* names with one hash */

extern const uint8_t mv_standin_random_stop[], mv_standin_random_stop_end[];
extern const uint8_t mv_standin_random_monitor[], mv_standin_random_monitor_end[];

/* Both are OpenSSL's since version 3.0. */
static const char *const drawn_from[MV_STANDINS_MAX] = { "RAND_bytes_ex", "RAND_priv_bytes_ex" };

/* The tables of the dynamic linker, as linked. */
struct tables { uint64_t hash, symbols, strings; };

static bool read_at(const struct mv_image *im, uint64_t vaddr, void *to, size_t size)
{
	const Elf64_Phdr *ph = mv_image_segment(im, vaddr);

	return ph && size <= ph->p_vaddr + ph->p_filesz - vaddr &&
	       pread(im->fd, to, size, (off_t)(ph->p_offset + vaddr - ph->p_vaddr)) == (ssize_t)size;
}

static bool find_tables(const struct mv_image *im, struct tables *t)
{
	Elf64_Dyn dynamic[DYNAMIC_MAX];
	const Elf64_Phdr *ph = im->ph, *end = im->ph + im->eh.e_phnum;
	size_t n;

	while (ph < end && ph->p_type != PT_DYNAMIC)
		ph++;
	if (ph == end)
		return false;
	n = ph->p_filesz / sizeof(*dynamic);
	n = n < DYNAMIC_MAX ? n : DYNAMIC_MAX;
	if (!read_at(im, ph->p_vaddr, dynamic, n * sizeof(*dynamic)))
		return false;
	*t = (struct tables){ 0 };
	for (size_t i = 0; i < n && dynamic[i].d_tag != DT_NULL; i++) {
		if (dynamic[i].d_tag == DT_GNU_HASH)
			t->hash = dynamic[i].d_un.d_ptr;
		else if (dynamic[i].d_tag == DT_SYMTAB)
			t->symbols = dynamic[i].d_un.d_ptr;
		else if (dynamic[i].d_tag == DT_STRTAB)
			t->strings = dynamic[i].d_un.d_ptr;
	}
	return t->hash && t->symbols && t->strings;
}

static uint32_t hash_of(const char *name)
{
	uint32_t h = 5381;

	for (; *name; name++)
		h = h * 33 + (uint8_t)*name;
	return h;
}

static bool is_named(const struct mv_image *im, const struct tables *t, const Elf64_Sym *s, const char *name)
{
	char found[32];
	size_t size = strlen(name) + 1;

	return size <= sizeof(found) && read_at(im, t->strings + s->st_name, found, size) && !memcmp(found, name, size);
}

/* By the hash table of the GNU linkers: its filter says no for nearly all files that do not have the name. */
static bool find_symbol(const struct mv_image *im, const struct tables *t, const char *name, Elf64_Sym *s)
{
	struct { uint32_t buckets, first, words, shift; } head;
	uint32_t h = hash_of(name), at, link;
	uint64_t word, bits, buckets, chain;

	if (!read_at(im, t->hash, &head, sizeof(head)) || !head.buckets || !head.words ||
	    !read_at(im, t->hash + sizeof(head) + h / 64 % head.words * 8, &word, sizeof(word)))
		return false;
	bits = 1ull << h % 64 | 1ull << (h >> (head.shift & 31)) % 64;
	buckets = t->hash + sizeof(head) + 8ull * head.words;
	chain = buckets + 4ull * head.buckets;
	if ((word & bits) != bits || !read_at(im, buckets + 4ull * (h % head.buckets), &at, sizeof(at)) || at < head.first)
		return false;
	for (unsigned i = 0; i < CHAIN_MAX; i++, at++) {
		if (!read_at(im, chain + 4ull * (at - head.first), &link, sizeof(link)))
			return false;
		if ((link | 1) == (h | 1) && read_at(im, t->symbols + sizeof(*s) * (uint64_t)at, s, sizeof(*s)) && is_named(im, t, s, name))
			return true;
		if (link & 1)
			return false;
	}
	return false;
}

unsigned mv_standins_find(int fd, bool monitor, struct mv_standin out[MV_STANDINS_MAX])
{
	const uint8_t *code = monitor ? mv_standin_random_monitor : mv_standin_random_stop;
	const uint8_t *end = monitor ? mv_standin_random_monitor_end : mv_standin_random_stop_end;
	struct mv_image im;
	struct tables t;
	unsigned n = 0;

	if (!mv_image_open_headers(fd, &im, NULL) && find_tables(&im, &t))
		for (unsigned i = 0; i < MV_STANDINS_MAX; i++) {
			const Elf64_Phdr *ph;
			Elf64_Sym s;

			if (!find_symbol(&im, &t, drawn_from[i], &s) || ELF64_ST_TYPE(s.st_info) != STT_FUNC ||
			    s.st_size < (uint64_t)(end - code) || !(ph = mv_image_segment(&im, s.st_value)) || !(ph->p_flags & PF_X))
				continue;
			out[n++] = (struct mv_standin){ ph->p_offset + s.st_value - ph->p_vaddr, (unsigned)(end - code), code };
		}
	mv_image_close(&im);
	return n;
}
