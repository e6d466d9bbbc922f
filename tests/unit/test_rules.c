/* Rules for other builds: the parser, and what the engine makes of them. */
#include "engine_sim.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <multivar/rules.h>

static struct mv_rules rules;
static struct mv_policy_error err;

static int parse(const char *text)
{
	return mv_rules_parse("dir/site.rules", text, strlen(text), &rules, &err);
}

static void parse_ok(const char *text)
{
	if (parse(text) < 0)
		fail_msg("%s:%u: %s", err.file, err.line, err.text);
}

static void parse_bad(const char *text, unsigned line, const char *message)
{
	assert_int_equal(parse(text), -1);
	assert_string_equal(err.file, "dir/site.rules");
	assert_int_equal(err.line, line);
	assert_non_null(strstr(err.text, message));
}

static void good_rules(void **state)
{
	(void)state;
	parse_ok("# nothing\n\n");
	assert_int_equal(rules.count, 0);
	assert_string_equal(rules.name, "site.rules");
	parse_ok("allow follower mmap munmap limit 7 # why\r\n\tallow leader brk\nreport 2\n"
		 "allow follower openat readlink file /proc/self/exe limit 1");
	assert_int_equal(rules.count, 6);
	assert_int_equal(rules.rule[1].nr, __NR_munmap);
	assert_int_equal(rules.rule[1].limit, 7);
	assert_int_equal(rules.rule[1].line, 1);
	assert_int_equal(rules.rule[2].who, MV_RULE_LEADER);
	assert_int_equal(rules.rule[3].who, MV_RULE_REPORT);
	assert_int_equal(rules.rule[3].fd, 2);
	assert_string_equal(rules.rule[5].path, "/proc/self/exe");
	assert_int_equal(rules.rule[5].limit, 1);
	for (const char *const *name = mv_rules_names(); *name; name++)
		assert_int_equal(mv_rules_parse(*name, mv_rules_text(*name), strlen(mv_rules_text(*name)), &rules, &err), 0);
	parse_ok("base build\nallow follower brk");
	assert_int_equal(rules.rule[0].line, 0);
	assert_int_equal(rules.rule[rules.count - 1].line, 2);
}

static void bad_rules(void **state)
{
	char many[4096] = "", *at = many;

	(void)state;
	parse_bad("permit follower brk", 1, "unknown directive 'permit'");
	parse_bad("\n\nallow follower brkk", 3, "did you mean brk?");
	parse_bad("allow follower write", 1, "effects do not stay inside");
	parse_bad("allow leader sendto", 1, "effects do not stay inside");
	parse_bad("allow follower execve", 1, "effects do not stay inside");
	parse_bad("allow follower futex", 1, "never compared");
	parse_bad("allow follower openat", 1, "needs a file");
	parse_bad("allow leader openat", 1, "cannot be the leader's alone");
	parse_bad("allow leader readlink file /x", 1, "names no file");
	parse_bad("allow everybody brk", 1, "neither follower nor leader");
	parse_bad("allow follower", 1, "allow whom and what?");
	parse_bad("allow follower brk limit 0", 1, "limit 0");
	parse_bad("allow follower brk limit -1", 1, "a number");
	parse_bad("allow follower brk limit 99999999999999999999", 1, "a number");
	parse_bad("report", 1, "one descriptor");
	parse_bad("report x", 1, "a number");
	parse_bad("base nothing", 1, "build, allocator");
	for (unsigned i = 0; i <= MV_RULES_MAX; i++)
		at += sprintf(at, "allow follower brk\n");
	parse_bad(many, MV_RULES_MAX + 1, "more than");
	assert_int_equal(mv_rules_parse("dir/site.rules", "\0", 1, &rules, &err), -1);
}

static struct sim *start(const char *text)
{
	struct sim_options o = sim_defaults;
	struct sim *s;

	parse_ok(text);
	o.no_threads = true;
	s = sim_new(&o);
	s->config.rules[1] = &rules;
	sim_start(s);
	return s;
}

