#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include "rewrite/cache.h"
#include "rewrite/plan_internal.h"

#define SYSTEM_DIR "/var/cache/mvarmor"
#define MAGIC "mvplan\r\n"
#define VERSION 3		/* of what follows, of struct mv_site, and of how plans are made */
#define SUFFIX ".3.plan"	/* another version's plans stay */
#define SITES_MAX (1u << 20)
#define NAME_MAX_LEN (2 * MV_BUILD_ID_MAX + sizeof(SUFFIX))

struct header {
	char magic[8];
	uint32_t version, site_size;
	uint32_t n, unbounded;
	uint64_t file_size;
	uint64_t text_hash[2];
	uint32_t build_id_len;
	uint8_t build_id[MV_BUILD_ID_MAX];
	uint8_t reserved[4];
	struct mv_file_state state;	/* of the file that was known to be the plan's last */
	uint64_t checksum;	/* of the whole file with 0 here */
};

_Static_assert(sizeof(struct mv_site) == 64 && sizeof(struct header) == 160, "no padding: both are written as they are");

int mv_cache_dir(char *path, size_t size)
{
	const char *home = secure_getenv("XDG_CACHE_HOME"), *below = "/mvarmor";
	int n;

	if (geteuid() == 0) {
		home = SYSTEM_DIR;
		below = "";
	} else if (!home || *home != '/') {
		home = secure_getenv("HOME");
		below = "/.cache/mvarmor";
	}
	if (!home || *home != '/')
		return -ENOENT;
	n = snprintf(path, size, "%s%s", home, below);
	return n > 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

static void file_name(const uint8_t *id, unsigned len, char name[NAME_MAX_LEN])
{
	for (unsigned i = 0; i < len; i++)
		snprintf(name + 2 * i, 3, "%02x", id[i]);
	strcpy(name + 2 * len, SUFFIX);
}

static bool only_ours(const struct stat *st)
{
	return (st->st_uid == geteuid() || st->st_uid == 0) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* The directory as a descriptor; nobody else may put files into it. */
static int open_dir(const char *dir, struct mv_error *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : mv_error_set(err, errno, "cannot open the cache %s", dir);
	if (fstat(fd, &st) || !only_ours(&st)) {
		close(fd);
		return mv_error_set(err, EPERM, "the cache %s can be written by others", dir);
	}
	return fd;
}

/* ---- checks ---- */

static bool is_sane_displaced(const struct mv_site *s, const struct mv_displaced *d, unsigned at)
{
	bool wide = d->kind == MV_DISPLACED_RIP, jump = d->kind == MV_DISPLACED_JMP || d->kind == MV_DISPLACED_JCC;
	int left = d->length - d->field;

	if (d->kind >= MV_DISPLACED_KINDS || d->at != at || !d->length || d->length > 15 || d->at + d->length > s->nbytes)
		return false;
	if (wide)
		return d->field && left >= 4;
	return !jump || (d->field && (left == 1 || left == 4));
}

/* P1: one instruction, then `syscall`.  F: `syscall`, then instructions without a gap, their starts marked as traps. */
static bool is_sane_patch(const struct mv_site *s)
{
	unsigned at = s->kind == MV_SITE_F ? 2 : 0, traps = 0;

	if (!s->ndisplaced || s->ndisplaced > MV_DISPLACED_MAX)
		return false;
	for (unsigned i = 0; i < s->ndisplaced; i++) {
		if (!is_sane_displaced(s, &s->displaced[i], at))
			return false;
		if (at && at < MV_PATCH_LEN)
			traps |= 1u << (at - 1);
		at += s->displaced[i].length;
	}
	if (at != s->length || s->length < MV_PATCH_LEN || s->traps != traps)
		return false;
	if (memcmp(s->bytes + s->before, "\x0f\x05", 2) && memcmp(s->bytes + s->before, "\x0f\x31", 2))
		return false;
	if (s->kind == MV_SITE_P1)
		return s->ndisplaced == 1 && s->before == s->length && s->nbytes == s->length + 2;
	return !s->before && s->nbytes == s->length;
}

static bool is_sane(const struct mv_site *s)
{
	if (s->kind >= MV_SITE_KINDS || s->nbytes < 2 || s->nbytes > MV_SITE_BYTES || s->before + 2 > s->nbytes)
		return false;
	return s->kind == MV_SITE_NONE ? s->why < MV_WHYS && !s->before : is_sane_patch(s);
}

static bool is_in(const struct mv_site *s, const struct mv_image *im)
{
	const struct mv_text *text = mv_image_text(im, s->vaddr);
	uint64_t at = text ? s->vaddr - text->vaddr : 0;

	return text && at >= s->before && at - s->before + s->nbytes <= text->size && s->offset == text->offset + at &&
	       !memcmp(text->bytes + at - s->before, s->bytes, s->nbytes);
}

static uint64_t patch_end(const struct mv_site *s)
{
	return s->kind == MV_SITE_F ? s->vaddr + s->length : s->vaddr + 2;
}

/* Without im's segments the bytes are not compared: who rewrites a site does that once more in any case. */
static bool are_sane(const struct mv_site *sites, unsigned n, const struct mv_image *im)
{
	for (unsigned i = 0; i < n; i++)
		if (!is_sane(&sites[i]) || (im->ntexts && !is_in(&sites[i], im)) ||
		    (i && sites[i].vaddr - sites[i].before < patch_end(&sites[i - 1])))
			return false;
	return true;
}

static uint64_t checksum(const struct header *h, const struct mv_site *sites)
{
	struct header plain = *h;

	plain.checksum = 0;
	return XXH3_64bits_withSeed(sites, h->n * sizeof(*sites), XXH3_64bits(&plain, sizeof(plain)));
}

/* ---- load ---- */

static bool read_exactly(int fd, void *to, size_t size)
{
	return read(fd, to, size) == (ssize_t)size;
}

static int damaged(const char *what, struct mv_error *err)
{
	return mv_error_set(err, EBADMSG, "a cached plan is not used: %s", what);
}

static bool is_of(const struct header *h, const struct mv_image *im, const struct mv_plan *plan)
{
	bool same = im->ntexts ? !memcmp(h->text_hash, plan->text_hash, sizeof(h->text_hash)) :
				 im->state.changed && !memcmp(&h->state, &im->state, sizeof(h->state));

	return same && h->file_size == plan->file_size && h->build_id_len == plan->build_id_len &&
	       !memcmp(h->build_id, plan->build_id, sizeof(h->build_id));
}

static int load_file(int fd, const struct mv_image *im, struct mv_plan *plan, struct mv_error *err)
{
	struct stat st;
	struct header h;

	if (fstat(fd, &st))
		return mv_error_set(err, errno, "cannot look at a cached plan");
	if (!S_ISREG(st.st_mode) || !only_ours(&st))
		return mv_error_set(err, EPERM, "a cached plan is not used: others can write it");
	if (!read_exactly(fd, &h, sizeof(h)) || memcmp(h.magic, MAGIC, sizeof(h.magic)))
		return damaged("no plan", err);
	if (h.version != VERSION || h.site_size != sizeof(struct mv_site) || !is_of(&h, im, plan))
		return -ENOENT;
	if (h.n > SITES_MAX || (uint64_t)st.st_size != sizeof(h) + h.n * sizeof(*plan->sites))
		return damaged("wrong size", err);
	plan->sites = malloc(h.n * sizeof(*plan->sites) + 1);
	if (!plan->sites)
		return mv_error_set(err, ENOMEM, "cannot load a plan");
	if (!read_exactly(fd, plan->sites, h.n * sizeof(*plan->sites)) || checksum(&h, plan->sites) != h.checksum)
		return damaged("wrong checksum", err);
	if (!are_sane(plan->sites, h.n, im))
		return damaged("it contradicts the file", err);
	plan->n = h.n;
	plan->unbounded = h.unbounded;
	plan->state = h.state;
	memcpy(plan->text_hash, h.text_hash, sizeof(h.text_hash));
	return 0;
}

static int load(const char *dir, const struct mv_image *im, struct mv_plan *plan, struct mv_error *err)
{
	char name[NAME_MAX_LEN];
	int dirfd, fd, r;

	mv_plan_identify(im, plan);
	if (!plan->build_id_len)
		return -ENOENT;
	dirfd = open_dir(dir, err);
	if (dirfd < 0)
		return dirfd;
	file_name(plan->build_id, plan->build_id_len, name);
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		r = errno == ENOENT ? -ENOENT : mv_error_set(err, errno, "cannot open the cached plan %s", name);
	close(dirfd);
	if (fd < 0)
		return r;
	r = load_file(fd, im, plan, err);
	close(fd);
	if (r)
		mv_plan_free(plan);
	return r;
}

int mv_cache_load(const char *dir, int fd, struct mv_plan *plan, struct mv_error *err)
{
	struct mv_image im;
	int r;

	*plan = (struct mv_plan){ 0 };
	r = mv_image_open(fd, &im, err);
	if (r)
		return r;
	r = load(dir, &im, plan, err);
	mv_image_close(&im);
	return r;
}

/* ---- store ---- */

static int make_dir(const char *dir, struct mv_error *err)
{
	char parent[4096];
	char *slash;

	if (!mkdir(dir, 0755) || errno == EEXIST)
		return 0;
	slash = strrchr(dir, '/');
	if (errno == ENOENT && slash && slash != dir && (size_t)(slash - dir) < sizeof(parent)) {
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - dir), dir);
		if ((!mkdir(parent, 0700) || errno == EEXIST) && (!mkdir(dir, 0755) || errno == EEXIST))
			return 0;
	}
	return mv_error_set(err, errno, "cannot make the cache %s", dir);
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t n = write(fd, at, size);

		if (n <= 0)
			return n ? errno : EIO;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

/* A file under a name of this process's own takes the place of an old one at once. */
static int write_file(int dirfd, const char *name, const struct header *h, const struct mv_site *sites)
{
	char temporary[NAME_MAX_LEN + 32];
	int fd, code;

	snprintf(temporary, sizeof(temporary), ".%s.%d", name, (int)getpid());
	unlinkat(dirfd, temporary, 0);
	fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno;
	code = fchmod(fd, 0644) ? errno : 0;
	if (!code)
		code = write_all(fd, h, sizeof(*h));
	if (!code)
		code = write_all(fd, sites, h->n * sizeof(*sites));
	if (close(fd) && !code)
		code = errno;
	if (!code && renameat(dirfd, temporary, dirfd, name))
		code = errno;
	if (code)
		unlinkat(dirfd, temporary, 0);
	return code;
}

int mv_cache_store(const char *dir, const struct mv_plan *plan, struct mv_error *err)
{
	struct header h = {
		.magic = MAGIC,
		.version = VERSION,
		.site_size = sizeof(struct mv_site),
		.n = plan->n,
		.unbounded = plan->unbounded,
		.file_size = plan->file_size,
		.build_id_len = plan->build_id_len,
		.state = plan->state,
	};
	char name[NAME_MAX_LEN];
	int dirfd, code;

	if (!plan->build_id_len || plan->n > SITES_MAX)
		return mv_error_set(err, ENOENT, "no plan to be cached");
	memcpy(h.text_hash, plan->text_hash, sizeof(h.text_hash));
	memcpy(h.build_id, plan->build_id, plan->build_id_len);
	h.checksum = checksum(&h, plan->sites);
	code = make_dir(dir, err);
	if (code)
		return code;
	dirfd = open_dir(dir, err);
	if (dirfd < 0)
		return dirfd;
	file_name(plan->build_id, plan->build_id_len, name);
	code = write_file(dirfd, name, &h, plan->sites);
	close(dirfd);
	return code ? mv_error_set(err, code, "cannot write the cached plan %s/%s", dir, name) : 0;
}

/* For a file that is in the state in which it was when its plan was stored: without reading it. */
static bool load_unchanged(const char *dir, int fd, struct mv_plan *plan)
{
	struct mv_image im;
	bool loaded;

	if (mv_image_open_headers(fd, &im, NULL))
		return false;
	loaded = !load(dir, &im, plan, NULL);
	mv_image_close(&im);
	return loaded;
}

int mv_cache_plan(const char *dir, int fd, struct mv_plan *plan, bool *cached, struct mv_error *err)
{
	struct mv_file_state state;
	struct mv_image im;
	bool loaded, newer;
	int r;

	*plan = (struct mv_plan){ 0 };
	if (cached)
		*cached = true;
	if (dir && load_unchanged(dir, fd, plan))
		return 0;
	r = mv_image_open(fd, &im, err);
	if (r)
		return r;
	state = im.state;
	loaded = dir && !load(dir, &im, plan, NULL);
	if (!loaded)
		r = mv_plan_of_image(&im, plan, err);
	mv_image_close(&im);
	/* Of two files with the same contents the cache knows the one that has changed last. */
	newer = loaded && state.changed > plan->state.changed;
	plan->state = state;
	if ((!loaded || newer) && !r && dir && plan->build_id_len)
		mv_cache_store(dir, plan, NULL);
	if (cached)
		*cached = loaded;
	return r;
}
