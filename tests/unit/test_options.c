#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/log.h"
#include "cli/options.h"

static struct mv_settings s;
static char error[320];
static char notices[1024];

#define WORDS(...) (char *const []){ __VA_ARGS__, NULL }

static int parse_run(char *const *argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	mv_options_defaults(&s);
	error[0] = '\0';
	return mv_options_parse(&s, MV_CMD_RUN, argc, argv, error, sizeof(error));
}

static void bad(char *const *argv, const char *message)
{
	assert_int_equal(parse_run(argv), -1);
	assert_string_equal(error, message);
}

static void keep_notice(const char *text)
{
	strcat(notices, text);
	strcat(notices, "\n");
}

static int environment(char *const *envp)
{
	mv_options_defaults(&s);
	error[0] = notices[0] = '\0';
	return mv_options_environment(&s, envp, keep_notice, error, sizeof(error));
}

static void bad_environment(char *const *envp, const char *message)
{
	assert_int_equal(environment(envp), -1);
	assert_string_equal(error, message);
}

static void test_defaults(void **state)
{
	(void)state;
	mv_options_defaults(&s);
	assert_int_equal(s.variants, 2);
	assert_string_equal(s.frontend, "auto");
	assert_string_equal(s.policy, "exec");
	assert_null(s.output);
	assert_int_equal(s.status_fd, -1);
	assert_int_equal(s.log_domains, MV_LOG_NOTICE);
	assert_int_equal(s.layout, MV_LAYOUT_DISJOINT);
	assert_int_equal(s.threads, MV_THREADS_TURNS);
	assert_false(s.have_seed);
	assert_int_equal(s.divergence_status, 86);
	assert_int_equal(s.ring & (s.ring - 1), 0);
}

static void test_where_options_end(void **state)
{
	(void)state;
	assert_int_equal(parse_run(WORDS("ls", "-n", "3")), 0);
	assert_int_equal(s.variants, 2);
	assert_int_equal(parse_run(WORDS("-n", "3", "ls", "-n", "4")), 2);
	assert_int_equal(s.variants, 3);
	assert_int_equal(parse_run(WORDS("-n3", "--", "-n", "4")), 2);
	assert_int_equal(s.variants, 3);
	assert_int_equal(parse_run(WORDS("-")), 0);
	assert_int_equal(parse_run(WORDS("--")), 1);
	assert_int_equal(parse_run(WORDS("--detach")), 1);
	assert_true(s.detach);
	assert_int_equal(parse_run(WORDS("-n", "3", "-n", "4")), 4);
	assert_int_equal(s.variants, 4);
	/* The value of an option may look like an option. */
	assert_int_equal(parse_run(WORDS("-o", "--", "ls")), 2);
	assert_string_equal(s.output, "--");
}

static void test_values(void **state)
{
	(void)state;
	assert_int_equal(parse_run(WORDS("--variants=8", "--layout=same", "--color=never", "--frontend=ptrace", "--ring=1024",
					 "--seed=0xffffffffffffffff", "--deadline=0", "--divergence-status=255",
					 "--status-fd=2", "--log=calls,boot", "--same-at-random", "--report=a=b", "x")), 12);
	assert_int_equal(s.variants, 8);
	assert_int_equal(s.layout, MV_LAYOUT_SAME);
	assert_int_equal(s.colour, MV_COLOUR_NEVER);
	assert_string_equal(s.frontend, "ptrace");
	assert_int_equal(s.ring, 1024);
	assert_true(s.have_seed);
	assert_true(s.seed == UINT64_MAX);
	assert_int_equal(s.deadline_ms, 0);
	assert_int_equal(s.divergence_status, 255);
	assert_int_equal(s.status_fd, 2);
	assert_int_equal(s.log_domains, MV_LOG_NOTICE | MV_LOG_CALLS | MV_LOG_BOOT);
	assert_true(s.same_at_random);
	assert_string_equal(s.report, "a=b");
}

