/* Where functions are found whose place is taken: in the C library none, in OpenSSL's two, in damaged files none. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#include "rewrite/standin.h"

static int library(const char *name, const char *function, void **address, char **base)
{
	void *handle = dlopen(name, RTLD_NOW);
	Dl_info info;
	int fd;

	if (!handle)
		return -1;
	*address = dlsym(handle, function);
	assert_non_null(*address);
	assert_int_not_equal(dladdr(*address, &info), 0);
	*base = info.dli_fbase;
	fd = open(info.dli_fname, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void in_openssl(void **state)
{
	struct mv_standin s[MV_STANDINS_MAX];
	void *function;
	char *base;
	int fd = library("libcrypto.so.3", "RAND_bytes_ex", &function, &base);
	uint8_t bytes[16];

	(void)state;
	if (fd < 0)
		skip();
	for (unsigned monitor = 0; monitor < 2; monitor++) {
		assert_int_equal(mv_standins_find(fd, monitor, s), 2);
		for (unsigned i = 0; i < 2; i++) {
			static const uint8_t call[] = { 0x0f, 0x05 };

			assert_true(s[i].size > 20 && s[i].size < 128);
			assert_int_equal(!memmem(s[i].code, s[i].size, call, sizeof(call)), monitor);
		}
		/* The file is what is mapped. */
		assert_int_equal(pread(fd, bytes, sizeof(bytes), (off_t)s[0].offset), sizeof(bytes));
		assert_memory_equal(bytes, function, sizeof(bytes));
	}
	close(fd);
}

static void in_libc(void **state)
{
	struct mv_standin s[MV_STANDINS_MAX];
	void *function;
	char *base;
	int fd = library("libc.so.6", "getrandom", &function, &base);

	(void)state;
	assert_int_equal(mv_standins_find(fd, false, s), 0);
	close(fd);
}

static int copy(int from, off_t size)
{
	int to = memfd_create("copy", MFD_CLOEXEC);
	off_t at = 0;

	assert_true(to >= 0);
	while (at < size)
		assert_true(sendfile(to, from, &at, (size_t)(size - at)) > 0);
	return to;
}

/* Cut off anywhere, and with nonsense in the tables: not found, or found in the file. */
static void in_damaged_files(void **state)
{
	struct mv_standin s[MV_STANDINS_MAX];
	void *function;
	struct stat st;
	char *base;
	int fd = library("libcrypto.so.3", "RAND_bytes_ex", &function, &base), damaged;
	uint64_t seed = 1;

	(void)state;
	if (fd < 0)
		skip();
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t size = 0; size < st.st_size; size = size * 2 + 60) {
		damaged = copy(fd, size);
		assert_int_equal(mv_standins_find(damaged, false, s), 0);
		close(damaged);
	}
	damaged = copy(fd, st.st_size);
	for (unsigned i = 0; i < 3000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		/* The headers, and the tables in the first pages. */
		pwrite(damaged, &seed, 1 + (seed >> 40) % 8, (off_t)((seed >> 20) % (i % 3 ? 120000 : sizeof(Elf64_Ehdr) + 600)));
		for (unsigned n = mv_standins_find(damaged, false, s); n; n--)
			assert_true(s[n - 1].offset < (uint64_t)st.st_size);
	}
	close(damaged);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_openssl),
		cmocka_unit_test(in_libc),
		cmocka_unit_test(in_damaged_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