/* The rule that stands in that place. */
static unsigned used(const struct sim *s, unsigned i)
{
	return mv_run_rules(s->run, 1)->rule[i].used;
}

static void follower_alone(void **state)
{
	struct sim *s = start("allow follower sysinfo limit 2\nallow follower readlink file /proc/self/exe");
	struct mv_call info = CALL(__NR_sysinfo, AT(OUT));
	struct mv_step step;

	(void)state;
	/* Nobody knows yet whether the leader makes it, too. */
	step = sim_enter(s->t[1], info);
	sim_expect(&step, MV_PARK);
	sim_leads(s, CALL(__NR_getuid), 5);
	step = sim_retry(s->t[1]);
	sim_expect_run(&step, __NR_sysinfo);
	step = sim_exit(s->t[1], 0);
	sim_expect_done(&step, 0);
	assert_int_equal(used(s, 0), 1);
	strcpy(sim_mem(s, 1, 0x100), "/proc/self/exe");
	step = sim_enter(s->t[1], CALL(__NR_readlink, AT(0x100), AT(OUT), 64));
	sim_expect_run(&step, __NR_readlink);
	step = sim_exit(s->t[1], 7);
	sim_expect_done(&step, 7);
	sim_follows(s, CALL(__NR_getuid), 5);
	/* What both make is compared and counted nowhere. */
	assert_true(sim_all(s, info));
	assert_int_equal(used(s, 0), 1);
	sim_leads(s, CALL(__NR_getuid), 5);
	step = sim_enter(s->t[1], info);
	sim_expect_run(&step, __NR_sysinfo);
	step = sim_exit(s->t[1], 0);
	/* The limit is used up. */
	step = sim_enter(s->t[1], info);
	sim_expect(&step, MV_STOP);
	sim_expect_difference(s, MV_DIFF_NR, 1);
	assert_int_equal(used(s, 0), 2);
	sim_free(s);
}

static void another_file(void **state)
{
	struct sim *s = start("allow follower readlink file /proc/self/exe");
	struct mv_step step;

	(void)state;
	strcpy(sim_mem(s, 1, 0x100), "/proc/self/exe2");
	sim_leads(s, CALL(__NR_getuid), 5);
	step = sim_enter(s->t[1], CALL(__NR_readlink, AT(0x100), AT(OUT), 64));
	sim_expect(&step, MV_STOP);
	sim_expect_difference(s, MV_DIFF_NR, 1);
	sim_free(s);
}