static void test_heap(void **state)
{
	(void)state;
	assert_int_equal(parse_run(WORDS("x")), 0);
	assert_int_equal(s.heap, MV_HEAP_OFF);
	assert_int_equal(s.slab_max, 1024);
	assert_int_equal(s.slab_pad, 4096);
	assert_int_equal(s.heap_fill, 1);
	assert_int_equal(parse_run(WORDS("--heap=followers", "--slab-max=1", "--slab-pad=524288", "--heap-fill=off", "x")), 4);
	assert_int_equal(s.heap, MV_HEAP_FOLLOWERS);
	assert_int_equal(s.slab_max, 1);
	assert_int_equal(s.slab_pad, 524288);
	assert_int_equal(s.heap_fill, 0);
	assert_int_equal(parse_run(WORDS("--heap", "all", "--slab-max", "16384", "--slab-pad", "0", "x")), 6);
	assert_int_equal(s.heap, MV_HEAP_ALL);
	bad(WORDS("--heap=leader", "x"), "--heap: unknown heap 'leader' (known: off, followers, all)");
	bad(WORDS("--slab-max=0", "x"), "--slab-max: '0' is not a number from 1 to 16384 (objects in a slab)");
	bad(WORDS("--slab-max=16385", "x"), "--slab-max: '16385' is not a number from 1 to 16384 (objects in a slab)");
	bad(WORDS("--slab-pad=524289", "x"), "--slab-pad: '524289' is not a number from 0 to 524288 (bytes; so many always lie "
	    "between two slabs)");
	bad(WORDS("--slab-pad=4K", "x"), "--slab-pad: '4K' is not a number from 0 to 524288 (bytes; so many always lie "
	    "between two slabs)");
	bad(WORDS("--heap-fill=1", "x"), "--heap-fill: unknown heap-fill '1' (known: off, on)");
}

static void test_sizes(void **state)
{
	static const struct { const char *text; size_t size; } good[] = {
		{ "1048576", 1 << 20 }, { "1024K", 1 << 20 }, { "2M", 2 << 20 }, { "2m", 2 << 20 }, { "1G", 1 << 30 },
		{ "1024G", 1ull << 40 },
	};
	static const char *const wrong[] = {
		"", "0", "1023K", "1025G", "1T", "1MB", "1 M", "-1", "+1M", "M", "1.5M", "18446744073709551615G", "0x",
	};
	char message[200];

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(parse_run(WORDS("--arena", (char *)good[i].text, "x")), 2);
		assert_true(s.arena == good[i].size);
	}
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(message, sizeof(message), "--arena: '%s' is not a size from 1M to 1024G (bytes, or a number with K, M "
			 "or G), nor auto", wrong[i]);
		bad(WORDS("--arena", (char *)wrong[i], "x"), message);
	}
}

static void test_bad_numbers(void **state)
{
	static const char *const wrong[] = { "0", "9", "64", "two", "", "2x", " 2", "-1", "99999999999999999999" };
	char message[200];

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(message, sizeof(message), "-n: '%s' is not a number from 1 to 8 (MV_VARIANTS_MAX is 8; 1 is allowed and "
			 "compares nothing)", wrong[i]);
		bad(WORDS("-n", (char *)wrong[i], "x"), message);
	}
	assert_int_equal(parse_run(WORDS("-n", "1", "x")), 2);
	bad(WORDS("--ring", "1000", "x"),
	    "--ring: '1000' is not a power of two from 8 to 1048576 (records the leader may run ahead)");
	bad(WORDS("--ring", "4", "x"), "--ring: '4' is not a power of two from 8 to 1048576 (records the leader may run ahead)");
	bad(WORDS("--divergence-status", "0"),
	    "--divergence-status: '0' is not a number from 1 to 255 (0 would hide an attack)");
	bad(WORDS("--seed", "18446744073709551616"), "--seed: '18446744073709551616' is not a number of 64 bits (decimal, or "
	    "hexadecimal with 0x)");
}

