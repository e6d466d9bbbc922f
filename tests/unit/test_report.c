/* Verdict lines, text and JSON reports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "engine/table.h"
#include "supervisor/describe.h"
#include "supervisor/report.h"
#include "supervisor/verdict.h"

static const struct mv_call write_call = { __NR_write, { 1, 0x7f0000001000, 18 } };
static const struct mv_call read_call = { __NR_read, { 0, 0x7f0000002000, 4096 } };
static const struct mv_call exit_call = { __NR_exit_group, { 0 } };
static const struct mv_call lseek_call = { __NR_lseek, { 3, 0x10, 0 } };
static const struct mv_call mmap_call = { __NR_mmap, { 0, 4096, 3, 0x22, (uint64_t)-1, 0 } };
static const struct mv_call segv = { MV_PSEUDO_FAULT, { SIGSEGV, SEGV_MAPERR } };

static struct mv_verdict divergence(enum mv_difference difference, struct mv_call leader, struct mv_call variant)
{
	return (struct mv_verdict){ .kind = MV_VERDICT_DIVERGENCE, .difference = difference, .variant = 1, .set = 100,
				    .leader_call = leader, .variant_call = variant };
}

static struct mv_verdict bytes_verdict(void)
{
	struct mv_verdict v = divergence(MV_DIFF_BYTES, write_call, write_call);

	v.variant_call.args[1] = 0x6f0000001000;
	v.arg = v.bytes_arg = 1;
	v.offset = 17;
	v.known = 2;
	memcpy(v.leader_bytes, "A\n", 2);
	memcpy(v.variant_bytes, "B\n", 2);
	return v;
}

static void line_is(const struct mv_verdict *v, const char *expected)
{
	char line[512];

	assert_string_equal(mv_verdict_line(v, line, sizeof(line)), expected);
}

/* ---- first lines ---- */

static void line_bytes(void **state)
{
	struct mv_verdict v = bytes_verdict();

	(void)state;
	line_is(&v, "divergence: write(1, ...): argument 2 differs at byte 17 (leader 0x41, variant 1 0x42)");
	v.known = 0;	/* compared by hash */
	line_is(&v, "divergence: write(1, ...): argument 2 differs");
	v.known = 1000;	/* must not read past the arrays */
	line_is(&v, "divergence: write(1, ...): argument 2 differs at byte 17 (leader 0x41, variant 1 0x42)");
}

static void line_argument_and_length(void **state)
{
	struct mv_verdict v = divergence(MV_DIFF_ARG, lseek_call, lseek_call);

	(void)state;
	v.arg = 1;
	v.leader_value = 0x10;
	v.variant_value = 0x20;
	line_is(&v, "divergence: lseek(3, ...): argument 2 differs (leader 0x10, variant 1 0x20)");
	v.arg = 0;
	line_is(&v, "divergence: lseek(...): argument 1 differs (leader 0x10, variant 1 0x20)");
	v = divergence(MV_DIFF_LENGTH, write_call, write_call);
	v.arg = 1;
	v.leader_value = 12;
	v.variant_value = 13;
	line_is(&v, "divergence: write(1, ...): length of argument 2 differs (leader 12, variant 1 13)");
}

static void line_call(void **state)
{
	struct mv_verdict v = divergence(MV_DIFF_NR, write_call, exit_call);

	(void)state;
	line_is(&v, "divergence: leader calls write(1, ...), variant 1 calls exit_group(0)");
	v.variant_call.nr = 0xfff;	/* no such call: not a crash */
	line_is(&v, "divergence: leader calls write(1, ...), variant 1 calls syscall_4095(...)");
}

static void line_fault(void **state)
{
	struct mv_verdict v = divergence(MV_DIFF_FAULT, write_call, write_call);

	(void)state;
	v.arg = 1;
	v.leader_value = 1;
	line_is(&v, "divergence: write(1, ...): argument 2 is readable in the leader and not in variant 1");
	v.leader_value = 0;
	v.variant_value = 1;
	line_is(&v, "divergence: write(1, ...): argument 2 is readable in variant 1 and not in the leader");
}

