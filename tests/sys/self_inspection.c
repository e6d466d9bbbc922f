/*
 * Programs that look at themselves: the bounds of stacks, loaded objects, a backtrace, the auxiliary vector, a collector that
 * takes for pointers what looks like them, one that learns of writes by faults.
 */
#include <elf.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/auxv.h>
#include "check.h"

static bool holds(const char *base, size_t size, const void *p)
{
	return (const char *)p >= base && (const char *)p < base + size;
}

static void stack_of(const char *who)
{
	pthread_attr_t a;
	void *base, *here = &a;
	size_t size, guard;
	uintptr_t start;

	NEED(pthread_getattr_np(pthread_self(), &a) == 0);
	NEED(pthread_attr_getstack(&a, &base, &size) == 0 && pthread_attr_getguardsize(&a, &guard) == 0);
	puts(who);
	SHOW(holds(base, size, here));
	SHOW(size >= 65536);
	SHOW(guard);
	/* The top can be read to its last byte, and the bottom is no further than the rest of the limit. */
	SHOW(((volatile char *)base)[size - 1] == ((volatile char *)base)[size - 1]);
	SHOW(is_mapped(here, "rw", NULL, &start));
	SHOW(start >= (uintptr_t)base || strcmp(who, "main") == 0);
	pthread_attr_destroy(&a);
}

static void *thread(void *arg)
{
	(void)arg;
	stack_of("thread");
	return NULL;
}

/* ---- objects ---- */

static int object(struct dl_phdr_info *i, size_t size, void *found)
{
	bool code = false, mine = false;

	NEED(size >= sizeof(*i));
	for (int n = 0; n < i->dlpi_phnum; n++) {
		const ElfW(Phdr) *h = &i->dlpi_phdr[n];
		const char *from = (const char *)i->dlpi_addr + h->p_vaddr;

		if (h->p_type != PT_LOAD)
			continue;
		code |= (h->p_flags & PF_X) != 0;
		mine |= holds(from, h->p_memsz, (const void *)&object);
	}
	if (!i->dlpi_name[0] || strstr(i->dlpi_name, "libc.so"))
		printf("object %s: code %d, mine %d\n", i->dlpi_name[0] ? "libc" : "program", code, mine);
	*(int *)found += mine;
	return 0;
}

static void objects(void)
{
	const ElfW(Ehdr) *vdso = (const void *)getauxval(AT_SYSINFO_EHDR);
	const ElfW(Phdr) *phdr = (const void *)getauxval(AT_PHDR);
	int found = 0;

	SHOW(dl_iterate_phdr(object, &found));
	SHOW(found);
	SHOW(getauxval(AT_PHNUM) > 0 && phdr->p_type == PT_PHDR);
	SHOW(!vdso || memcmp(vdso->e_ident, ELFMAG, SELFMAG) == 0);
	SHOW(getauxval(AT_PAGESZ));
	SHOW(getauxval(AT_EXECFN) != 0);
	SHOW(getauxval(AT_UID) == getuid());
	SHOW(getauxval(AT_SECURE));
}

/* ---- backtrace ---- */

__attribute__((noinline)) static int depth(int n)
{
	void *frames[64];
	int r = n ? depth(n - 1) : backtrace(frames, 64);

	__asm__ volatile("" : "+r"(r));
	return r;
}

static volatile sig_atomic_t handler_depth;

static void traced(int sig)
{
	(void)sig;
	handler_depth = depth(0);
}

/* ---- a conservative collector: roots are the stack, registers and static data ---- */

#define CELLS 64
struct cell { struct cell *next; bool marked; };
static struct cell *cells[CELLS];
static struct cell *volatile root;

static void mark(uintptr_t word)
{
	for (int i = 0; i < CELLS; i++)
		if (word == (uintptr_t)cells[i] && !cells[i]->marked) {
			cells[i]->marked = true;
			mark((uintptr_t)cells[i]->next);
		}
}

extern char __data_start, _end;

__attribute__((noinline)) static int collect(void)
{
	pthread_attr_t a;
	void *base;
	size_t size;
	jmp_buf registers;
	int n = 0;

	setjmp(registers);
	NEED(pthread_getattr_np(pthread_self(), &a) == 0 && pthread_attr_getstack(&a, &base, &size) == 0);
	for (uintptr_t *p = (uintptr_t *)((uintptr_t)&registers & ~7ul); p < (uintptr_t *)((char *)base + size); p++)
		mark(*p);
	for (uintptr_t *p = (uintptr_t *)(((uintptr_t)&__data_start + 7) & ~7ul); p + 1 <= (uintptr_t *)&_end; p++)
		if ((char *)p < (char *)cells || (char *)p >= (char *)cells + sizeof(cells))
			mark(*p);
	for (int i = 0; i < CELLS; i++) {
		n += cells[i]->marked;
		cells[i]->marked = false;
	}
	pthread_attr_destroy(&a);
	return n;
}

static void collector(void)
{
	struct cell *volatile local;

	for (int i = 0; i < CELLS; i++)
		NEED((cells[i] = calloc(1, sizeof(struct cell))));
	for (int i = 0; i < 9; i++)
		cells[i]->next = cells[i + 1];
	cells[20]->next = cells[21];
	root = cells[0];
	local = cells[20];
	SHOW(collect() >= 12);
	root = NULL;
	SHOW(local->next == cells[21]);
}

/* ---- which pages are written ---- */

#define PAGES 32
static char *heap;
static volatile sig_atomic_t dirty[PAGES], faults;

static void barrier(int sig, siginfo_t *info, void *context)
{
	size_t page = (size_t)((char *)info->si_addr - heap) / 4096;

	(void)sig, (void)context;
	if (page >= PAGES || info->si_code != SEGV_ACCERR)
		_exit(98);
	faults++;
	dirty[page] = 1;
	if (mprotect(heap + page * 4096, 4096, PROT_READ | PROT_WRITE))
		_exit(97);
}

static void write_barrier(void)
{
	struct sigaction sa = { .sa_sigaction = barrier, .sa_flags = SA_SIGINFO };
	unsigned map = 0;
	char text[8] = "written";

	NEED(sigaction(SIGSEGV, &sa, NULL) == 0);
	heap = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(heap != MAP_FAILED);
	memset(heap, 1, PAGES * 4096);
	for (int round = 0; round < 3; round++) {
		NEED(mprotect(heap, PAGES * 4096, PROT_READ) == 0);
		for (int i = 0; i < PAGES; i += round + 3)
			heap[i * 4096 + i] = (char)round;
		memcpy(heap + 4092, text, 8);	/* over the border of two pages */
		for (int i = 0; i < PAGES; i++) {
			map |= (unsigned)dirty[i] << i;
			dirty[i] = 0;
		}
		printf("round %d: %x\n", round, map);
		map = 0;
	}
	SHOW(faults);
	/* Calls do not fault: they fail. */
	NEED(mprotect(heap, PAGES * 4096, PROT_READ) == 0);
	OUTCOME(read(open("/dev/zero", O_RDONLY), heap, 4096));
	SHOW(faults);
}

int main(void)
{
	pthread_t t;
	int there;

	stack_of("main");
	NEED(pthread_create(&t, NULL, thread, NULL) == 0 && pthread_join(t, NULL) == 0);
	objects();
	SHOW(depth(10) - depth(0));
	on_signal(SIGUSR1, traced, 0);
	there = depth(0);
	raise(SIGUSR1);
	SHOW(handler_depth > there);
	collector();
	write_barrier();
	return 0;
}
