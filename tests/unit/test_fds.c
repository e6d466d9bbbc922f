/* What the engine knows of descriptors and epoll registrations. */
#include "engine_sim.h"
#include "engine/fds.h"
#include "engine/table.h"
#include <errno.h>

static struct mv_files *make(void)
{
	struct mv_files *f;

	sim_fail_alloc(-1);
	f = mv_files_new(&sim_ops);
	assert_non_null(f);
	return f;
}

static void drop(struct mv_files *f)
{
	mv_files_unref(f);
	assert_int_equal(sim_allocated(), 0);
}

static void unknown(void **state)
{
	struct mv_files *f = make();
	static const int64_t odd[] = { 0, 63, 64, 1 << 20, INT32_MAX, (int64_t)UINT32_MAX, -1, -100, INT64_MIN, INT64_MAX };

	(void)state;
	for (unsigned i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		assert_int_equal(mv_fd_get(f, odd[i])->kind, 0);
		assert_int_equal(mv_fd_get(f, odd[i])->flags, 0);
	}
	drop(f);
}

static void set_and_get(void **state)
{
	struct mv_files *f = make();

	(void)state;
	assert_int_equal(mv_fd_set(f, 0, (struct mv_fd){ .kind = MV_FDKIND_TTY }), 0);
	assert_int_equal(mv_fd_set(f, 63, (struct mv_fd){ .kind = MV_FDKIND_PIPE }), 0);
	assert_int_equal(mv_fd_set(f, 64, (struct mv_fd){ .kind = MV_FDKIND_SOCKET, .flags = MV_FD_TWIN, .epoll = 9 }), 0);
	assert_int_equal(mv_fd_set(f, (1 << 20) - 1, (struct mv_fd){ .kind = MV_FDKIND_FILE }), 0);
	assert_int_equal(mv_fd_get(f, 0)->kind, MV_FDKIND_TTY);
	assert_int_equal(mv_fd_get(f, 63)->kind, MV_FDKIND_PIPE);
	assert_int_equal(mv_fd_get(f, 64)->kind, MV_FDKIND_SOCKET);
	assert_int_equal(mv_fd_get(f, 64)->flags, MV_FD_TWIN);
	assert_int_equal(mv_fd_get(f, 64)->epoll, 9);
	assert_int_equal(mv_fd_get(f, (1 << 20) - 1)->kind, MV_FDKIND_FILE);
	/* The table has grown: what was never set is nothing. */
	for (int64_t fd = 65; fd < 5000; fd++)
		assert_int_equal(mv_fd_get(f, fd)->kind, MV_FDKIND_NONE);
	assert_int_equal(mv_fd_set(f, 64, (struct mv_fd){ .kind = MV_FDKIND_OTHER }), 0);
	assert_int_equal(mv_fd_get(f, 64)->kind, MV_FDKIND_OTHER);
	assert_int_equal(mv_fd_get(f, 64)->flags, 0);
	assert_int_equal(mv_fd_get(f, 64)->epoll, 0);
	drop(f);
}

static void absurd_numbers(void **state)
{
	struct mv_files *f = make();
	static const int64_t absurd[] = { -1, -ENOENT, INT64_MIN, 1 << 20, INT64_MAX, (int64_t)UINT32_MAX };

	(void)state;
	for (unsigned i = 0; i < sizeof(absurd) / sizeof(*absurd); i++)
		assert_int_equal(mv_fd_set(f, absurd[i], (struct mv_fd){ .kind = 1 }), -EBADF);
	assert_int_equal(sim_allocated(), 1);
	drop(f);
}

