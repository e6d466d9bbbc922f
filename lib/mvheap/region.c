/*
 * One large mapping is reserved at the start; nearly all memory is inside of it.  In every variant it is as large as in any
 * other, so that slabs need no more calls that are compared: to change protections in it is the heap's own affair.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include "common/lock.h"
#include "heap.h"

#define REGION_SIZE ((size_t)32 << 30)
#define REGION_SIZE_MIN (64 * MIB)
#define META_WINDOW(size) ((size) / 32)		/* metadata is somewhere in the first part of a region */
#define META_SIZE(size) ((size) / 128)
#define META_STEP (256 * KIB)
#define START_PAGES 16
/*
 * A slab between inaccessible pages needs two of the kernel's mappings, of which a process may have 65530.  What comes behind so
 * many slabs is in regions that are accessible as a whole: slabs lie as far apart, but what is between them does not fault.
 */
#define GUARDED_MAX 12000

struct first heap_first;
static struct region regions[REGIONS_MAX];
static unsigned nregions;
static struct library_lock lock;
static uint32_t nslabs;
static bool alone;		/* not under MvArmor */

void heap_region_lock(void)
{
	library_lock(&lock);
}

void heap_region_unlock(void)
{
	library_unlock(&lock);
}

void *heap_map(size_t len)
{
	void *p = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* Where nobody wants to know, do not ask again: a filter of the program's may end it for such a call. */
	if (!alone)
		alone = prctl(MVHEAP_PRCTL, MVHEAP_REGION, p, len, 0) != 0;
	return p;
}

bool heap_commit(uintptr_t start, size_t len)
{
	return mprotect((void *)start, len, PROT_READ | PROT_WRITE) == 0;
}

void heap_discard(uintptr_t start, size_t len)
{
	madvise((void *)start, len, MADV_DONTNEED);
}

static void *region_meta(struct region *r, size_t len)
{
	void *p = (void *)(r->meta + r->meta_used);

	len = (len + 63) & ~(size_t)63;
	if (len > r->meta_size - r->meta_used)
		return NULL;
	while (r->meta_ready < r->meta_used + len) {
		if (!heap_commit(r->meta + r->meta_ready, META_STEP))
			return NULL;
		r->meta_ready += META_STEP;
	}
	r->meta_used += len;
	return p;
}

/* Lay out [start, start + size): metadata in the first part, at a random page with inaccessible ones around it; places. */
static bool lay_out(struct region *r, uintptr_t start, size_t size)
{
	size_t window = META_WINDOW(size), free_pages;

	r->meta_size = META_SIZE(size) & ~(META_STEP - 1);
	free_pages = (window - r->meta_size) / PAGE - 2;
	r->meta = start + (1 + mv_random_next(&heap_own) % free_pages) * PAGE;
	r->meta_used = 64;	/* so that 0 is no slab */
	r->meta_ready = 0;
	r->start = start + window;
	r->used = 0;
	r->order = heap_order_draw(heap_prime((uint32_t)((size - window) >> PLACE_SHIFT)), UINT32_MAX);
	r->slabs = region_meta(r, r->order.n * sizeof(*r->slabs));
	if (!r->slabs)
		return false;
	r->early = nslabs < GUARDED_MAX;
	r->guarded = true;
	if (heap_settings.slab_pad < PAGE || !r->early)
		r->guarded = !heap_commit(r->start, (size_t)r->order.n << PLACE_SHIFT);
	if (!r->guarded)
		madvise((void *)r->start, (size_t)r->order.n << PLACE_SHIFT, MADV_NOHUGEPAGE);
	return true;
}

static struct region *new_region(void)
{
	struct region *r = &regions[nregions];
	size_t size = REGION_SIZE;
	void *start;

	if (nregions == REGIONS_MAX)
		return NULL;
	/* Where address space is limited (RLIMIT_AS), half of what there is must do. */
	while (!(start = heap_map(size)))
		if ((size /= 2) < REGION_SIZE_MIN)
			return NULL;
	if (!lay_out(r, (uintptr_t)start, size)) {
		munmap(start, size);
		return NULL;
	}
	if (!nregions) {
		heap_first = (struct first){ .start = r->start, .slabs = r->slabs, .meta = r->meta };
		__atomic_store_n(&heap_first.places, r->order.n, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&nregions, nregions + 1, __ATOMIC_RELEASE);
	return r;
}

struct slab *heap_slab_elsewhere(uintptr_t p)
{
	for (unsigned i = 1; i < __atomic_load_n(&nregions, __ATOMIC_ACQUIRE); i++) {
		const struct region *r = &regions[i];
		size_t place = (p - r->start) >> PLACE_SHIFT;
		uint32_t at;

		if (place >= r->order.n)
			continue;
		at = r->slabs[place];
		return at ? (struct slab *)(r->meta + (size_t)at * 64) : NULL;
	}
	return NULL;
}

void *heap_meta(size_t len)
{
	void *p = NULL;

	for (unsigned i = nregions; i-- > 0 && !p; )
		p = region_meta(&regions[i], len);
	return p || !new_region() ? p : region_meta(&regions[nregions - 1], len);
}

/* Without a look at whether it is guarded: a leader without guards makes the same regions. */
static bool has_place(const struct region *r)
{
	return r->used < r->order.n && (!r->early || nslabs < GUARDED_MAX);
}

struct slab *heap_place(size_t len, size_t meta, uintptr_t *data)
{
	struct region *r = nregions ? &regions[nregions - 1] : NULL;
	struct slab *s = r && has_place(r) ? region_meta(r, meta) : NULL;
	uint32_t place;
	size_t slack;

	if (!s) {
		r = new_region();
		s = r ? region_meta(r, meta) : NULL;
		if (!s)
			return NULL;
	}
	place = heap_order_at(&r->order, r->used++);
	slack = (PLACE_USED - page_up(len)) / PAGE;
	slack = mv_random_next(&heap_own) % ((slack < START_PAGES ? slack : START_PAGES) + 1);
	*data = r->start + ((size_t)place << PLACE_SHIFT) + slack * PAGE;
	if (r->guarded && !heap_commit(*data, page_up(len)))
		return NULL;
	nslabs++;
	r->slabs[place] = (uint32_t)(((uintptr_t)s - r->meta) / 64);
	return s;
}