static void code_is_compared(void **state)
{
	struct sim *s = start("allow follower mmap mprotect");
	struct mv_step step;

	(void)state;
	sim_leads(s, CALL(__NR_getuid), 5);
	step = sim_enter(s->t[1], CALL(__NR_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	sim_expect(&step, MV_STOP);
	sim_expect_difference(s, MV_DIFF_NR, 1);
	sim_free(s);
}

/* Pieces of the leader's call as they come; its place in the order is given on. */
static void leader_alone(void **state)
{
	struct sim *s = start("allow leader mmap");
	struct mv_call map = CALL(__NR_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct mv_step step;

	(void)state;
	step = sim_enter(s->t[1], CALL(__NR_getuid));
	for (unsigned i = 0; i < 3; i++) {
		step = sim_enter(s->t[0], map);
		sim_expect_run(&step, __NR_mmap);
		sim_retry(s->t[1]);
		step = sim_exit(s->t[0], 0x7000000 + 0x10000 * i);
		sim_expect(&step, MV_DONE);
		step = sim_retry(s->t[1]);
		sim_expect(&step, MV_PARK);
	}
	sim_leads(s, CALL(__NR_getuid), 5);
	step = sim_retry(s->t[1]);
	sim_expect_done(&step, 5);
	assert_int_equal(used(s, 0), 3);
	/* An ordered call of both comes after it. */
	s->result = 0;
	assert_true(sim_all(s, CALL(__NR_umask, 022)));
	sim_free(s);
}

static void report(void **state)
{
	struct sim *s = start("allow follower getpid\nreport 2");
	const struct mv_verdict *v;
	struct mv_step step;
	const char *text;
	size_t len;

	(void)state;
	sim_leads(s, CALL(__NR_getuid), 5);
	strcpy(sim_mem(s, 1, 0x100), "=====\n");
	strcpy(sim_mem(s, 1, 0x200), "==1==ERROR: bad\nmore\n");
	step = sim_enter(s->t[1], CALL(__NR_write, 2, AT(0x100), 6));
	sim_expect_done(&step, 6);
	step = sim_enter(s->t[1], CALL(__NR_write, 2, AT(0x200), 21));
	sim_expect_done(&step, 21);
	sim_expect_peace(s);
	/* What it looks at in between needs no rule: the run will end. */
	step = sim_enter(s->t[1], CALL(__NR_sysinfo, AT(OUT)));
	sim_expect_run(&step, __NR_sysinfo);
	step = sim_exit(s->t[1], 0);
	sim_expect_done(&step, 0);
	/* Nothing brings it back into the stream, not even the leader's own call. */
	step = sim_enter(s->t[1], CALL(__NR_exit_group, 1));
	sim_expect(&step, MV_STOP);
	v = sim_expect_difference(s, MV_DIFF_REPORT, 1);
	assert_string_equal(v->text, "==1==ERROR: bad");
	text = mv_run_report(s->run, &len);
	assert_int_equal(len, 27);
	assert_memory_equal(text, "=====\n==1==ERROR: bad\nmore\n", 27);
	sim_free(s);
}

static int64_t own_addresses(struct sim *s, unsigned variant, const struct mv_step *step)
{
	(void)s;
	(void)step;
	return (int64_t)sim_addr(variant, 0x100000);
}

/* The part of a mapping that becomes read-only has another length: no rule is needed for what comes after it. */
static void protected_differently(void **state)
{
	struct sim *s = start("allow follower mprotect sysinfo\nallow leader mprotect");
	struct mv_call info = CALL(__NR_sysinfo, AT(OUT));
	struct mv_step step;

	(void)state;
	s->kernel = own_addresses;
	assert_true(sim_all(s, CALL(__NR_mmap, 0, 16384, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
	s->kernel = NULL;
	assert_true(sim_all(s, CALL(__NR_mprotect, AT(0x100000), 4096, PROT_READ)));
	assert_int_equal(used(s, 0), 0);
	sim_leads(s, CALL(__NR_mprotect, AT(0x100000), 4096, PROT_READ), 0);
	sim_leads(s, info, 0);
	step = sim_enter(s->t[1], CALL(__NR_mprotect, AT(0x100000), 8192, PROT_READ));
	sim_expect_run(&step, __NR_mprotect);
	step = sim_exit(s->t[1], 0);
	sim_expect_done(&step, 0);
	sim_follows(s, info, 0);
	assert_int_equal(used(s, 0), 1);
	assert_int_equal(used(s, 1), 0);	/* sysinfo: both have made it */
	assert_int_equal(used(s, 2), 1);
	/* Another protection is another call. */
	sim_leads(s, CALL(__NR_mprotect, AT(0x100000), 4096, PROT_READ), 0);
	step = sim_enter(s->t[1], CALL(__NR_mprotect, AT(0x100000), 8192, PROT_NONE));
	sim_expect_run(&step, __NR_mprotect);
	step = sim_exit(s->t[1], 0);
	sim_expect_done(&step, 0);
	step = sim_enter(s->t[1], CALL(__NR_mprotect, AT(0x100000), 4096, PROT_READ));
	sim_expect_run(&step, __NR_mprotect);
	step = sim_exit(s->t[1], 0);
	sim_expect_done(&step, 0);
	assert_int_equal(used(s, 2), 1);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_rules),
		cmocka_unit_test(bad_rules),
		cmocka_unit_test(follower_alone),
		cmocka_unit_test(another_file),
		cmocka_unit_test(code_is_compared),
		cmocka_unit_test(leader_alone),
		cmocka_unit_test(protected_differently),
		cmocka_unit_test(report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
