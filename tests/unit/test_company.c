/* When followers run beside their leaders. */
#include "frontend/inproc/inproc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Windows of 100 ms from *now on; the last answer. */
static enum in_do windows(struct in_company *c, long *now, unsigned n, double rate)
{
	enum in_do what = IN_STAY;

	while (n-- > 0)
		what = in_company_next(c, *now += 100, rate);
	return what;
}

static void who_seldom_meets_is_left_alone(void **state)
{
	struct in_company c = { 0 };
	long now = 1000000;

	(void)state;
	assert_int_equal(windows(&c, &now, 100, 1.9), IN_STAY);
	assert_int_equal(c.state, IN_APART);
}

static void what_is_faster_together_stays_together(void **state)
{
	struct in_company c = { 0 };
	long now = 1000000;

	(void)state;
	assert_int_equal(windows(&c, &now, 1, 10), IN_JOIN);
	assert_int_equal(windows(&c, &now, 1, 15), IN_JOIN);
	/* Placed anew with every window, until it is tried how they do apart. */
	assert_int_equal(windows(&c, &now, 9, 15), IN_JOIN);
	assert_int_equal(windows(&c, &now, 1, 15), IN_PART);
	assert_int_equal(windows(&c, &now, 1, 10), IN_JOIN);
	assert_int_equal(c.state, IN_JOINED);
}

static void what_is_not_is_parted_again(void **state)
{
	struct in_company c = { 0 };
	long now = 1000000, first;

	(void)state;
	assert_int_equal(windows(&c, &now, 1, 10), IN_JOIN);
	assert_int_equal(windows(&c, &now, 1, 10.9), IN_PART);
	assert_int_equal(c.state, IN_APART);
	/* The next trial comes later than the first two windows after this one, the one after it later still. */
	for (first = now; in_company_next(&c, now += 100, 10) == IN_STAY;)
		;
	assert_int_equal(windows(&c, &now, 1, 5), IN_PART);
	first = now - first;
	for (long second = now;; )
		if (in_company_next(&c, now += 100, 10) != IN_STAY) {
			assert_true(now - second > first);
			break;
		}
}

static void a_program_that_calms_down_is_let_go(void **state)
{
	struct in_company c = { 0 };
	long now = 1000000;

	(void)state;
	windows(&c, &now, 1, 10);
	windows(&c, &now, 1, 15);
	assert_int_equal(windows(&c, &now, 1, 0.5), IN_PART);
	assert_int_equal(c.state, IN_APART);
	/* It has done well together: no need to wait. */
	assert_int_equal(windows(&c, &now, 1, 10), IN_JOIN);
}

static void a_machine_that_has_become_idle_is_used(void **state)
{
	struct in_company c = { 0 };
	long now = 1000000;

	(void)state;
	windows(&c, &now, 1, 10);
	windows(&c, &now, 1, 15);
	assert_int_equal(windows(&c, &now, 10, 15), IN_PART);
	assert_int_equal(windows(&c, &now, 1, 40), IN_STAY);
	assert_int_equal(c.state, IN_APART);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_seldom_meets_is_left_alone),
		cmocka_unit_test(what_is_faster_together_stays_together),
		cmocka_unit_test(what_is_not_is_parted_again),
		cmocka_unit_test(a_program_that_calms_down_is_let_go),
		cmocka_unit_test(a_machine_that_has_become_idle_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
