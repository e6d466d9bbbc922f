/*
 * Shadows: what followers map in the place of a file that the leader maps shared and writable, so that their stores never
 * reach it.  A shadow is a memfd of each variant's, one for a file however often, by whom and under what name it is mapped.  It
 * gets the file's contents when a part of it is mapped for the first time, while the leader waits; after that each variant's
 * own stores are in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "pt.h"

#define PAGE 4096ull
#define CHUNK (256u << 10)

struct range { uint64_t from, to; };

struct pt_shadow {
	UT_hash_handle hh;
	struct { uint64_t dev, ino; } key;
	int file;		/* opened with O_PATH: as long as it is there, no other file gets these numbers */
	int memfd[MV_VARIANTS_MAX];
	unsigned refs;		/* exports that are under way */
	bool twin;		/* the file is a memfd, which each variant writes to as it writes to its own */
	unsigned nranges, max;
	struct range *ranges;	/* pages that are mapped or have been: ascending, disjoint */
};

static int reopen(int file, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return open(path, flags | O_CLOEXEC);
}

static void shadow_free(struct pt *pt, struct pt_shadow *s)
{
	HASH_DEL(pt->shadows, s);
	for (unsigned v = 1; v < pt->nvariants; v++)
		if (s->memfd[v] >= 0)
			close(s->memfd[v]);
	if (s->file >= 0)
		close(s->file);
	free(s->ranges);
	free(s);
}

/* Followers' files are opened anew from ours, so the kernel grants a lease while, and only while, there are none. */
static bool used(int memfd)
{
	if (memfd < 0)
		return false;
	if (fcntl(memfd, F_SETLEASE, F_WRLCK))
		return true;
	fcntl(memfd, F_SETLEASE, F_UNLCK);
	return false;
}

/* What no follower has open or mapped may be made anew from the file. */
static void sweep(struct pt *pt)
{
	struct pt_shadow *s, *next;

	HASH_ITER(hh, pt->shadows, s, next) {
		bool needed = s->refs;

		for (unsigned v = 1; v < pt->nvariants && !needed; v++)
			needed = used(s->memfd[v]);
		if (!needed)
			shadow_free(pt, s);
	}
}

/* Opened anew as well: the kernel does not count the descriptor that a memfd begins with among those that can write. */
static int memfd_for(int file)
{
	int seals = fcntl(file, F_GET_SEALS);
	bool sealable = seals >= 0 && !(seals & F_SEAL_SEAL);
	int first = memfd_create("mvarmor-shadow", MFD_CLOEXEC | (sealable ? MFD_ALLOW_SEALING : 0u));
	int fd = first < 0 ? -1 : reopen(first, O_RDWR), r = fd < 0 ? -errno : fd;

	if (first >= 0)
		close(first);
	return r;
}

static int shadow_new(struct pt *pt, int file, const struct stat *st, struct pt_shadow **out)
{
	struct pt_shadow *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return -ENOMEM;
	s->key.dev = st->st_dev;
	s->key.ino = st->st_ino;
	s->file = reopen(file, O_PATH);
	if (s->file < 0)
		r = -errno;
	for (unsigned v = 0; v < MV_VARIANTS_MAX; v++)
		s->memfd[v] = -1;
	HASH_ADD(hh, pt->shadows, key, sizeof(s->key), s);
	for (unsigned v = 1; v < pt->nvariants && !r; v++)
		if (!(pt->dropped & 1u << v) && (s->memfd[v] = memfd_for(file)) < 0)
			r = s->memfd[v];
	if (r)
		shadow_free(pt, s);
	else
		*out = s;
	return r;
}

static int write_all(const struct pt *pt, const struct pt_shadow *s, const char *bytes, size_t n, uint64_t at)
{
	for (unsigned v = 1; v < pt->nvariants; v++)
		if (s->memfd[v] >= 0 && pwrite(s->memfd[v], bytes, n, (off_t)at) != (ssize_t)n)
			return errno ? -errno : -EIO;
	return 0;
}

/* Contents of [from, to) from the file; where that has holes, so have the shadows. */
static int copy(const struct pt *pt, const struct pt_shadow *s, int file, uint64_t from, uint64_t to)
{
	int own = reopen(file, O_RDONLY), r = 0;	/* with an offset of its own */
	char *buffer = malloc(CHUNK);

	if (!buffer)
		r = -ENOMEM;
	while (from < to && !r) {
		off_t data = own < 0 ? (off_t)from : lseek(own, (off_t)from, SEEK_DATA);
		size_t want;
		ssize_t n;

		if (data < 0 && errno == ENXIO)
			break;
		if (data > (off_t)from)
			from = (uint64_t)data;
		if (from >= to)
			break;
		want = to - from < CHUNK ? to - from : CHUNK;
		n = pread(own < 0 ? file : own, buffer, want, (off_t)from);
		if (n <= 0) {
			r = n ? -errno : 0;
			break;
		}
		r = write_all(pt, s, buffer, (size_t)n, from);
		from += (uint64_t)n;
	}
	free(buffer);
	if (own >= 0)
		close(own);
	return r;
}