static void line_result(void **state)
{
	struct mv_verdict v = divergence(MV_DIFF_RESULT, mmap_call, mmap_call);

	(void)state;
	v.leader_value = 0x7f0000001000;
	v.variant_value = (uint64_t)-ENOMEM;
	line_is(&v, "divergence: mmap(...): result differs (leader 0x7f0000001000, variant 1 -ENOMEM)");
	v = divergence(MV_DIFF_RESULT, read_call, read_call);
	v.leader_value = 18;
	v.variant_value = (uint64_t)-EAGAIN;
	line_is(&v, "divergence: read(0, ...): result differs (leader 18, variant 1 -EAGAIN)");
}

static void line_absent(void **state)
{
	struct mv_verdict v = divergence(MV_DIFF_ABSENT, write_call, (struct mv_call){ 0 });

	(void)state;
	line_is(&v, "divergence: variant 1 did not arrive at write(1, ...)");
	strcpy(v.text, "killed by SIGKILL");
	line_is(&v, "divergence: variant 1 did not arrive at write(1, ...) (killed by SIGKILL)");
}

static void line_signal(void **state)
{
	struct mv_verdict v = divergence(MV_DIFF_SIGNAL, write_call, segv);

	(void)state;
	line_is(&v, "divergence: variant 1 got SIGSEGV where the leader calls write(1, ...)");
	v.difference = MV_DIFF_NR;
	line_is(&v, "divergence: variant 1 got SIGSEGV where the leader calls write(1, ...)");
	v = divergence(MV_DIFF_SIGNAL, segv, read_call);
	line_is(&v, "divergence: the leader got SIGSEGV, variant 1 calls read(0, ...)");
	v = divergence(MV_DIFF_SIGNAL, segv, segv);
	v.variant_call.args[0] = SIGILL;
	line_is(&v, "divergence: the leader got SIGSEGV, variant 1 got SIGILL");
	v = divergence(MV_DIFF_SIGNAL, segv, segv);
	v.variant_call.args[1] = SEGV_ACCERR;
	line_is(&v, "divergence: the leader got SIGSEGV with code 1, variant 1 with code 2");
}

static void line_others(void **state)
{
	struct mv_verdict v = { .kind = MV_VERDICT_UNSUPPORTED, .text = "io_uring_setup(...): not implemented" };
	char tiny[12];

	(void)state;
	line_is(&v, "unsupported: io_uring_setup(...): not implemented");
	assert_string_equal(mv_verdict_line(&v, tiny, sizeof(tiny)), "unsupported");
	v.kind = MV_VERDICT_FAILURE;
	strcpy(v.text, "odd name \033[2J\x7f");
	line_is(&v, "odd name \\x1b[2J\\x7f");
}

static void call_formats(void **state)
{
	struct mv_call open = { __NR_openat, { (uint32_t)AT_FDCWD, 0x7f0000003000, O_RDONLY | O_CLOEXEC } };
	struct mv_call kill_group = { __NR_kill, { (uint64_t)-1, SIGTERM } };
	struct mv_call dup = { __NR_fcntl, { 7, F_DUPFD, 10 } };
	char text[128];

	(void)state;
	assert_string_equal(mv_describe_call(&write_call, NULL, text, sizeof(text)), "write(1, 0x7f0000001000, 18)");
	assert_string_equal(mv_describe_call(&write_call, "puts", text, sizeof(text)), "puts(1, 0x7f0000001000, 18)");
	mv_describe_call(&open, NULL, text, sizeof(text));
	assert_int_equal(strncmp(text, "openat(AT_FDCWD, 0x7f0000003000, 0x80000,", 41), 0);
	assert_string_equal(mv_describe_call(&kill_group, NULL, text, sizeof(text)), "kill(-1, 15)");
	assert_string_equal(mv_describe_call(&dup, NULL, text, sizeof(text)), "fcntl(7, F_DUPFD, 10)");
	assert_string_equal(mv_describe_call(&segv, NULL, text, sizeof(text)), "SIGSEGV (code 1)");
	assert_string_equal(mv_describe_result(&read_call, -512, text, sizeof(text)), "-ERESTARTSYS");
	assert_string_equal(mv_describe_signal(99, text, sizeof(text)), "signal 99");
	assert_string_equal(mv_describe_call(&mmap_call, NULL, text, sizeof(text)), "mmap(0x0, 4096, 3, 34, -1, 0)");
	assert_string_equal(mv_describe_compared(&write_call, text, sizeof(text)), "write(1, ..., 18)");
	assert_string_equal(mv_describe_compared(&dup, text, sizeof(text)), "fcntl(7, F_DUPFD, 10)");
	/* The mode counts only if a file may be made. */
	assert_string_equal(mv_describe_compared(&open, text, sizeof(text)), "openat(AT_FDCWD, ..., 0x80000, ...)");
	assert_true(mv_call_arg_is_address(&write_call, 1));
	assert_true(mv_call_arg_is_address(&read_call, 1));
	assert_false(mv_call_arg_is_address(&write_call, 0));
}

