/*
 * The monitor's memory, and the program's memory as the monitor may look at it.
 */
#include "engine/internal.h"
#include "monitor/monitor.h"

/* ---- ours: a bump pointer and lists of freed blocks by size class ---- */

#define CLASSES 40
static struct block { struct block *next; } *freed[CLASSES];
static uint64_t used;

/* Powers of two from 64 on, and their midpoints from 96 on. */
static unsigned class_of(size_t size)
{
	unsigned k;

	if (size <= 64)
		return 0;
	k = 63 - (unsigned)__builtin_clzll(size - 1);
	return size <= (size_t)3 << (k - 1) ? 2 * (k - 6) + 1 : 2 * (k - 5);
}

static size_t class_size(unsigned c)
{
	return c & 1 ? (size_t)96 << (c / 2) : (size_t)64 << (c / 2);
}

void *mon_alloc(size_t size)
{
	unsigned c = class_of(size);
	struct block *b;

	if (c >= CLASSES)
		return NULL;
	b = freed[c];
	if (b) {
		freed[c] = b->next;
		__builtin_memset(b, 0, class_size(c));
		return b;
	}
	if (class_size(c) > mon_boot.heap_size - used)
		return NULL;
	b = (struct block *)(mon_boot.heap + used);
	used += class_size(c);
	return b;
}

void mon_free(void *p, size_t size)
{
	unsigned c = class_of(size);
	struct block *b = p;

	if (!p)
		return;
	b->next = freed[c];
	freed[c] = b;
}

/* ---- the program's ---- */

#define SPACE_END ((uint64_t)1 << 47)

bool mon_owns(uint64_t addr, uint64_t len)
{
	return addr < mon_boot.high && (len > mon_boot.high - addr || addr + len > mon_boot.low);
}

/*
 * The program has given an address of ours.  What its call's own arguments point to mon_guard() sees to; this is about what is
 * behind them.
 */
static void reached(struct mon_thread *m, uint64_t addr)
{
	const struct mv_thread *t = m->thread;

	m->reached = true;
	for (unsigned i = 0; i < mv_table[t->call.nr].nargs; i++)
		if (t->call.args[i] == addr)
			return;
	m->nested = true;
}

/* Bytes from addr on that can be the program's. */
static size_t allowed(void *task, uint64_t addr, size_t len)
{
	if (addr >= SPACE_END)
		return 0;
	if (mon_in_area(addr)) {
		if (task)
			reached(task, addr);
		return 0;
	}
	if (len > SPACE_END - addr)
		len = SPACE_END - addr;
	if (addr < mon_boot.low && len > mon_boot.low - addr)
		len = mon_boot.low - addr;
	return len;
}

size_t mon_peek(void *task, uint64_t addr, void *dst, size_t len)
{
	size_t n = allowed(task, addr, len);

	return n - mon_copy(dst, (const void *)addr, n);
}

size_t mon_poke(void *task, uint64_t addr, const void *src, size_t len)
{
	size_t n = allowed(task, addr, len);

	return n - mon_copy((void *)addr, src, n);
}

/* ---- rewritten texts ---- */

#define NR_CLOSE 3
#define NR_MMAP 9
#define PROT_TEXT 5u		/* to be read and executed */
#define MAP_TYPE_ 0xfu
#define MAP_PRIVATE_ 2u
#define MAP_FIXED_ 0x10u
#define MAP_ANONYMOUS_ 0x20u

/* Other threads could run in it meanwhile, and would see the descriptor. */
void mon_text_mapped(const struct mv_call *call)
{
	struct mv_call c = { .nr = NR_MMAP, .args = { [2] = PROT_TEXT } };
	struct mon_text x = { 0 };
	int64_t fd, r = 0;

	if (call->nr != NR_MMAP || call->args[2] != PROT_TEXT || mon.shared ||
	    (call->args[3] & (MAP_TYPE_ | MAP_FIXED_ | MAP_ANONYMOUS_)) != (MAP_PRIVATE_ | MAP_FIXED_))
		return;
	fd = mon_service(MON_TEXT, (uint64_t)&x, 0);
	if (mon_is_error(fd))
		return;
	for (unsigned i = 0; i < x.n && !mon_is_error(r); i++) {
		c.args[0] = x.maps[i].at;
		c.args[1] = x.maps[i].size;
		c.args[3] = x.maps[i].flags;
		c.args[4] = (uint64_t)fd;
		c.args[5] = x.maps[i].offset;
		r = mon_kernel_call(&c);
	}
	mon_kernel(NR_CLOSE, (uint64_t)fd, 0, 0, 0, 0);
}

/* ---- what the compiler calls: it does so after the linker has looked who is called ---- */

#define CALLED __attribute__((used))

typedef uint64_t __attribute__((may_alias, aligned(1))) word;

CALLED void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *d = to;

	if (n < 128) {
		char *t = to;
		const char *f = from;

		for (; n >= 8; n -= 8, t += 8, f += 8)
			*(word *)t = *(const word *)f;
		for (; n; n--)
			*(volatile char *)t++ = *f++;
		return to;
	}
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
	return to;
}

CALLED void *memset(void *to, int c, size_t n)
{
	void *d = to;

	if (n < 128) {
		uint64_t all = 0x0101010101010101u * (uint8_t)c;
		char *t = to;

		for (; n >= 8; n -= 8, t += 8)
			*(word *)t = all;
		for (; n; n--)
			*(volatile char *)t++ = (char)c;
		return to;
	}
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
	return to;
}

static void move_words(word *to, const word *from)
{
	word a = from[0], b = from[1], c = from[2], d = from[3];

	to[0] = a, to[1] = b, to[2] = c, to[3] = d;
}

CALLED void *memmove(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	if (t == f || t + n <= f || t >= f + n)
		return t == f ? to : memcpy(to, from, n);

	/* "rep movs" goes a byte at a time where source and destination are close, and backwards. */
	if (t < f) {
		for (; n >= 32; n -= 32, t += 32, f += 32)
			move_words((word *)t, (const word *)f);
		for (; n; n--)
			*(volatile char *)t++ = *f++;
		return to;
	}
	for (; n >= 32; n -= 32)
		move_words((word *)(t + n - 32), (const word *)(f + n - 32));
	for (; n >= 8; n -= 8)
		*(word *)(t + n - 8) = *(const word *)(f + n - 8);
	while (n--)
		((volatile char *)t)[n] = f[n];
	return to;
}

CALLED int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n >= 32; n -= 32, x += 32, y += 32) {
		const word *u = (const word *)x, *v = (const word *)y;

		if ((u[0] ^ v[0]) | (u[1] ^ v[1]) | (u[2] ^ v[2]) | (u[3] ^ v[3]))
			break;
	}
	for (; n >= 8; n -= 8, x += 8, y += 8)
		if (*(const word *)x != *(const word *)y)
			break;
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}
