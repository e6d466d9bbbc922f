/* The report for programs; docs/report-format.md describes it. */
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include "engine/table.h"
#include "supervisor/describe.h"
#include "supervisor/report.h"
#include "supervisor/verdict.h"

#define SHOWN 16	/* bytes of what differs */
#define FORMAT "mvarmor-report"
#define FORMAT_VERSION 1

/* Memory may run out at every step: the first failure is kept here, so that it is looked at once, at the end. */
struct builder {
	bool failed;
};

static void set(struct builder *b, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		b->failed = true;
}

static void append(struct builder *b, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) < 0)
		b->failed = true;
}

/* A string from outside need not be UTF-8; then its odd bytes are written as \xNN. */
static json_t *string_value(const char *text)
{
	json_t *value = json_string(text);
	char clean[4096];

	return value ? value : json_string(mv_describe_text(text, true, clean, sizeof(clean)));
}

static json_t *string_or_null(const char *text)
{
	return text && *text ? string_value(text) : json_null();
}

/* 64-bit values are strings: a JSON number loses what is above 2^53 in most readers. */
static json_t *hex_value(uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
	return json_string(text);
}

static json_t *bytes_value(const uint8_t *bytes, unsigned n)
{
	char text[64] = "";
	unsigned i;

	for (i = 0; i < n && i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_string(text);
}

static json_t *region_value(struct builder *b, const struct mv_region *r)
{
	json_t *o = json_object();

	set(b, o, "start", hex_value(r->start));
	set(b, o, "end", hex_value(r->end));
	set(b, o, "perms", json_string(r->perms));
	set(b, o, "offset", hex_value(r->offset));
	set(b, o, "name", string_or_null(r->name));
	return o;
}

/* compared: only what the record in the stream holds is known. */
static json_t *call_value(struct builder *b, const struct mv_call *call, const char *name, bool compared)
{
	json_t *o = json_object(), *args = json_array();
	unsigned i, nargs = mv_call_nargs(call);
	char text[256];

	if (compared)
		mv_describe_compared(call, text, sizeof(text));
	else
		mv_describe_call(call, name, text, sizeof(text));

	set(b, o, "name", string_value(name && *name ? name : mv_call_name(call)));
	set(b, o, "nr", json_integer(call->nr));
	for (i = 0; i < nargs; i++)
		append(b, args, compared && !mv_call_arg_is_compared(call, i) ? json_null() : hex_value(call->args[i]));
	set(b, o, "args", args);
	set(b, o, "text", string_value(text));
	return o;
}

static json_t *side_value(struct builder *b, json_t *call, uint64_t value, const uint8_t *bytes, unsigned known)
{
	json_t *o = json_object();

	set(b, o, "value", hex_value(value));
	set(b, o, "bytes", bytes_value(bytes, known));
	set(b, o, "call", call);
	return o;
}

static json_t *pointer_value(struct builder *b, uint64_t value, const struct mv_region *r)
{
	json_t *o = json_object();

	set(b, o, "value", hex_value(value));
	set(b, o, "region", r ? region_value(b, r) : json_null());
	return o;
}

static json_t *pointers_value(struct builder *b, const struct mv_report *r)
{
	struct mv_pointer found[MV_POINTERS_MAX];
	unsigned i, n = mv_report_pointers(r, found, MV_POINTERS_MAX);
	json_t *list = json_array();

	for (i = 0; i < n; i++) {
		json_t *o = json_object();

		set(b, o, "argument", json_integer(found[i].arg + 1));
		set(b, o, "offset", found[i].is_arg ? json_null() : json_integer((json_int_t)found[i].offset));
		set(b, o, "digits", json_boolean(found[i].digits));
		set(b, o, "leader", pointer_value(b, found[i].leader, found[i].leader_region));
		set(b, o, "other", pointer_value(b, found[i].variant, found[i].variant_region));
		append(b, list, o);
	}
	return list;
}

static json_t *difference_value(struct builder *b, const struct mv_report *r)
{
	const struct mv_verdict *v = &r->verdict;
	json_t *leader = call_value(b, &v->leader_call, NULL, r->leader_call_gone);
	json_t *other = call_value(b, &v->variant_call, NULL, false);
	json_t *o = json_object();
	unsigned first = mv_verdict_first_byte(v), known = v->known > first ? v->known - first : 0;

	if (known > SHOWN)
		known = SHOWN;
	set(b, o, "kind", json_string(mv_difference_name(v->difference)));
	set(b, o, "variant", json_integer(v->variant));
	set(b, o, "thread", json_integer(v->set));
	set(b, o, "argument", json_integer(v->arg + 1));
	set(b, o, "offset", json_integer((json_int_t)v->offset));
	set(b, o, "bytes_offset", json_integer((json_int_t)v->offset));
	set(b, o, "leader", side_value(b, leader, v->leader_value, v->leader_bytes + first, known));
	set(b, o, "other", side_value(b, other, v->variant_value, v->variant_bytes + first, known));
	set(b, o, "pointers", pointers_value(b, r));
	return o;
}

static json_t *registers_value(struct builder *b, const struct user_regs_struct *r)
{
	const struct { const char *name; uint64_t value; } list[] = {
		{ "rip", r->rip }, { "rsp", r->rsp }, { "rbp", r->rbp }, { "rflags", r->eflags },
		{ "rax", r->rax }, { "rbx", r->rbx }, { "rcx", r->rcx }, { "rdx", r->rdx },
		{ "rsi", r->rsi }, { "rdi", r->rdi }, { "r8", r->r8 }, { "r9", r->r9 },
		{ "r10", r->r10 }, { "r11", r->r11 }, { "r12", r->r12 }, { "r13", r->r13 },
		{ "r14", r->r14 }, { "r15", r->r15 }, { "fs_base", r->fs_base }, { "gs_base", r->gs_base },
		{ "orig_rax", r->orig_rax },
	};
	json_t *o = json_object();
	unsigned i;

	for (i = 0; i < sizeof(list) / sizeof(*list); i++)
		set(b, o, list[i].name, hex_value(list[i].value));
	return o;
}

static json_t *history_value(struct builder *b, const struct mv_snapshot *s)
{
	json_t *list = json_array();
	unsigned i, n = s->nhistory < MV_HISTORY_MAX ? s->nhistory : MV_HISTORY_MAX;
	char text[64];

	for (i = 0; i < n; i++) {
		const struct mv_history *h = &s->history[i];
		json_t *o = call_value(b, &h->call, s->history_name[i], false);

		if (h->done) {
			set(b, o, "result", json_integer(h->result));
			mv_describe_result(&h->call, h->result, text, sizeof(text));
			set(b, o, "result_text", json_string(text));
		} else {
			set(b, o, "result", json_null());
		}
		append(b, list, o);
	}
	return list;
}

static json_t *frames_value(struct builder *b, const struct mv_snapshot *s)
{
	json_t *list = json_array();
	unsigned i;

	for (i = 0; i < s->nframes; i++) {
		const struct mv_frame *f = &s->frames[i];
		json_t *o = json_object();

		set(b, o, "pc", hex_value(f->pc));
		set(b, o, "symbol", string_or_null(f->symbol));
		set(b, o, "offset", hex_value(f->offset));
		set(b, o, "module", string_or_null(f->module));
		set(b, o, "module_offset", hex_value(f->module_offset));
		append(b, list, o);
	}
	return list;
}

static json_t *regions_value(struct builder *b, const struct mv_snapshot *s)
{
	json_t *list = json_array();
	unsigned i;

	for (i = 0; i < s->nregions; i++)
		append(b, list, region_value(b, &s->regions[i]));
	return list;
}

static json_t *thread_value(struct builder *b, const struct mv_report *r, const struct mv_snapshot *s)
{
	json_t *o = json_object();

	set(b, o, "variant", json_integer(s->variant));
	set(b, o, "leader", json_boolean(s->variant == r->leader));
	set(b, o, "tid", json_integer(s->tid));
	set(b, o, "host_tid", json_integer(s->host_tid));
	set(b, o, "program", string_or_null(s->program));
	set(b, o, "registers", registers_value(b, &s->regs));
	set(b, o, "history", history_value(b, s));
	set(b, o, "frames", frames_value(b, s));
	set(b, o, "regions", regions_value(b, s));
	return o;
}

static json_t *report_value(struct builder *b, const struct mv_report *r)
{
	json_t *o = json_object(), *threads = json_array();
	const struct mv_verdict *v = &r->verdict;
	char line[1024];
	unsigned i;

	set(b, o, "format", json_string(FORMAT));
	set(b, o, "version", json_integer(FORMAT_VERSION));
	set(b, o, "mvarmor", json_string(MV_VERSION));
	set(b, o, "kind", json_string(mv_verdict_kind_name(v->kind)));
	set(b, o, "line", string_value(mv_verdict_line(v, line, sizeof(line))));
	set(b, o, "text", string_or_null(v->text));
	set(b, o, "command", string_or_null(r->command));
	set(b, o, "report", string_or_null(r->words));
	set(b, o, "rules", string_or_null(r->rules));
	set(b, o, "hint", string_or_null(r->hint));
	set(b, o, "policy", string_or_null(r->policy));
	set(b, o, "variants", json_integer(r->variants));
	if (r->number) {
		set(b, o, "number", json_integer(r->number));
		set(b, o, "dropped", json_boolean(r->dropped));
		if (r->succeeded)
			set(b, o, "leads", json_integer(r->verdict.variant));
	}
	set(b, o, "difference", v->kind == MV_VERDICT_DIVERGENCE ? difference_value(b, r) : json_null());
	for (i = 0; i < r->nsnapshots; i++)
		append(b, threads, thread_value(b, r, &r->snapshots[i]));
	set(b, o, "threads", threads);
	return o;
}

int mv_report_json(FILE *out, const struct mv_report *r)
{
	struct builder b = { false };
	json_t *o = report_value(&b, r);
	int err = 0;

	if (b.failed)
		err = -ENOMEM;
	else if (json_dumpf(o, out, JSON_INDENT(1)) < 0 || fputc('\n', out) == EOF || fflush(out) == EOF)
		err = errno ? -errno : -EIO;
	json_decref(o);
	return err;
}