/* ---- reports ---- */

static char *text_of(const struct mv_report *r, bool colour)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	mv_report_text(out, r, colour);
	fclose(out);
	return text;
}

static json_t *json_of(const struct mv_report *r)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	json_error_t err;
	json_t *o;

	assert_non_null(out);
	assert_int_equal(mv_report_json(out, r), 0);
	fclose(out);
	o = json_loads(text, 0, &err);
	if (!o)
		fail_msg("line %d: %s\n%s", err.line, err.text, text);
	free(text);
	return o;
}

static const char *string_at(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	assert_non_null(s);
	return s;
}

/* Two variants, the second with a name that is not UTF-8 and would move the cursor of a terminal. */
static struct mv_report full_report(void)
{
	struct mv_report r = { .command = strdup("./prog a"), .policy = "exec", .variants = 2,
			       .verdict = bytes_verdict(), .nsnapshots = 2 };
	unsigned i;

	r.snapshots = calloc(2, sizeof(*r.snapshots));
	assert_non_null(r.snapshots);
	for (i = 0; i < 2; i++) {
		struct mv_snapshot *s = &r.snapshots[i];
		uint64_t base = i ? 0x6f0000000000 : 0x7f0000000000;

		s->variant = i;
		s->tid = 100;
		s->host_tid = (pid_t)(100 + i);
		strcpy(s->program, "/bin/prog");
		s->regs.rip = base + 0x10;
		s->nhistory = 2;
		s->history[0] = (struct mv_history){ read_call, -EAGAIN, true, 1 };
		s->history[1] = (struct mv_history){ write_call, 0, false, 2 };
		strcpy(s->history_name[0], "read");
		s->nframes = 2;
		s->frames[0] = (struct mv_frame){ base + 0x10, strdup("put"), 0x10, strdup("/lib/libc.so.6"), 0x14010 };
		s->frames[1] = (struct mv_frame){ .pc = 0x41414141 };
		s->nregions = 3;
		s->regions = calloc(3, sizeof(*s->regions));
		assert_non_null(s->regions);
		s->regions[0] = (struct mv_region){ base, base + 0x1000, "r-xp", 0x14000, strdup("/lib/libc.so.6") };
		s->regions[1] = (struct mv_region){ base + 0x1000, base + 0x3000, "rw-p", 0x15000,
						    strdup("/lib/libc.so.6") };
		s->regions[2] = (struct mv_region){ base + 0x8000, base + 0x9000, "rw-p", 0,
						    strdup("/tmp/\xff\033[2J") };
	}
	return r;
}

static void text_full(void **state)
{
	struct mv_report r = full_report();
	char *text = text_of(&r, false);
	static const char *const parts[] = {
		"  command    ./prog a\n", "  policy     exec\n",
		"leader           17  41 0a ", "|A.|", "variant 1        17  42 0a ", "|B.|",
		"  leader     write(1, 0x7f0000001000, 18)\n",
		"  variant 1  write(1, 0x6f0000001000, 18)\n",
		"argument 2: 0x6f0000001000  in libc.so.6+0x15000 rw-p\n",
		"\nleader: thread 100 (host 100) of /bin/prog\n", "\nvariant 1: thread 100 (host 101) of /bin/prog\n",
		"    read(0, 0x7f0000002000, 4096) = -EAGAIN\n", "    write(1, 0x7f0000001000, 18) = ?\n",
		"    #0  0x7f0000000010 in put+0x10 (libc.so.6+0x14010)\n", "    #1  0x000041414141 in ??\n",
		"rip   00006f0000000010",
		"6f0000000000-6f0000003000        12K /lib/libc.so.6 r-xp rw-p\n", "/tmp/\xff\\x1b[2J rw-p\n",
	};
	static const char first[] =
		"mvarmor: divergence: write(1, ...): argument 2 differs at byte 17 (leader 0x41, variant 1 0x42)\n";
	unsigned i;

	(void)state;
	assert_memory_equal(text, first, strlen(first));
	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (!strstr(text, parts[i]))
			fail_msg("no \"%s\" in:\n%s", parts[i], text);
	assert_null(strchr(text, '\033'));
	free(text);
	text = text_of(&r, true);
	assert_memory_equal(text, "\033[1;31mmvarmor: divergence: ", strlen("\033[1;31mmvarmor: divergence: "));
	free(text);
	mv_report_free(&r);
}

