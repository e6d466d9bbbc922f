/* What programs must not do with a heap, and what libmvheap makes of it. */
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* The compiler would see through this if it knew the allocator. */
static void *volatile hidden;

static void *hide(void *p)
{
	hidden = p;
	return hidden;
}

/* How a child ends that does this, and what it says. */
static int result_of(void (*act)(void), char *said, size_t size)
{
	struct rlimit no_core = { 0 };
	int pipes[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		dup2(pipes[1], STDERR_FILENO);
		act();
		_exit(0);
	}
	close(pipes[1]);
	n = read(pipes[0], said, size - 1);
	said[n > 0 ? n : 0] = 0;
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void aborts(void (*act)(void), const char *message)
{
	char said[300];
	int status = result_of(act, said, sizeof(said));

	assert_string_equal(said, message);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void faults(void (*act)(void))
{
	char said[300];
	int status = result_of(act, said, sizeof(said));

	assert_string_equal(said, "");
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

#define FREE "libmvheap: free(): the object is free (freed twice, or never allocated)\n"
#define START "libmvheap: free(): not the start of an object\n"
#define FOREIGN "libmvheap: free(): not an object of this heap\n"

static void free_twice(void)
{
	void *p = hide(malloc(40));

	free(p);
	free(hide(p));
}

static void free_twice_later(void)
{
	void *p = hide(malloc(40));

	free(p);
	for (unsigned i = 0; i < 10; i++)
		free(hide(malloc(40)));
	free(hide(p));
}

static void free_huge_twice(void)
{
	void *p = hide(malloc(1 << 20));

	free(p);
	free(hide(p));
}

static void free_middle(void)
{
	free((char *)hide(malloc(100)) + 16);
}

static void free_unaligned(void)
{
	free((char *)hide(malloc(100)) + 1);
}

static void free_huge_middle(void)
{
	free((char *)hide(malloc(1 << 20)) + 4096);
}

static void free_stack(void)
{
	char c[32];

	free(hide(c));
}

static void free_static(void)
{
	static char c[32];

	free(hide(c));
}

static void free_wild(void)
{
	free((void *)(uintptr_t)0xdead0000);
}

static void realloc_freed(void)
{
	void *p = hide(malloc(40));

	free(p);
	hidden = realloc(hide(p), 100);
}

static void size_of_freed(void)
{
	void *p = hide(malloc(40));

	free(p);
	hidden = (void *)malloc_usable_size(hide(p));
}

static void test_bad_frees(void **state)
{
	(void)state;
	aborts(free_twice, FREE);
	aborts(free_twice_later, FREE);
	aborts(free_huge_twice, FOREIGN);
	aborts(free_middle, START);
	aborts(free_unaligned, START);
	aborts(free_huge_middle, FOREIGN);
	aborts(free_stack, FOREIGN);
	aborts(free_static, FOREIGN);
	aborts(free_wild, FOREIGN);
	aborts(realloc_freed, "libmvheap: realloc(): the object is free (freed twice, or never allocated)\n");
	aborts(size_of_freed, "libmvheap: malloc_usable_size(): the object is free (freed twice, or never allocated)\n");
}

/* Into what is behind a slab, or before it: every slab is somewhere between inaccessible pages. */
static void write_on(void)
{
	volatile char *p = hide(malloc(48));

	for (size_t i = 0; i < 600000; i++)
		p[i] = 1;
}

static void write_back(void)
{
	volatile char *p = hide(malloc(48));

	for (size_t i = 0; i < 600000; i++)
		*--p = 1;
}

static void write_behind_huge(void)
{
	volatile char *p = hide(malloc(1 << 20));

	p[1 << 20] = 1;
}

static void write_before_huge(void)
{
	((volatile char *)hide(malloc(1 << 20)))[-1] = 1;
}

/* One object to a slab from 32 KiB on; but for some bytes that are nobody's, it ends where the guard begins. */
static void write_behind_large(void)
{
	volatile char *p = hide(malloc(40960));

	p[malloc_usable_size((void *)(uintptr_t)p) + 8] = 1;
}

static void use_freed_huge(void)
{
	volatile char *p = hide(malloc(1 << 20));

	free((void *)(uintptr_t)p);
	p[0] = 1;
}

static void test_guards(void **state)
{
	(void)state;
	faults(write_on);
	faults(write_back);
	faults(write_behind_large);
	faults(write_behind_huge);
	faults(write_before_huge);
	faults(use_freed_huge);
}

/* All of it, in fresh and in freed memory, is one byte, which is not 0. */
static bool filled(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != p[0] || !p[i] || p[i] == 255)
			return false;
	return true;
}

static void test_fill(void **state)
{
	static const size_t sizes[] = { 1, 24, 100, 1000, 5000, 60000, 400000 };
	uint8_t byte = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *p = hide(malloc(sizes[i])), *q;
		size_t n = malloc_usable_size(p);

		assert_true(filled(p, n));
		byte = byte ? byte : p[0];
		assert_int_equal(p[0], byte);
		memset(p, 0x41, n);
		free(p);
		q = hidden;
		assert_true(filled(q, n));
		assert_int_equal(q[0], byte);
	}
}

/* A freed object is not the next one of its size, nor the tenth. */
static void test_reuse_delayed(void **state)
{
	void *first = malloc(64);
	uintptr_t was = (uintptr_t)first;

	(void)state;
	free(first);
	for (unsigned i = 0; i < 15; i++) {
		void *p = malloc(64);

		assert_int_not_equal((uintptr_t)p, was);
		free(p);
	}
}

/* But memory is reused: a loop does not need more and more. */
static void test_reused(void **state)
{
	uintptr_t low = UINTPTR_MAX, high = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		void *p = malloc(112);

		low = (uintptr_t)p < low ? (uintptr_t)p : low;
		high = (uintptr_t)p > high ? (uintptr_t)p : high;
		free(p);
	}
	assert_true(high - low < 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_frees),
		cmocka_unit_test(test_guards),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_reuse_delayed),
		cmocka_unit_test(test_reused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
