#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "rewrite/cache.h"
#include "rewrite_files.h"

struct cache {
	char parent[64], dir[80], file[256];
	struct mv_plan plan;
	int fd;
};

static void cache_start(struct cache *c, const char *path)
{
	DIR *dir;
	struct dirent *entry;
	struct mv_error err;

	strcpy(c->parent, "/tmp/mvarmor-rewrite-XXXXXX");
	assert_non_null(mkdtemp(c->parent));
	snprintf(c->dir, sizeof(c->dir), "%s/a/b", c->parent);
	c->fd = open_file(path);
	plan_of(path, &c->plan);
	assert_int_equal(mv_cache_store(c->dir, &c->plan, &err), 0);
	dir = opendir(c->dir);
	c->file[0] = 0;
	while ((entry = readdir(dir))) {
		if (*entry->d_name == '.' && strlen(entry->d_name) <= 2)
			continue;
		assert_int_equal(c->file[0], 0);	/* one file, and nothing temporary */
		snprintf(c->file, sizeof(c->file), "%s/%s", c->dir, entry->d_name);
	}
	closedir(dir);
	assert_int_not_equal(c->file[0], 0);
}

static void cache_stop(struct cache *c)
{
	char a[80];

	unlink(c->file);
	rmdir(c->dir);
	snprintf(a, sizeof(a), "%s/a", c->parent);
	rmdir(a);
	assert_return_code(rmdir(c->parent), errno);
	close(c->fd);
	mv_plan_free(&c->plan);
}

static int load(const struct cache *c, int fd)
{
	struct mv_plan plan;
	struct mv_error err;
	int r = mv_cache_load(c->dir, fd, &plan, &err);

	if (r)
		return r;
	assert_int_equal(plan.n, c->plan.n);
	assert_int_equal(plan.unbounded, c->plan.unbounded);
	assert_memory_equal(plan.sites, c->plan.sites, plan.n * sizeof(*plan.sites));
	mv_plan_free(&plan);
	return 0;
}

static void cache_round_trip(void **state)
{
	const char *path[] = { libc_path(), loader_path(), cases_path() };
	struct mv_error err;
	struct cache c;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct mv_plan plan;
		bool cached = false;

		cache_start(&c, path[i]);
		assert_int_equal(load(&c, c.fd), 0);
		assert_int_equal(mv_cache_store(c.dir, &c.plan, &err), 0);	/* over the old one */
		assert_int_equal(load(&c, c.fd), 0);
		assert_int_equal(mv_cache_plan(c.dir, c.fd, &plan, &cached, &err), 0);
		assert_true(cached && plan.n == c.plan.n);
		mv_plan_free(&plan);
		unlink(c.file);
		assert_int_equal(load(&c, c.fd), -ENOENT);
		assert_int_equal(mv_cache_plan(c.dir, c.fd, &plan, &cached, &err), 0);
		assert_true(!cached && plan.n == c.plan.n);
		mv_plan_free(&plan);
		assert_int_equal(load(&c, c.fd), 0);	/* that stored it */
		cache_stop(&c);
	}
}

