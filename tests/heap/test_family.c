/* The malloc family as glibc's manual describes it, with libmvheap in glibc's place. */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <cmocka.h>

/* What the compiler must not know: it would warn of, or work out, what is tried here. */
static volatile size_t too_much = PTRDIFF_MAX, half = SIZE_MAX / 2;

static const size_t sizes[] = {
	0, 1, 15, 16, 17, 128, 129, 160, 161, 1000, 4095, 4096, 4097, 32768, 32769, 100000, 458752, 458753, 1 << 20, 50 << 20,
};
#define NSIZES (sizeof(sizes) / sizeof(sizes[0]))

static void fill(void *p, size_t n, int seed)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)(seed + (int)i * 7);
}

static void check(const void *p, size_t n, int seed)
{
	for (size_t i = 0; i < n; i++)
		if (((const uint8_t *)p)[i] != (uint8_t)(seed + (int)i * 7))
			fail_msg("byte %zu of %zu is wrong", i, n);
}

static void test_is_ours(void **state)
{
	Dl_info info;

	(void)state;
	assert_true(dladdr((void *)(uintptr_t)malloc, &info));
	assert_non_null(strstr(info.dli_fname, "libmvheap"));
}

static void test_sizes(void **state)
{
	void *p[NSIZES];

	(void)state;
	for (size_t i = 0; i < NSIZES; i++) {
		p[i] = malloc(sizes[i]);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % 16, 0);
		assert_true(malloc_usable_size(p[i]) >= sizes[i]);
		fill(p[i], malloc_usable_size(p[i]), (int)i);
	}
	for (size_t i = 0; i < NSIZES; i++) {
		check(p[i], malloc_usable_size(p[i]), (int)i);
		free(p[i]);
	}
	free(NULL);
	assert_int_equal(malloc_usable_size(NULL), 0);
}

/* No two objects that are there at the same time overlap, over all classes. */
static void test_many(void **state)
{
	enum { N = 20000 };
	static uint8_t *p[N];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		p[i] = malloc(1 + i * 37 % 3000);
		assert_non_null(p[i]);
		fill(p[i], 1 + i * 37 % 3000, (int)i);
	}
	for (size_t i = 0; i < N; i += 2) {
		check(p[i], 1 + i * 37 % 3000, (int)i);
		free(p[i]);
	}
	for (size_t i = 0; i < N; i += 2) {
		p[i] = malloc(1 + i * 37 % 3000);
		fill(p[i], 1 + i * 37 % 3000, (int)i);
	}
	for (size_t i = 0; i < N; i++) {
		check(p[i], 1 + i * 37 % 3000, (int)i);
		free(p[i]);
	}
}

static void test_zeroed(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 3; round++)
		for (size_t i = 0; i < NSIZES; i++) {
			uint8_t *p = calloc(1, sizes[i]);

			assert_non_null(p);
			for (size_t j = 0; j < sizes[i]; j++)
				assert_int_equal(p[j], 0);
			memset(p, 0xff, sizes[i]);
			free(p);
		}
	errno = 0;
	assert_null(calloc(half, 3));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(calloc(3, half));
	assert_int_equal(errno, ENOMEM);
	free(calloc(0, 5));
	free(calloc(5, 0));
}

static void test_too_much(void **state)
{
	void *p = malloc(100), *q = NULL;
	static volatile size_t space = (size_t)1 << 47;

	(void)state;
	errno = 0;
	assert_null(malloc(too_much + 1));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(malloc(too_much));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(malloc(space));	/* more than there are addresses */
	assert_int_equal(errno, ENOMEM);
	fill(p, 100, 1);
	errno = 0;
	assert_null(realloc(p, too_much + 1));
	assert_int_equal(errno, ENOMEM);
	assert_null(realloc(p, too_much));
	check(p, 100, 1);		/* it is still there */
	errno = 0;
	assert_null(reallocarray(p, half, 3));
	assert_int_equal(errno, ENOMEM);
	check(p, 100, 1);
	assert_int_equal(posix_memalign(&q, 64, too_much), ENOMEM);
	assert_null(q);
	assert_null(aligned_alloc(64, too_much));
	assert_null(pvalloc(too_much));
	assert_null(valloc(too_much + 1));
	assert_null(memalign(too_much + 2, 10));
	free(p);
}

static void test_errno_kept(void **state)
{
	void *p;

	(void)state;
	errno = 4711;
	p = malloc(10);
	assert_int_equal(errno, 4711);
	free(p);
	p = malloc(3 << 20);
	assert_int_equal(errno, 4711);
	free(p);
	assert_int_equal(errno, 4711);
	assert_int_equal(posix_memalign(&p, 3, 10), EINVAL);
	assert_int_equal(errno, 4711);
}

