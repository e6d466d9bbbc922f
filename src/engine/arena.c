/*
 * The arena's allocator: a bump pointer and one stack of freed blocks per size class.  All of it is lock-free, so that
 * a process that is killed half-way can at worst lose the block it was handling, and nobody ever waits for it.
 *
 * A stack's head is one word: the block's offset in units of 64 bytes, and a tag that every change increments, without
 * which a block popped and pushed again by others would make a stale "next" look valid.
 */
#include "engine/arena.h"

#include <stdbool.h>

#define UNIT_SHIFT 6
#define UNIT ((uint64_t)1 << UNIT_SHIFT)
#define SIZE_MAX_ARENA ((uint64_t)1 << (32 + UNIT_SHIFT))
#define NCLASSES 64	/* 64, 128, 192, 256, 384, 512, 768 ... 2^38 */

struct mv_arena {
	uint64_t size;		/* of the arena, written once */
	uint64_t bump;		/* everything from here on was never handed out */
	uint64_t used;
	uint64_t pad[5];
	uint64_t free[NCLASSES];	/* tag << 32 | unit; unit 0 = empty */
};
_Static_assert(sizeof(struct mv_arena) % 64 == 0, "the first block is aligned");

/* A midpoint below 192 would not be a multiple of 64. */
static unsigned class_of(uint64_t size)
{
	unsigned k;

	if (size <= UNIT)
		return 0;
	k = 63 - (unsigned)__builtin_clzll((size - 1) >> UNIT_SHIFT);	/* size is in (64 << k, 128 << k] */
	return k && size <= (uint64_t)96 << k ? 2 * k : 2 * k + 1;
}

static uint64_t class_size(unsigned c)
{
	if (c == 0)
		return UNIT;
	return c & 1 ? UNIT << ((c + 1) / 2) : (uint64_t)96 << (c / 2);
}

static bool inside(const struct mv_arena *a, uint64_t offset, uint64_t size)
{
	return offset >= sizeof(*a) && offset < a->size && size <= a->size - offset;
}

static void *at(struct mv_arena *a, uint64_t offset)
{
	return (char *)a + offset;
}

static uint64_t tagged(uint64_t old, uint64_t unit)
{
	return ((old >> 32) + 1) << 32 | (uint32_t)unit;
}

/*
 * The next block of a free one.  Another process may have popped it meanwhile and be using it: then this is garbage,
 * but the list's tag has changed and pop()'s exchange fails.  ThreadSanitizer cannot know that.
 */
__attribute__((no_sanitize("thread"), noinline)) static uint64_t next_of(struct mv_arena *a, uint64_t offset)
{
	return *(volatile uint64_t *)at(a, offset);
}

static uint64_t pop(struct mv_arena *a, unsigned c)
{
	uint64_t old = __atomic_load_n(&a->free[c], __ATOMIC_ACQUIRE), offset, next;

	do {
		offset = (uint64_t)(uint32_t)old << UNIT_SHIFT;
		if (!inside(a, offset, class_size(c)))
			return 0;	/* empty, or somebody scribbled over the list */
		next = next_of(a, offset);
	} while (!__atomic_compare_exchange_n(&a->free[c], &old, tagged(old, next), false, __ATOMIC_ACQUIRE,
					      __ATOMIC_ACQUIRE));
	return offset;
}

static void push(struct mv_arena *a, unsigned c, uint64_t offset)
{
	uint64_t old = __atomic_load_n(&a->free[c], __ATOMIC_RELAXED);

	do
		__atomic_store_n((uint64_t *)at(a, offset), (uint32_t)old, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&a->free[c], &old, tagged(old, offset >> UNIT_SHIFT), false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static uint64_t cut(struct mv_arena *a, uint64_t size)
{
	uint64_t old = __atomic_load_n(&a->bump, __ATOMIC_RELAXED);

	do {
		if (old % UNIT || !inside(a, old, size))
			return 0;
	} while (!__atomic_compare_exchange_n(&a->bump, &old, old + size, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return old;
}

struct mv_arena *mv_arena_init(void *mem, size_t size)
{
	struct mv_arena *a = mem;

	if (size < sizeof(*a))
		return NULL;
	__builtin_memset(a, 0, sizeof(*a));
	a->size = size < SIZE_MAX_ARENA ? size : SIZE_MAX_ARENA;
	a->bump = sizeof(*a);
	a->used = sizeof(*a);
	return a;
}

uint64_t mv_arena_take(struct mv_arena *a, size_t size)
{
	uint64_t offset, rounded;
	unsigned c;

	if (size > a->size)
		return 0;
	c = class_of(size);
	rounded = class_size(c);
	offset = pop(a, c);
	if (!offset)
		offset = cut(a, rounded);
	if (offset)
		__atomic_fetch_add(&a->used, rounded, __ATOMIC_RELAXED);
	return offset;
}

uint64_t mv_arena_alloc(struct mv_arena *a, size_t size)
{
	uint64_t offset = mv_arena_take(a, size);

	if (offset)
		__builtin_memset(at(a, offset), 0, class_size(class_of(size)));
	return offset;
}

void mv_arena_free(struct mv_arena *a, uint64_t offset, size_t size)
{
	unsigned c;

	if (size > a->size)
		return;
	c = class_of(size);
	if (offset % UNIT || !inside(a, offset, class_size(c)))
		return;
	__atomic_fetch_sub(&a->used, class_size(c), __ATOMIC_RELAXED);
	push(a, c, offset);
}

void *mv_arena_at(struct mv_arena *a, uint64_t offset)
{
	return inside(a, offset, 1) ? at(a, offset) : NULL;
}

uint64_t mv_arena_offset(struct mv_arena *a, const void *p)
{
	uint64_t offset = (uint64_t)((uintptr_t)p - (uintptr_t)a);

	return inside(a, offset, 1) ? offset : 0;
}

size_t mv_arena_used(const struct mv_arena *a)
{
	return __atomic_load_n(&a->used, __ATOMIC_RELAXED);
}

size_t mv_arena_size(const struct mv_arena *a)
{
	return a->size;
}