static void no_memory(void **state)
{
	struct mv_files *f = make(), *c;

	(void)state;
	assert_int_equal(mv_fd_set(f, 5, (struct mv_fd){ .kind = MV_FDKIND_FILE }), 0);
	assert_int_equal(mv_epoll_set(f, 1, 5, 77), 0);
	for (int fd = 6; fd < 37; fd++)
		assert_int_equal(mv_epoll_set(f, 1, fd, 77), 0);
	sim_fail_alloc(0);
	assert_int_equal(mv_fd_set(f, 64, (struct mv_fd){ .kind = MV_FDKIND_FILE }), -ENOMEM);
	assert_int_equal(mv_epoll_set(f, 1, 37, 77), -ENOMEM);
	for (long n = 0; n < 3; n++) {
		long before = sim_allocated();

		sim_fail_alloc(n);
		assert_null(mv_files_copy(f));
		assert_int_equal(sim_allocated(), before);
	}
	sim_fail_alloc(3);
	c = mv_files_copy(f);
	assert_non_null(c);
	mv_files_unref(c);
	sim_fail_alloc(0);
	assert_null(mv_files_new(&sim_ops));
	/* What failed has changed nothing. */
	assert_int_equal(mv_fd_get(f, 5)->kind, MV_FDKIND_FILE);
	assert_int_equal(mv_fd_get(f, 64)->kind, MV_FDKIND_NONE);
	assert_int_equal(mv_epoll_fd(f, 1, 77), 36);
	sim_fail_alloc(-1);
	drop(f);
}

static void copies(void **state)
{
	struct mv_files *f = make(), *c, *r;
	uint64_t data = 0;
	uint32_t ep;

	(void)state;
	ep = mv_files_epoll(f);
	mv_fd_set(f, 3, (struct mv_fd){ .kind = MV_FDKIND_OTHER, .epoll = ep });
	mv_epoll_set(f, ep, 4, 44);
	c = mv_files_copy(f);
	r = mv_files_ref(f);
	assert_ptr_equal(r, f);
	/* Both number their epoll objects on from there, and go their own ways. */
	assert_int_equal(mv_files_epoll(c), ep + 1);
	mv_fd_set(c, 3, (struct mv_fd){ .kind = MV_FDKIND_FILE });
	mv_epoll_set(c, ep, 4, 45);
	mv_epoll_set(c, ep, 5, 55);
	assert_int_equal(mv_fd_get(r, 3)->kind, MV_FDKIND_OTHER);
	assert_int_equal(mv_fd_get(c, 3)->kind, MV_FDKIND_FILE);
	assert_true(mv_epoll_data(f, ep, 4, &data));
	assert_int_equal(data, 44);
	assert_false(mv_epoll_data(f, ep, 5, &data));
	assert_true(mv_epoll_data(c, ep, 4, &data));
	assert_int_equal(data, 45);
	mv_files_unref(f);
	assert_int_equal(mv_fd_get(r, 3)->kind, MV_FDKIND_OTHER);
	mv_files_unref(c);
	mv_files_unref(NULL);
	drop(r);
}

static void epoll_objects(void **state)
{
	struct mv_files *f = make();
	uint32_t a = mv_files_epoll(f), b = mv_files_epoll(f);
	uint64_t data = 1;

	(void)state;
	assert_true(a && b);
	assert_int_not_equal(a, b);
	assert_int_equal(mv_epoll_fd(f, a, 0), -1);
	assert_false(mv_epoll_data(f, a, 0, &data));
	assert_int_equal(data, 1);
	mv_epoll_del(f, a, 0);			/* nothing there */
	mv_epoll_set(f, a, 0, 0);		/* descriptor 0 and data 0 are as good as others */
	assert_int_equal(mv_epoll_fd(f, a, 0), 0);
	assert_int_equal(mv_epoll_fd(f, b, 0), -1);
	mv_epoll_set(f, a, 7, 0x123456789abcdef0);
	mv_epoll_set(f, b, 7, 5);
	assert_true(mv_epoll_data(f, a, 7, &data));
	assert_int_equal(data, 0x123456789abcdef0);
	assert_int_equal(mv_epoll_fd(f, a, 0x9abcdef0), -1);	/* not by half of it */
	assert_true(mv_epoll_data(f, b, 7, &data));
	assert_int_equal(data, 5);
	mv_epoll_del(f, a, 7);
	assert_false(mv_epoll_data(f, a, 7, &data));
	assert_true(mv_epoll_data(f, b, 7, &data));
	drop(f);
}

