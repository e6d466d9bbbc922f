/*
 * Slabs.  Which slot of which slab a request gets depends on nothing but the requests so far; where that slot lies, on the
 * variant.  So the variants' heaps are the same heap in another order, and need memory at the same moments.
 */
#include <string.h>
#include "common/lock.h"
#include "heap.h"

#define FIRST_SLAB (16 * KIB)	/* bytes; the more slabs of a class there are, the larger are new ones */
#define SLAB_DOUBLINGS 4
#define KEPT_BYTES (512 * KIB)	/* of a class, in empty slabs, at first */
#define KEPT_MORE (64 * MIB)	/* of all, beyond that */
#define NEAR_STEPS 16
#define FEW_SLOTS 13		/* even large objects have so many neighbours to be mistaken for, if not too large */
#define FEW_SLOTS_SIZE (32 * KIB + 16)

static struct class {
	struct library_lock lock;
	struct slab *first, *last;	/* slabs with free slots */
	unsigned nslabs, nempty;
	size_t more;			/* to be kept than KEPT_BYTES */
} __attribute__((aligned(64))) classes[CLASSES];
static size_t all_more;

/* Steps of 16 to 128, then four for each doubling; more, so that a power of two and the gap fit, by 16 or nothing. */
#define DOUBLING(n, more) 5 * (n) + (more), 6 * (n) + (more), 7 * (n) + (more), 8 * (n) + (more)
#define SIZES(more) 16, 32, 48, 64, 80, 96, 112, 128, DOUBLING(32, more), DOUBLING(64, more), DOUBLING(128, more), \
	DOUBLING(256, more), DOUBLING(512, more), DOUBLING(1024, more), DOUBLING(2048, more), DOUBLING(4096, more), \
	DOUBLING(8192, more), DOUBLING(16384, more), DOUBLING(32768, more), 5 * 65536 + (more), 6 * 65536 + (more), 7 * 65536 + (more)
const uint32_t heap_class_sizes[CLASSES] = { SIZES(16), SIZES(0) };

/* The sizes above in units of 16: which is the first that is as large? */
#define TWO(c) c, c
#define FOUR(c) TWO(c), TWO(c)
#define EIGHT(c) FOUR(c), FOUR(c)
const uint8_t heap_classes[1024 / 16 + 1] = {
	0, 0, 1, 2, 3, 4, 5, 6, 7, 8, TWO(8), TWO(9), TWO(10), TWO(11), FOUR(12), FOUR(13), FOUR(14), FOUR(15),
	EIGHT(16), EIGHT(17), EIGHT(18), FOUR(19), TWO(19), 19,
};

static void append(struct class *c, struct slab *s)
{
	s->next = NULL;
	s->previous = c->last;
	if (c->last)
		c->last->next = s;
	else
		c->first = s;
	c->last = s;
}

static void leave(struct class *c, struct slab *s)
{
	if (s->previous)
		s->previous->next = s->next;
	else
		c->first = s->next;
	if (s->next)
		s->next->previous = s->previous;
	else
		c->last = s->previous;
}

static uint32_t slots_for(const struct class *c, uint32_t size)
{
	unsigned doublings = c->nslabs / 4 < SLAB_DOUBLINGS ? c->nslabs / 4 : SLAB_DOUBLINGS;
	uint32_t n = (uint32_t)(FIRST_SLAB << doublings) / size;

	if (n < FEW_SLOTS)
		n = size <= FEW_SLOTS_SIZE ? FEW_SLOTS : 1;
	return heap_prime(n < heap_settings.slab_max ? n : heap_settings.slab_max);
}

/*
 * A slab's slots come in steps of its own, at most NEAR_STEPS / 2 slots up or down, from a random one on.  Larger steps, or a
 * shuffled order, would not make it harder to be right in all variants, but programs slower: what is allocated in a row is used
 * in a row, and the processor fetches ahead along even steps (design.md section 15).
 */
static void fill_ring(struct slab *s)
{
	struct heap_order o = heap_order_draw(s->nslots, NEAR_STEPS);

	for (uint32_t i = 0; i < s->nslots; i++)
		s->ring[i] = (uint16_t)heap_order_at(&o, i);
}

/* Each step doubles the bits that are right, of which there are three. */
static uint64_t inverse_of(uint64_t odd)
{
	uint64_t x = odd;

	for (unsigned bits = 3; bits < 64; bits *= 2)
		x *= 2 - odd * x;
	return x;
}

static struct slab *new_slab(struct class *c, unsigned class)
{
	uint32_t size = heap_class_sizes[class], n = slots_for(c, size);
	size_t ring = sizeof(struct slab) + ((n + 1) & ~(size_t)1), len = page_up((size_t)n * size);
	uintptr_t data = 0;
	struct slab *s;

