/*
 * Objects with a mapping of their own: some inaccessible pages, of which each variant has another number, the object, room to
 * grow into, inaccessible pages.  mmap and munmap are calls that all variants make alike; what changes in between is ours.
 */
#include <sys/mman.h>
#include "common/lock.h"
#include "heap.h"

#define LEADS 61		/* prime: so many possible distances, in pages, from the mapping's start */
#define HASHES 1024

static struct library_lock lock;
static struct huge *table[HASHES], *spare;
static struct heap_order leads;
static uint32_t made;

void heap_huge_lock(void)
{
	library_lock(&lock);
}

void heap_huge_unlock(void)
{
	library_unlock(&lock);
}

static struct huge **slot_of(uintptr_t data)
{
	return &table[data * 0x9e3779b97f4a7c15u >> 54];
}

static struct huge **find(uintptr_t data)
{
	struct huge **at = slot_of(data);

	while (*at && (*at)->data != data)
		at = &(*at)->next;
	return at;
}

/* A record, and the object's distance from its mapping's start. */
static struct huge *new_record(size_t *lead)
{
	struct huge *h;

	heap_region_lock();
	if (!leads.n)
		leads = heap_order_draw(LEADS, UINT32_MAX);
	*lead = (1 + heap_order_at(&leads, made++ % LEADS)) * PAGE;
	h = spare;
	if (h)
		spare = h->next;
	else
		h = heap_meta(sizeof(*h));
	heap_region_unlock();
	return h;
}

static void drop_record(struct huge *h)
{
	heap_region_lock();
	h->next = spare;
	spare = h;
	heap_region_unlock();
}

void *heap_huge_alloc(size_t size, size_t align, size_t room)
{
	size_t lead, map_len, extra = (LEADS + 1) * PAGE + (align > PAGE ? align : 0);
	struct huge **slot, *h = new_record(&lead);
	void *map;

	if (!h)
		return NULL;
	size = page_up(size);
	room = page_up(room > size ? room : size);
	if (room < size || __builtin_add_overflow(room, extra, &map_len) || map_len > PTRDIFF_MAX || !(map = heap_map(map_len)))
		goto no_map;
	h->map = (uintptr_t)map;
	h->map_len = map_len;
	h->data = h->map + lead;
	if (align > PAGE)
		h->data = (h->data + align - 1) & ~(align - 1);
	h->size = size;
	h->room = room;
	if (!heap_commit(h->data, size)) {
		munmap(map, map_len);
		goto no_map;
	}
	library_lock(&lock);
	slot = slot_of(h->data);
	h->next = *slot;
	*slot = h;
	library_unlock(&lock);
	return (void *)h->data;
no_map:
	drop_record(h);
	return NULL;
}

size_t heap_huge_size(const void *p)
{
	const struct huge *h;
	size_t size;

	library_lock(&lock);
	h = *find((uintptr_t)p);
	size = h ? h->size : 0;
	library_unlock(&lock);
	return size;
}

bool heap_huge_free(void *p)
{
	struct huge **at, *h;

	library_lock(&lock);
	at = find((uintptr_t)p);
	h = *at;
	if (h)
		*at = h->next;
	library_unlock(&lock);
	if (!h)
		return false;
	munmap((void *)h->map, h->map_len);
	drop_record(h);
	return true;
}

bool heap_huge_resize(void *p, size_t size)
{
	struct huge *h;
	bool done = false;

	size = page_up(size);
	library_lock(&lock);
	h = *find((uintptr_t)p);
	if (h && size <= h->room) {
		done = size <= h->size || heap_commit(h->data + h->size, size - h->size);
		if (size < h->size) {
			heap_discard(h->data + size, h->size - size);
			mprotect((void *)(h->data + size), h->size - size, PROT_NONE);
		}
		if (done)
			h->size = size;
	}
	library_unlock(&lock);
	return done;
}