/* Make [from, to) known; what lies between the ranges that were known before is copied. */
static int cover(const struct pt *pt, struct pt_shadow *s, int file, uint64_t from, uint64_t to)
{
	struct range all = { from, to };
	unsigned i = 0, last;
	int r = 0;

	while (i < s->nranges && s->ranges[i].to < from)
		i++;
	for (last = i; last < s->nranges && s->ranges[last].from <= to; last++) {
		if (from < s->ranges[last].from && !r)
			r = copy(pt, s, file, from, s->ranges[last].from);
		if (s->ranges[last].from < all.from)
			all.from = s->ranges[last].from;
		if (s->ranges[last].to > all.to)
			all.to = s->ranges[last].to;
		if (s->ranges[last].to > from)
			from = s->ranges[last].to;
	}
	if (from < to && !r)
		r = copy(pt, s, file, from, to);
	if (last == i && s->nranges == s->max) {
		unsigned max = s->max ? 2 * s->max : 4;
		struct range *ranges = realloc(s->ranges, max * sizeof(*ranges));

		if (!ranges)
			return -ENOMEM;
		s->ranges = ranges;
		s->max = max;
	}
	/* [i, last) become one. */
	for (unsigned k = s->nranges; last == i && k > i; k--)
		s->ranges[k] = s->ranges[k - 1];
	for (unsigned k = i + 1; last > i && k + (last - i - 1) < s->nranges; k++)
		s->ranges[k] = s->ranges[k + (last - i - 1)];
	s->nranges = s->nranges + 1 - (last - i);
	s->ranges[i] = all;
	return r;
}

/* They never shrink: a follower that is late may have to look there yet.  Its own ftruncate is made on its shadow, too. */
static int grow(const struct pt *pt, const struct pt_shadow *s, uint64_t size)
{
	struct stat st;

	for (unsigned v = 1; v < pt->nvariants; v++)
		if (s->memfd[v] >= 0 && (fstat(s->memfd[v], &st) ||
					 ((uint64_t)st.st_size < size && ftruncate(s->memfd[v], (off_t)size))))
			return -errno;
	return 0;
}

struct pt_shadow *pt_shadow_find(const struct pt *pt, int file)
{
	struct pt_shadow *s, look = { 0 };
	struct stat st;

	if (fstat(file, &st) || !S_ISREG(st.st_mode))
		return NULL;
	look.key.dev = st.st_dev;
	look.key.ino = st.st_ino;
	HASH_FIND(hh, pt->shadows, &look.key, sizeof(look.key), s);
	return s;
}

int pt_shadow_own(const struct pt_shadow *s, unsigned variant)
{
	return s->memfd[variant];
}

int pt_shadow_copy(int file, int to, uint64_t from, uint64_t len)
{
	int own = reopen(file, O_RDONLY), r = 0;	/* it may be open for writing only */
	char *buffer = malloc(CHUNK);

	if (own < 0 || !buffer)
		r = own < 0 ? -errno : -ENOMEM;
	while (len && !r) {
		ssize_t n = pread(own, buffer, len < CHUNK ? len : CHUNK, (off_t)from);

		if (n <= 0) {
			r = n ? -errno : 0;	/* it has become shorter since */
			break;
		}
		if (pwrite(to, buffer, (size_t)n, (off_t)from) != n)
			r = errno ? -errno : -EIO;
		from += (uint64_t)n;
		len -= (uint64_t)n;
	}
	free(buffer);
	if (own >= 0)
		close(own);
	return r;
}

int pt_shadow_of(struct pt *pt, int file, const struct mv_share *share, struct pt_shadow **out)
{
	uint64_t end = share->offset + share->len + PAGE - 1;
	struct pt_shadow *s;
	struct stat st;
	int r = 0;

	*out = NULL;
	if (fstat(file, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	s = pt_shadow_find(pt, file);
	/* Who may write to it, and maps it to read, will write to it by calls. */
	if (!s && !(share->how & MV_SHARE_WRITTEN || (share->how & MV_SHARE_MAPPED && (fcntl(file, F_GETFL) & O_ACCMODE) == O_RDWR)))
		return 0;
	if (!s) {
		sweep(pt);
		r = shadow_new(pt, file, &st, &s);
	}
	if (!r)
		r = grow(pt, s, (uint64_t)st.st_size);
	if (!r && end > share->offset)
		r = cover(pt, s, file, share->offset & ~(PAGE - 1), end & ~(PAGE - 1));
	if (!r)
		*out = s;
	return r;
}

void pt_shadow_ref(struct pt_shadow *s)
{
	s->refs++;
}

void pt_shadow_unref(struct pt_shadow *s)
{
	s->refs--;
}

int pt_shadow_open(const struct pt_shadow *s, unsigned variant, bool writable)
{
	int fd = s->memfd[variant] < 0 ? -1 : reopen(s->memfd[variant], writable ? O_RDWR : O_RDONLY);

	return fd < 0 ? -errno : fd;
}

void pt_shadows_drop(struct pt *pt, unsigned variant)
{
	struct pt_shadow *s, *next;

	HASH_ITER(hh, pt->shadows, s, next) {
		if (s->memfd[variant] >= 0)
			close(s->memfd[variant]);
		s->memfd[variant] = -1;
	}
}

void pt_shadows_free(struct pt *pt)
{
	struct pt_shadow *s, *next;

	HASH_ITER(hh, pt->shadows, s, next)
		shadow_free(pt, s);
}