/* A closed descriptor leaves its registration: its number and data may come again. */
static void youngest_registration(void **state)
{
	struct mv_files *f = make();
	uint64_t data;

	(void)state;
	mv_epoll_set(f, 1, 4, 99);
	mv_epoll_set(f, 1, 5, 99);
	mv_epoll_set(f, 1, 6, 98);
	assert_int_equal(mv_epoll_fd(f, 1, 99), 5);
	mv_epoll_set(f, 1, 4, 99);
	assert_int_equal(mv_epoll_fd(f, 1, 99), 4);
	mv_epoll_set(f, 1, 4, 97);
	assert_int_equal(mv_epoll_fd(f, 1, 99), 5);
	mv_epoll_del(f, 1, 5);
	assert_int_equal(mv_epoll_fd(f, 1, 99), 5 | MV_EPOLL_FORMER);
	assert_int_equal(mv_epoll_fd(f, 1, 98), 6);
	for (int fd = 0; fd < 1000; fd++)
		mv_epoll_set(f, 2, fd, (uint64_t)fd * 3);
	for (int fd = 0; fd < 1000; fd += 2)
		mv_epoll_del(f, 2, fd);
	for (int fd = 0; fd < 1000; fd++) {
		assert_int_equal(mv_epoll_data(f, 2, fd, &data), fd & 1);
		if (fd & 1 || fd < 1000 - 2 * 64)
			assert_int_equal(mv_epoll_fd(f, 2, (uint64_t)fd * 3), fd & 1 ? fd : -1);
		else
			assert_int_equal(mv_epoll_fd(f, 2, (uint64_t)fd * 3), fd | MV_EPOLL_FORMER);
	}
	drop(f);
}

/* An event that was on its way when the registration was taken back, or replaced, carries the data that it had. */
static void former_registration(void **state)
{
	struct mv_files *f = make(), *c;
	uint64_t data = 0;

	(void)state;
	mv_epoll_set(f, 1, 4, 40);
	assert_false(mv_epoll_data(f, 1, 4 | MV_EPOLL_FORMER, &data));
	mv_epoll_del(f, 1, 4);
	mv_epoll_del(f, 1, 4);
	assert_false(mv_epoll_data(f, 1, 4, &data));
	assert_true(mv_epoll_data(f, 1, 4 | MV_EPOLL_FORMER, &data));
	assert_int_equal(data, 40);
	mv_epoll_set(f, 1, 4, 41);
	assert_int_equal(mv_epoll_fd(f, 1, 40), 4 | MV_EPOLL_FORMER);
	assert_int_equal(mv_epoll_fd(f, 1, 41), 4);
	mv_epoll_set(f, 1, 5, 40);		/* what is registered is found before what was */
	assert_int_equal(mv_epoll_fd(f, 1, 40), 5);
	mv_epoll_set(f, 1, 4, 42);
	assert_int_equal(mv_epoll_fd(f, 1, 41), 4 | MV_EPOLL_FORMER);
	assert_false(mv_epoll_data(f, 1, -1, &data));
	c = mv_files_copy(f);
	assert_int_equal(mv_epoll_fd(c, 1, 41), 4 | MV_EPOLL_FORMER);
	mv_files_unref(c);
	drop(f);
}

/* The numbers of pairs of its own are a process's and its children's, until they execute another program. */
static void pairs(void **state)
{
	struct mv_files *f = make(), *c;

	(void)state;
	mv_fd_set(f, 3, (struct mv_fd){ .kind = MV_FDKIND_PIPE, .pair = 7 });
	c = mv_files_copy(f);
	assert_int_equal(mv_fd_get(c, 3)->pair, 7);
	mv_files_unpair(c);
	assert_int_equal(mv_fd_get(c, 3)->pair, 0);
	assert_int_equal(mv_fd_get(c, 3)->kind, MV_FDKIND_PIPE);
	assert_int_equal(mv_fd_get(f, 3)->pair, 7);
	mv_files_unref(c);
	drop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown),
		cmocka_unit_test(set_and_get),
		cmocka_unit_test(absurd_numbers),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(copies),
		cmocka_unit_test(epoll_objects),
		cmocka_unit_test(youngest_registration),
		cmocka_unit_test(former_registration),
		cmocka_unit_test(pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