	heap_region_lock();
	s = heap_place(len, ring + n * sizeof(uint16_t), &data);
	if (s) {
		/* The last slot ends where the guard begins. */
		s->base = data + len - (size_t)n * size;
		s->shift = (uint8_t)__builtin_ctz(size);
		s->inverse = inverse_of(size >> s->shift);
		s->size = size;
		s->class = (uint8_t)class;
		s->nslots = s->nfree = s->nfresh = (uint16_t)n;
		s->ring = (uint16_t *)(void *)((char *)s + ring);
		fill_ring(s);
	}
	heap_region_unlock();
	if (!s)
		return NULL;
	c->nslabs++;
	c->nempty++;
	append(c, s);
	return s;
}

static size_t length(const struct slab *s)
{
	return (size_t)s->nslots * s->size;
}

/*
 * A slab that nothing was in.  If its memory has gone back to the kernel, that was too soon: so much more is kept from now on, as
 * programs that fill and empty the heap do so again and again.
 */
static void begun(struct class *c, struct slab *s)
{
	size_t len = length(s);

	c->nempty--;
	if (!s->given_back)
		return;
	s->given_back = false;
	if (__atomic_add_fetch(&all_more, len, __ATOMIC_RELAXED) <= KEPT_MORE)
		c->more += len;
	else
		__atomic_sub_fetch(&all_more, len, __ATOMIC_RELAXED);
}

/* Up to n of a slab that has some. */
static unsigned take(struct class *c, struct slab *s, struct slot *to, unsigned n)
{
	uint32_t head = s->head;

	if (n > s->nfree)
		n = s->nfree;
	if (s->nfree == s->nslots)
		begun(c, s);
	for (unsigned i = 0; i < n; i++) {
		uint32_t slot = s->ring[head];

		to[i] = (struct slot){ handle_of(s, slot), (void *)(s->base + (size_t)slot * s->size) };
		head = head + 1 == s->nslots ? 0 : head + 1;
	}
	s->head = (uint16_t)head;
	s->nfree = (uint16_t)(s->nfree - n);
	if (!s->nfree)
		leave(c, s);
	for (unsigned i = 0; i < n && s->nfresh; i++, s->nfresh--)
		heap_fill(to[i].p, s->size);
	return n;
}

unsigned heap_slab_take(unsigned class, struct slot *to, unsigned n)
{
	struct class *c = &classes[class];
	unsigned i = 0;

	library_lock(&c->lock);
	while (i < n) {
		struct slab *s = c->first ? c->first : new_slab(c, class);

		if (!s)
			break;
		i += take(c, s, to + i, n - i);
	}
	library_unlock(&c->lock);
	return i;
}

/* Nothing in it is in use: a part of such slabs is kept as they are, the memory of others goes back to the kernel. */
static void emptied(struct class *c, struct slab *s)
{
	size_t len = length(s);

	if (++c->nempty <= 1 + c->nslabs / 4 || c->nempty * len <= KEPT_BYTES + c->more)
		return;
	heap_discard(s->base & ~(PAGE - 1), page_up(s->base % PAGE + len));
	s->nfresh = s->nslots;
	s->given_back = true;
	leave(c, s);
	append(c, s);
}

/* As many of n as belong to the first one's slab; how many. */
static unsigned put(struct class *c, const struct slot *from, unsigned n)
{
	struct slab *s = handle_slab(from[0].h);
	uint32_t at = (uint32_t)s->head + s->nfree;
	unsigned i;

	if (at >= s->nslots)
		at -= s->nslots;
	for (i = 0; i < n && handle_slab(from[i].h) == s; i++) {
		s->ring[at] = from[i].h & 0xffff;
		at = at + 1 == s->nslots ? 0 : at + 1;
	}
	if (!s->nfree)
		append(c, s);
	s->nfree = (uint16_t)(s->nfree + i);
	if (s->nfree == s->nslots)
		emptied(c, s);
	return i;
}

void heap_slab_put(unsigned class, const struct slot *from, unsigned n)
{
	struct class *c = &classes[class];

	library_lock(&c->lock);
	for (unsigned i = 0; i < n; )
		i += put(c, from + i, n - i);
	library_unlock(&c->lock);
}

void heap_slab_lock_all(void)
{
	for (unsigned i = 0; i < CLASSES; i++)
		library_lock(&classes[i].lock);
}

void heap_slab_unlock_all(void)
{
	for (unsigned i = CLASSES; i-- > 0; )
		library_unlock(&classes[i].lock);
}