static void test_bad_options(void **state)
{
	(void)state;
	bad(WORDS("--varaints", "2"), "unknown option '--varaints': did you mean --variants?");
	bad(WORDS("--varaints=2"), "unknown option '--varaints': did you mean --variants?");
	bad(WORDS("--zzzzzzzz"), "unknown option '--zzzzzzzz' (--help lists them)");
	bad(WORDS("-z"), "unknown option '-z' (--help lists them)");
	bad(WORDS("-\x01"), "unknown option '-\x01' (--help lists them)");
	bad(WORDS("--=x"), "unknown option '--' (--help lists them)");
	bad(WORDS("--json"), "unknown option '--json' (--help lists them)");
	bad(WORDS("--man-options"), "unknown option '--man-options' (--help lists them)");
	bad(WORDS("-n"), "-n needs a value: N");
	bad(WORDS("--report"), "--report needs a value: FILE");
	bad(WORDS("--report="), "--report: the FILE is empty");
	bad(WORDS("--detach=1"), "--detach takes no value, but '1' was given");
	bad(WORDS("-hx"), "-h takes no value, but 'x' follows it");
	bad(WORDS("-f", "kvm"), "-f: unknown frontend 'kvm' (known: auto, inproc, ptrace)");
	bad(WORDS("--frontend=ptrase"), "--frontend: unknown frontend 'ptrase': did you mean ptrace? (known: auto, inproc, ptrace)");
	bad(WORDS("--threads", "turn"), "--threads: unknown threads 'turn': did you mean turns? (known: free, turns, parallel)");
	bad(WORDS("--layout", "Same"), "--layout: unknown layout 'Same': did you mean same? (known: same, aslr, disjoint)");
	bad(WORDS("--log", "calls,foo,boot"),
	    "--log: unknown domain 'foo' (known: notice, calls, process, signal, boot, stall, rules, all, none)");
}

static void test_log_domains(void **state)
{
	static const struct { const char *list; unsigned domains; } good[] = {
		{ "notice", MV_LOG_NOTICE }, { "none", 0 }, { "stall", MV_LOG_NOTICE | MV_LOG_STALL }, { "all", MV_LOG_ALL },
		{ "calls", MV_LOG_NOTICE | MV_LOG_CALLS },
		{ "none,calls", MV_LOG_CALLS }, { "all,none", 0 }, { "signal,process", MV_LOG_NOTICE | MV_LOG_SIGNAL | MV_LOG_PROCESS },
	};
	static const char *const wrong[] = { "", ",", "calls,", "call", "callsx", "CALLS" };
	const char *where;
	unsigned domains;

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(mv_log_parse(good[i].list, &domains, &where), 0);
		assert_int_equal(domains, good[i].domains);
	}
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(mv_log_parse(wrong[i], &domains, &where), -1);
}

static void test_environment(void **state)
{
	(void)state;
	assert_int_equal(environment(WORDS("PATH=/bin", "MV_NUM_PROC=3", "MV_OUT_TO_FILE=/tmp/x", "MV_UMEM=2M",
					   "RINGBUFFER_SIZE=64", "MV_DONT_DETACH=1", "MVARMOR_DETACH=yes",
					   "MVARMOR_STATUS_FD=7", "MVARMOR_SAME_AT_RANDOM=0")), 0);
	assert_int_equal(s.variants, 3);
	assert_string_equal(s.output, "/tmp/x");
	assert_true(s.arena == 2 << 20);
	assert_int_equal(s.ring, 64);
	assert_true(s.foreground && s.detach);
	assert_int_equal(s.status_fd, 7);
	assert_false(s.same_at_random);
	assert_string_equal(notices, "");

	/* Our own name wins over the original's, wherever it stands; options win over both. */
	assert_int_equal(environment(WORDS("MVARMOR_VARIANTS=4", "MV_NUM_PROC=3")), 0);
	assert_int_equal(s.variants, 4);
	assert_int_equal(mv_options_parse(&s, MV_CMD_RUN, 2, WORDS("-n", "5"), error, sizeof(error)), 2);
	assert_int_equal(s.variants, 5);
}

