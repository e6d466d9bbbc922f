/* The functions that take the place of glibc's; their semantics are those of its manual. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/lock.h"
#include "heap.h"

#define EXPORT __attribute__((visibility("default")))

/* ---- start, fork ---- */

void heap_start(void)
{
	static struct library_lock lock;
	static bool started;

	if (__atomic_load_n(&started, __ATOMIC_ACQUIRE))
		return;
	library_lock(&lock);
	if (!started) {
		heap_settings_load();
		heap_cache_start();
		__atomic_store_n(&started, true, __ATOMIC_RELEASE);
	}
	library_unlock(&lock);
}

static void before_fork(void)
{
	heap_slab_lock_all();
	heap_huge_lock();
	heap_region_lock();
}

static void after_fork(void)
{
	heap_region_unlock();
	heap_huge_unlock();
	heap_slab_unlock_all();
}

/* First of all constructors: handlers run in reverse order before a fork, so that those of others may still allocate. */
__attribute__((constructor(101))) static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork, after_fork);
}

/* ---- to allocate ---- */

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

/* Of a class, or huge if there is no such class; errno changes only when it fails. */
static __attribute__((noinline)) void *alloc_slow(unsigned class, size_t size, size_t align)
{
	int saved = errno;
	void *p;

	if (size > PTRDIFF_MAX)
		return no_memory();
	heap_start();
	p = class < CLASSES ? heap_cache_alloc(class) : heap_huge_alloc(size, align, 0);
	errno = saved;
	return p ? p : no_memory();
}

EXPORT void *malloc(size_t size)
{
	struct cache *c = heap_cache;

	if (LIKELY(c && size <= SMALL_MAX)) {
		struct bin *b = &c->bins[heap_class(size)];

		if (LIKELY(b->nready))
			return heap_hand_out(&b->ready[--b->nready]);
	}
	return alloc_slow(size <= SMALL_MAX ? heap_class(size) : CLASSES, size, ALIGNMENT);
}

EXPORT void *calloc(size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes))
		return no_memory();
	p = malloc(bytes);
	return p && bytes <= SMALL_MAX ? memset(p, 0, bytes) : p;
}

/* align is a power of two. */
static void *alloc_aligned(size_t align, size_t size)
{
	unsigned class = CLASSES;

	if (align <= ALIGNMENT)
		return malloc(size);
	/* Slots of a slab are aligned as their size is. */
	if (align <= PAGE && size <= SMALL_MAX)
		for (class = FAMILY; class < CLASSES &&
		     (heap_class_sizes[class] < size + GAP || heap_class_sizes[class] % align); class++)
			;
	return alloc_slow(class, size ? size : 1, align);
}

EXPORT int posix_memalign(void **to, size_t align, size_t size)
{
	int saved = errno;
	void *p;

	if (align % sizeof(void *) || !align || align & (align - 1))
		return EINVAL;
	p = alloc_aligned(align, size);
	errno = saved;
	if (!p)
		return ENOMEM;
	*to = p;
	return 0;
}

EXPORT void *memalign(size_t align, size_t size)
{
	if (align > PTRDIFF_MAX) {
		errno = EINVAL;
		return NULL;
	}
	if (align & (align - 1))
		align = (size_t)1 << (64 - __builtin_clzl(align));
	return alloc_aligned(align, size);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
	return memalign(align, size);
}

EXPORT void *valloc(size_t size)
{
	return alloc_aligned(PAGE, size);
}

EXPORT void *pvalloc(size_t size)
{
	return size > PTRDIFF_MAX ? no_memory() : alloc_aligned(PAGE, size ? page_up(size) : PAGE);
}

/* ---- to give back ---- */

/* The slot that was taken at p; 0 if no slab has it: then it is huge, or no object. */
static __attribute__((noinline, cold)) _Noreturn void no_object(const char *function, const char *why)
{
	HEAP_DIE(function, why);
}

static inline __attribute__((always_inline)) handle taken_at(void *p, const char *function)
{
	struct slab *s = heap_slab_of((uintptr_t)p);
	uint64_t slot;

	if (UNLIKELY(!s))
		return 0;
	slot = heap_slot_of(s, (uintptr_t)p);
	if (UNLIKELY(slot >= s->nslots))
		no_object(function, ": not the start of an object");
	if (UNLIKELY(!s->taken[slot]))
		no_object(function, ": the object is free (freed twice, or never allocated)");
	return handle_of(s, (uint32_t)slot);
}

static __attribute__((noinline)) void free_slow(void *p, handle h)
{
	int saved = errno;

	if (h) {
		heap_fill(p, handle_slab(h)->size);
		heap_cache_free(handle_slab(h)->class, (struct slot){ h, p });
	} else if (!heap_huge_free(p)) {
		no_object("free()", ": not an object of this heap");
	}
	errno = saved;
}

EXPORT void free(void *p)
{
	struct cache *c = heap_cache;
	struct slab *s;
	struct bin *b;
	handle h;

	if (!p)
		return;
	h = taken_at(p, "free()");
	if (UNLIKELY(!h)) {
		free_slow(p, 0);
		return;
	}
	s = handle_slab(h);
	s->taken[h & 0xffff] = 0;
	b = c ? &c->bins[s->class] : NULL;
	if (UNLIKELY(!b || b->nheld >= b->room)) {
		free_slow(p, h);
		return;
	}
	heap_hold(b, (struct slot){ h, p });
	heap_fill(p, s->size);
}

static size_t usable(void *p, const char *function)
{
	handle h = taken_at(p, function);
	size_t size = h ? handle_slab(h)->size - GAP : heap_huge_size(p);

	if (!size)
		HEAP_DIE(function, ": not an object of this heap");
	return size;
}

EXPORT size_t malloc_usable_size(void *p)
{
	return p ? usable(p, "malloc_usable_size()") : 0;
}

/* ---- to resize ---- */

/* Can it stay where it is?  It does while it fills more than half of its place. */
static bool stays(void *p, size_t old, size_t size)
{
	if (old > SMALL_MAX)
		return size > SMALL_MAX && ((size <= old && size > old / 2) || heap_huge_resize(p, size));
	return size <= old && (size > old / 2 || old <= 64);
}

static void *move(void *p, size_t old, size_t size)
{
	void *q;

	/* What grows once will grow again; it shall not be copied each time. */
	if (old > SMALL_MAX && size > old)
		q = size < PTRDIFF_MAX / 2 ? heap_huge_alloc(size, ALIGNMENT, 2 * size) : NULL;
	else
		q = malloc(size);
	if (!q && size <= PTRDIFF_MAX)
		q = malloc(size);
	if (!q)
		return no_memory();
	memcpy(q, p, old < size ? old : size);
	free(p);
	return q;
}

EXPORT void *realloc(void *p, size_t size)
{
	size_t old;

	if (!p)
		return malloc(size);
	old = usable(p, "realloc()");
	if (!size) {
		free(p);
		return NULL;
	}
	return stays(p, old, size) ? p : move(p, old, size);
}

EXPORT void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return no_memory();
	return realloc(p, bytes);
}