/* The leader's call is known from its record only. */
static void text_and_json_of_a_forgotten_call(void **state)
{
	static const char told[] = "  leader     write(1, ..., 18)\n"
		"               as compared: it is not among the leader's last 2 calls any more\n  variant 1  write(1, 0x";
	struct mv_report r = full_report();
	json_t *o, *call, *args;
	char *text;

	(void)state;
	r.leader_call_gone = true;
	r.verdict.leader_call.args[1] = 1;
	text = text_of(&r, false);
	if (!strstr(text, told))
		fail_msg("no \"%s\" in:\n%s", told, text);
	free(text);
	o = json_of(&r);
	call = json_object_get(json_object_get(json_object_get(o, "difference"), "leader"), "call");
	assert_string_equal(string_at(call, "text"), "write(1, ..., 18)");
	args = json_object_get(call, "args");
	assert_string_equal(json_string_value(json_array_get(args, 0)), "0x1");
	assert_true(json_is_null(json_array_get(args, 1)));
	assert_string_equal(json_string_value(json_array_get(args, 2)), "0x12");
	json_decref(o);
	mv_snapshot_free(&r.snapshots[0]);
	r.snapshots[0] = r.snapshots[1];
	r.nsnapshots = 1;
	text = text_of(&r, false);
	assert_non_null(strstr(text, "as compared: the leader's thread has ended\n"));
	free(text);
	mv_report_free(&r);
}

static void text_and_json_of_little(void **state)
{
	struct mv_report r = { .variants = 2 };
	struct mv_snapshot empty = { .variant = 1 };
	unsigned kind, difference;

	(void)state;
	for (kind = MV_VERDICT_NONE; kind <= MV_VERDICT_FAILURE; kind++) {
		for (difference = 0; difference <= MV_DIFF_BREACH + 1; difference++) {
			char *text;
			json_t *o;

			r.verdict = (struct mv_verdict){ .kind = kind, .difference = difference, .variant = 1 };
			r.snapshots = NULL;
			r.nsnapshots = 0;
			text = text_of(&r, false);
			assert_memory_equal(text, "mvarmor: ", 9);
			free(text);
			r.snapshots = &empty;
			r.nsnapshots = 1;
			text = text_of(&r, false);
			assert_non_null(strstr(text, "of an unknown program"));
			free(text);
			o = json_of(&r);
			assert_string_equal(string_at(o, "kind"), mv_verdict_kind_name(kind));
			json_decref(o);
		}
	}
}

static void json_full(void **state)
{
	struct mv_report r = full_report();
	json_t *o = json_of(&r), *d, *t, *list;

	(void)state;
	assert_string_equal(string_at(o, "format"), "mvarmor-report");
	assert_string_equal(string_at(o, "kind"), "divergence");
	assert_string_equal(string_at(o, "line"),
			    "divergence: write(1, ...): argument 2 differs at byte 17 (leader 0x41, variant 1 0x42)");
	d = json_object_get(o, "difference");
	assert_string_equal(string_at(d, "kind"), "bytes");
	assert_int_equal(json_integer_value(json_object_get(d, "argument")), 2);
	assert_int_equal(json_integer_value(json_object_get(d, "offset")), 17);
	assert_int_equal(json_integer_value(json_object_get(d, "bytes_offset")), 17);
	assert_string_equal(string_at(json_object_get(d, "leader"), "bytes"), "410a");
	assert_string_equal(string_at(json_object_get(d, "other"), "bytes"), "420a");
	assert_string_equal(string_at(json_object_get(json_object_get(d, "other"), "call"), "text"),
			    "write(1, 0x6f0000001000, 18)");
	assert_int_equal(json_array_size(json_object_get(o, "threads")), 2);
	t = json_array_get(json_object_get(o, "threads"), 1);
	assert_true(json_is_false(json_object_get(t, "leader")));
	assert_string_equal(string_at(json_object_get(t, "registers"), "rip"), "0x6f0000000010");
	list = json_object_get(t, "history");
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "result")), -EAGAIN);
	assert_true(json_is_null(json_object_get(json_array_get(list, 1), "result")));
	list = json_object_get(t, "frames");
	assert_string_equal(string_at(json_array_get(list, 0), "symbol"), "put");
	assert_true(json_is_null(json_object_get(json_array_get(list, 1), "symbol")));
	list = json_object_get(t, "regions");
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(string_at(json_array_get(list, 2), "name"), "/tmp/\\xff\\x1b[2J");
	json_decref(o);
	mv_report_free(&r);
}