static void test_bad_environment(void **state)
{
	(void)state;
	bad_environment(WORDS("MV_NUM_PROC=64"), "MV_NUM_PROC in the environment: '64' is not a number from 1 to 8 "
			"(MV_VARIANTS_MAX is 8; 1 is allowed and compares nothing)");
	bad_environment(WORDS("MVARMOR_DETACH=maybe"), "MVARMOR_DETACH in the environment: 'maybe' is neither 1 nor 0");
	bad_environment(WORDS("MV_SLAB_MAX=many"), "MV_SLAB_MAX in the environment: 'many' is not a number from 1 to 16384 "
			"(objects in a slab)");
	bad_environment(WORDS("MV_OUT_TO_FILE="), "MV_OUT_TO_FILE in the environment: the FILE is empty");
}

static void test_environment_notices(void **state)
{
	(void)state;
	assert_int_equal(environment(WORDS("MV_SLAB_PAD=16", "MVARMOR_VARIENTS=3", "MV_PROGRAMS_OWN=1", "MVARMOR_HELP=1")), 0);
	assert_int_equal(s.slab_pad, 16);
	assert_non_null(strstr(notices, "MVARMOR_VARIENTS in the environment is not known and has no effect: did you mean "
			       "MVARMOR_VARIANTS?"));
	assert_non_null(strstr(notices, "MVARMOR_HELP in the environment is not known"));
	assert_null(strstr(notices, "MV_PROGRAMS_OWN"));
	assert_int_equal(s.variants, 2);
	assert_false(s.help);
}

static void test_clean_environment(void **state)
{
	char *const *envp = WORDS("PATH=/bin", "MV_NUM_PROC=3", "MVARMOR_X=1", "MVARMOR=kept", "RINGBUFFER_SIZE=64", "MVX=kept",
				  "MV_ANY=1", "noequals", "HOME=/");
	char **clean = mv_options_clean_environment(envp);

	(void)state;
	assert_string_equal(clean[0], "PATH=/bin");
	assert_string_equal(clean[1], "MVARMOR=kept");
	assert_string_equal(clean[2], "MVX=kept");
	assert_string_equal(clean[3], "MV_ANY=1");
	assert_string_equal(clean[4], "noequals");
	assert_string_equal(clean[5], "HOME=/");
	assert_null(clean[6]);
	free(clean);
}

/* What the generators rely on. */
static void test_table(void **state)
{
	(void)state;
	for (unsigned i = 0; i < mv_noptions; i++) {
		const struct mv_option *o = &mv_options[i];

		assert_true(o->commands != 0);
		assert_non_null(o->help);
		assert_non_null(o->parse);
		assert_true(o->help[strlen(o->help) - 1] != '.');
		assert_true(o->name || o->aliases[0]);
		for (unsigned j = 0; j < i; j++) {
			if (o->name && mv_options[j].name)
				assert_string_not_equal(o->name, mv_options[j].name);
			assert_true(!o->letter || o->letter != mv_options[j].letter);
		}
	}
}

static void test_log_output(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	mv_log_setup(out, MV_LOG_NOTICE | MV_LOG_BOOT);
	assert_true(mv_log_on(MV_LOG_BOOT));
	assert_false(mv_log_on(MV_LOG_CALLS));
	mv_log(MV_LOG_CALLS, "not %s", "this");
	mv_log(MV_LOG_BOOT, "two\nlines %d", 7);
	fclose(out);
	assert_string_equal(text, "mvarmor: two lines 7\n");
	mv_log_setup(NULL, MV_LOG_ALL);
	mv_log(MV_LOG_BOOT, "nowhere");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_where_options_end), cmocka_unit_test(test_values),
		cmocka_unit_test(test_heap),
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_bad_numbers), cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_log_domains), cmocka_unit_test(test_environment),
		cmocka_unit_test(test_bad_environment), cmocka_unit_test(test_environment_notices),
		cmocka_unit_test(test_clean_environment), cmocka_unit_test(test_table), cmocka_unit_test(test_log_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