static void test_aligned(void **state)
{
	static volatile size_t odd[] = { 0, 3, 4, 24 };

	(void)state;
	for (size_t align = 8; align <= 1 << 21; align *= 2)
		for (size_t i = 0; i < NSIZES - 1; i++) {
			void *p[4];

			assert_int_equal(posix_memalign(&p[0], align, sizes[i]), 0);
			p[1] = aligned_alloc(align, sizes[i]);
			p[2] = memalign(align, sizes[i]);
			p[3] = memalign(align - align / 4, sizes[i]);	/* no power of two: glibc takes the next */
			for (unsigned j = 0; j < 4; j++) {
				assert_non_null(p[j]);
				assert_int_equal((uintptr_t)p[j] % align, 0);
				assert_true(malloc_usable_size(p[j]) >= sizes[i]);
				memset(p[j], 1, sizes[i]);
			}
			for (unsigned j = 0; j < 4; j++)
				free(p[j]);
		}
	for (unsigned i = 0; i < 4; i++) {
		void *p = &p;

		assert_int_equal(posix_memalign(&p, odd[i], 10), EINVAL);
		assert_ptr_equal(p, &p);	/* untouched */
	}
	for (size_t i = 0; i < NSIZES; i++) {
		void *p = valloc(sizes[i]), *q = pvalloc(sizes[i]);

		assert_int_equal((uintptr_t)p % 4096 + (uintptr_t)q % 4096, 0);
		assert_true(malloc_usable_size(q) >= (sizes[i] + 4095) / 4096 * 4096);
		free(p);
		free(q);
	}
}

/* From every size to every other. */
static void test_resized(void **state)
{
	(void)state;
	for (size_t i = 0; i < NSIZES - 1; i++)
		for (size_t j = 1; j < NSIZES - 1; j++) {
			uint8_t *p = realloc(NULL, sizes[i]);

			fill(p, sizes[i], 3);
			p = realloc(p, sizes[j]);
			assert_non_null(p);
			assert_true(malloc_usable_size(p) >= sizes[j]);
			check(p, sizes[i] < sizes[j] ? sizes[i] : sizes[j], 3);
			fill(p, sizes[j], 4);
			check(p, sizes[j], 4);
			assert_null(realloc(p, 0));	/* frees it */
		}
	free(reallocarray(NULL, 10, 10));
}

/* What grows bit by bit is not copied each time: that would take hours here. */
static void test_growing(void **state)
{
	size_t size = 1 << 20;
	uint8_t *p = malloc(size);
	unsigned moves = 0;

	(void)state;
	fill(p, size, 9);
	while (size < (size_t)256 << 20) {
		uint8_t *old = p;

		size += 4096;
		p = realloc(p, size);
		assert_non_null(p);
		moves += p != old;
		p[size - 1] = 1;
	}
	check(p, 1 << 20, 9);
	assert_true(moves < 20);
	p = realloc(p, 1 << 20);
	check(p, 1 << 20, 9);
	p = realloc(p, 100);
	check(p, 100, 9);
	free(p);
}

/* Memory that is freed comes back to the kernel, but for a part. */
static void test_given_back(void **state)
{
	enum { N = 200000, SIZE = 500 };
	static void *p[N];
	long pages, before, after, unused;
	FILE *statm = fopen("/proc/self/statm", "r");

	(void)state;
	assert_non_null(statm);
	for (size_t i = 0; i < N; i++)
		p[i] = memset(malloc(SIZE), 1, SIZE);
	setvbuf(statm, NULL, _IONBF, 0);
	assert_int_equal(fscanf(statm, "%ld %ld", &pages, &before), 2);
	for (size_t i = 0; i < N; i++)
		free(p[i]);
	rewind(statm);
	assert_int_equal(fscanf(statm, "%ld %ld", &unused, &after), 2);
	fclose(statm);
	assert_true(before > N / 4096 * SIZE);
	assert_true(after < before / 2);
}

/* Where address space is short, the heap is smaller, but works to its end. */
static void test_limited(void **state)
{
	struct rlimit limit = { .rlim_cur = (rlim_t)4 << 30, .rlim_max = RLIM_INFINITY };
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid) {
		setrlimit(RLIMIT_AS, &limit);
		execl("/proc/self/exe", "test_heap_family", "limited", NULL);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int limited(void)
{
	void **list = NULL;
	size_t total = 0;

	for (;;) {
		void **p = malloc(50000);

		if (!p)
			break;
		p[0] = list;
		list = p;
		total += 50000;
	}
	while (list) {
		void **p = list;

		list = p[0];
		free(p);
	}
	return total < 64 << 20 || total > (size_t)4 << 30 || !malloc(50000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_ours),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_zeroed),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_errno_kept),
		cmocka_unit_test(test_aligned),
		cmocka_unit_test(test_resized),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_given_back),
		cmocka_unit_test(test_limited),
	};

	if (argc > 1 && !strcmp(argv[1], "limited"))
		return limited();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