/* Of bytes and digits at any place; numbers, and what points into one of the variants only, are none. */
static void pointers(void **state)
{
	struct mv_report r = full_report();
	struct mv_verdict *v = &r.verdict;
	struct mv_pointer found[4];
	uint64_t a[] = { 0x7f0000000123, 5, 0x7f0000001000 }, b[] = { 0x6f0000000123, 6, 0x7f0000002000 };
	int n;

	(void)state;
	v->offset = 40;
	memcpy(v->leader_bytes, "ab", 2);
	memcpy(v->variant_bytes, "ab", 2);
	memcpy(v->leader_bytes + 2, a, sizeof(a));
	memcpy(v->variant_bytes + 2, b, sizeof(b));
	v->known = 2 + sizeof(a);
	assert_int_equal(mv_verdict_first_byte(v), 7);
	assert_int_equal(mv_report_pointers(&r, found, 4), 1);
	assert_int_equal(found[0].offset, 35);
	assert_false(found[0].digits);
	assert_int_equal(found[0].leader, a[0]);
	assert_int_equal(found[0].variant, b[0]);
	assert_ptr_equal(found[0].leader_region, &r.snapshots[0].regions[0]);
	assert_ptr_equal(found[0].variant_region, &r.snapshots[1].regions[0]);
	v->known = 9;		/* cut: no pointer any more, and nothing is read beyond */
	assert_int_equal(mv_report_pointers(&r, found, 4), 0);

	n = snprintf((char *)v->leader_bytes, 100, "0x%llx %llu 77777777 x%llX", 0x7f0000000200ULL, 0x7f0000001001ULL, 0x7f0000001ffeULL);
	snprintf((char *)v->variant_bytes, 100, "0x%llx %llu 88888888 x%llX", 0x6f0000000300ULL, 0x6f0000001001ULL, 0x6f0000001ffeULL);
	v->known = (uint32_t)n;
	v->offset = 2;
	assert_int_equal(mv_report_pointers(&r, found, 4), 3);
	assert_int_equal(found[0].offset, 2);
	assert_true(found[0].digits);
	assert_int_equal(found[0].variant, 0x6f0000000300);
	assert_int_equal(found[1].leader, 0x7f0000001001);
	assert_int_equal(found[2].leader, 0x7f0000001ffe);
	assert_int_equal(mv_report_pointers(&r, found, 1), 1);
	memset(v->leader_bytes, '7', sizeof(v->leader_bytes));	/* digits without end */
	memset(v->variant_bytes, '6', sizeof(v->variant_bytes));
	v->known = sizeof(v->leader_bytes);
	assert_int_equal(mv_report_pointers(&r, found, 4), 0);
	mv_report_free(&r);
}

static void json_to_full_disk(void **state)
{
	struct mv_report r = full_report();
	FILE *out = fopen("/dev/full", "we");

	(void)state;
	if (out) {
		assert_int_equal(mv_report_json(out, &r), -ENOSPC);
		fclose(out);
	}
	mv_report_free(&r);
	if (!out)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_bytes),
		cmocka_unit_test(line_argument_and_length),
		cmocka_unit_test(line_call),
		cmocka_unit_test(line_fault),
		cmocka_unit_test(line_result),
		cmocka_unit_test(line_absent),
		cmocka_unit_test(line_signal),
		cmocka_unit_test(line_others),
		cmocka_unit_test(call_formats),
		cmocka_unit_test(text_full),
		cmocka_unit_test(text_and_json_of_a_forgotten_call),
		cmocka_unit_test(text_and_json_of_little),
		cmocka_unit_test(json_full),
		cmocka_unit_test(pointers),
		cmocka_unit_test(json_to_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
