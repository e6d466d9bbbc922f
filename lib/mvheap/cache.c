/*
 * What a thread keeps to itself.  A freed slot is held until so many others of its class have been freed by the same thread;
 * then the thread takes it again, or gives it back to its slab, where it comes after all that are free there already.
 */
#include <pthread.h>
#include "heap.h"

#define DELAY_MAX 16
#define DELAYED_BYTES (16 * KIB)	/* of a class, by a thread */
#define BATCH_BYTES (8 * KIB)

__thread struct cache *heap_cache __attribute__((tls_model("initial-exec")));
static __thread bool ended __attribute__((tls_model("initial-exec")));	/* the thread's last functions run: no cache any more */
static pthread_key_t key;
static struct cache *spare;		/* of threads that are gone; under the region's lock */

static unsigned clamp(size_t n, unsigned max)
{
	return n < 1 ? 1 : n > max ? max : (unsigned)n;
}

static struct slot shift_held(struct bin *b)
{
	struct slot slot = b->held[b->first_held];

	b->first_held = (uint16_t)((b->first_held + 1) % HELD_MAX);
	b->nheld--;
	return slot;
}

/* Give the n that were freed first back to their slabs. */
static void release(struct bin *b, unsigned class, unsigned n)
{
	unsigned before_end = HELD_MAX - b->first_held;

	if (before_end > n)
		before_end = n;
	heap_slab_put(class, &b->held[b->first_held], before_end);
	if (n > before_end)
		heap_slab_put(class, b->held, n - before_end);
	b->first_held = (uint16_t)((b->first_held + n) % HELD_MAX);
	b->nheld = (uint16_t)(b->nheld - n);
}

static void give_up(void *cache)
{
	struct cache *c = cache;

	heap_cache = NULL;
	ended = true;
	for (unsigned i = 0; i < CLASSES; i++) {
		struct bin *b = &c->bins[i];

		if (b->nheld)
			release(b, i, b->nheld);
		if (b->nready)
			heap_slab_put(i, b->ready, b->nready);
		b->nready = 0;
	}
	heap_region_lock();
	c->next = spare;
	spare = c;
	heap_region_unlock();
}

static struct cache *new_cache(void)
{
	struct cache *c;

	heap_region_lock();
	c = spare;
	if (c)
		spare = c->next;
	else
		c = heap_meta(sizeof(*c));
	heap_region_unlock();
	if (c && pthread_setspecific(key, c) == 0)
		heap_cache = c;
	return heap_cache;
}

void heap_cache_start(void)
{
	ended = pthread_key_create(&key, give_up) != 0;
}

static struct bin *my_bin(unsigned class)
{
	struct cache *c = heap_cache;
	size_t size = heap_class_sizes[class];
	struct bin *b;

	if (!c && !ended)
		c = new_cache();
	if (!c)
		return NULL;
	b = &c->bins[class];
	if (!b->room) {
		b->delay = (uint16_t)clamp(DELAYED_BYTES / size, DELAY_MAX);
		b->room = (uint16_t)(b->delay < DELAY_MAX / 2 ? 2 * b->delay : 4 * b->delay);
		b->batch = (uint16_t)clamp(BATCH_BYTES / size, READY_MAX);
	}
	return b;
}

void *heap_cache_alloc(unsigned class)
{
	struct bin *b = my_bin(class);
	struct slot one;

	if (!b)
		return heap_slab_take(class, &one, 1) ? heap_hand_out(&one) : NULL;
	if (!b->nready) {
		while (b->nheld > b->delay && b->nready < b->batch)
			b->ready[b->nready++] = shift_held(b);
		if (!b->nready)
			b->nready = (uint16_t)heap_slab_take(class, b->ready, b->batch);
	}
	return b->nready ? heap_hand_out(&b->ready[--b->nready]) : NULL;
}

void heap_cache_free(unsigned class, struct slot slot)
{
	struct bin *b = my_bin(class);

	if (!b) {
		heap_slab_put(class, &slot, 1);
		return;
	}
	if (b->nheld == b->room)
		release(b, class, b->room / 2u);
	heap_hold(b, slot);
}