/* A flipped bit anywhere, a missing end, one byte too many. */
static void cache_damaged(void **state)
{
	struct cache c;
	struct stat st;
	int fd;

	(void)state;
	cache_start(&c, cases_path());
	fd = open(c.file, O_RDWR | O_CLOEXEC);
	assert_return_code(fstat(fd, &st), errno);
	for (off_t at = 0; at < st.st_size; at++) {
		uint8_t byte, bad;
		int r;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		bad = byte ^ (uint8_t)(1 << at % 8);
		assert_int_equal(pwrite(fd, &bad, 1, at), 1);
		r = load(&c, c.fd);
		assert_true(r == -EBADMSG || r == -ENOENT);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_int_equal(load(&c, c.fd), 0);
	assert_return_code(ftruncate(fd, st.st_size + 1), errno);
	assert_int_equal(load(&c, c.fd), -EBADMSG);
	for (off_t size = st.st_size - 1; size >= 0; size -= 61) {
		assert_return_code(ftruncate(fd, size), errno);
		assert_int_equal(load(&c, c.fd), -EBADMSG);
	}
	close(fd);
	cache_stop(&c);
}

/* What others could have written is not looked at. */
static void cache_of_others(void **state)
{
	struct cache c;
	char elsewhere[300];

	(void)state;
	cache_start(&c, cases_path());
	assert_return_code(chmod(c.file, 0664), errno);
	assert_int_equal(load(&c, c.fd), -EPERM);
	assert_return_code(chmod(c.file, 0646), errno);
	assert_int_equal(load(&c, c.fd), -EPERM);
	assert_return_code(chmod(c.file, 0644), errno);
	assert_int_equal(load(&c, c.fd), 0);
	assert_return_code(chmod(c.dir, 0777), errno);
	assert_int_equal(load(&c, c.fd), -EPERM);
	assert_return_code(chmod(c.dir, 0755), errno);
	if (geteuid() == 0) {
		assert_return_code(chown(c.file, 65534, 65534), errno);
		assert_int_equal(load(&c, c.fd), -EPERM);
		assert_return_code(chown(c.file, 0, 0), errno);
		assert_return_code(chown(c.dir, 65534, 65534), errno);
		assert_int_equal(load(&c, c.fd), -EPERM);
		assert_return_code(chown(c.dir, 0, 0), errno);
	}
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", c.parent);
	assert_return_code(rename(c.file, elsewhere), errno);
	assert_return_code(symlink(elsewhere, c.file), errno);
	assert_int_equal(load(&c, c.fd), -ELOOP);
	unlink(c.file);
	unlink(elsewhere);
	cache_stop(&c);
}

/* The same build-id says little: other code behind it is another file, and so is one of another length. */
static void cache_of_another_file(void **state)
{
	const struct mv_site *site;
	struct cache c;
	uint8_t *bytes;
	size_t size;
	int copy = copy_in_memory(cases_path(), &bytes, &size);

	(void)state;
	cache_start(&c, cases_path());
	assert_int_equal(load(&c, copy), 0);
	site = first_of(&c.plan, MV_SITE_P1);
	bytes[site->offset] ^= 0x40;		/* at a site */
	assert_int_equal(pwrite(copy, bytes, size, 0), size);
	assert_int_equal(load(&c, copy), -ENOENT);
	bytes[site->offset] ^= 0x40;
	bytes[c.plan.sites[c.plan.n - 1].offset + 40] ^= 1;	/* behind all sites */
	assert_int_equal(pwrite(copy, bytes, size, 0), size);
	assert_int_equal(load(&c, copy), -ENOENT);
	bytes[c.plan.sites[c.plan.n - 1].offset + 40] ^= 1;
	assert_int_equal(pwrite(copy, bytes, size, 0), size);
	assert_int_equal(load(&c, copy), 0);
	assert_int_equal(pwrite(copy, "x", 1, (off_t)size), 1);
	assert_int_equal(load(&c, copy), -ENOENT);
	free(bytes);
	close(copy);
	cache_stop(&c);
}

/* Of a file that has not changed lately the plan is loaded without reading it, but only as long as it does not change. */
static void cache_of_unchanged_file(void **state)
{
	char path[] = "/tmp/mvarmor-test-XXXXXX";
	struct mv_plan plan;
	struct mv_error err;
	struct cache c;
	uint8_t *bytes;
	size_t size;
	bool cached;
	int fd = mkstemp(path), memory = copy_in_memory(cases_path(), &bytes, &size);

	(void)state;
	unlink(path);
	cache_start(&c, cases_path());
	unlink(c.file);
	assert_int_equal(pwrite(fd, bytes, size, 0), size);
	assert_int_equal(mv_cache_plan(c.dir, fd, &plan, &cached, &err), 0);
	assert_false(cached);
	assert_int_equal(plan.state.changed, 0);	/* just now */
	mv_plan_free(&plan);
	sleep(3);
	assert_int_equal(mv_cache_plan(c.dir, fd, &plan, &cached, &err), 0);
	assert_true(cached && plan.state.changed);	/* read, and stored with its state */
	mv_plan_free(&plan);
	assert_int_equal(mv_cache_plan(c.dir, fd, &plan, &cached, &err), 0);
	assert_true(cached && plan.n == c.plan.n && plan.state.changed);
	assert_memory_equal(plan.sites, c.plan.sites, plan.n * sizeof(*plan.sites));
	mv_plan_free(&plan);
	bytes[c.plan.sites[c.plan.n - 1].offset + 40] ^= 1;
	assert_int_equal(pwrite(fd, bytes, size, 0), size);
	assert_int_equal(mv_cache_plan(c.dir, fd, &plan, &cached, &err), 0);
	assert_false(cached);
	mv_plan_free(&plan);
	free(bytes);
	close(memory);
	close(fd);
	cache_stop(&c);
}

static void cache_directory(void **state)
{
	char path[64], tiny[4];

	(void)state;
	setenv("XDG_CACHE_HOME", "/somewhere", 1);
	assert_int_equal(mv_cache_dir(path, sizeof(path)), 0);
	assert_string_equal(path, geteuid() ? "/somewhere/mvarmor" : "/var/cache/mvarmor");
	assert_int_equal(mv_cache_dir(tiny, sizeof(tiny)), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cache_round_trip),
		cmocka_unit_test(cache_damaged),
		cmocka_unit_test(cache_of_others),
		cmocka_unit_test(cache_of_another_file),
		cmocka_unit_test(cache_of_unchanged_file),
		cmocka_unit_test(cache_directory),
	};

	return cmocka_run_group_tests(tests, rewrite_setup, rewrite_teardown);
}
