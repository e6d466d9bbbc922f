/* The report for people. */
#include <string.h>
#include "engine/table.h"
#include "supervisor/describe.h"
#include "supervisor/report.h"
#include "supervisor/verdict.h"

#define SHOWN 16	/* bytes of what differs */

struct page {
	FILE *out;
	const struct mv_report *r;
	bool colour;
};

static const char *clean(const char *in, char *text, size_t size)
{
	return in ? mv_describe_text(in, false, text, size) : "";
}

static void heading(const struct page *p, const char *text)
{
	fprintf(p->out, p->colour ? "\n\033[1m%s\033[0m\n" : "\n%s\n", text);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return path[0] == '/' && slash[1] ? slash + 1 : path;
}

/* ---- variants ---- */

static bool is_leader(const struct mv_report *r, const struct mv_snapshot *s)
{
	return s->variant == r->leader;
}

static void variant_heading(const struct page *p, const struct mv_snapshot *s)
{
	char name[32], text[1200], program[1024];

	if (is_leader(p->r, s))
		snprintf(name, sizeof(name), "leader");
	else
		snprintf(name, sizeof(name), "variant %u", s->variant);
	snprintf(text, sizeof(text), "%s: thread %u (host %d) of %s", name, s->tid, s->host_tid,
		 s->program[0] ? clean(s->program, program, sizeof(program)) : "an unknown program");
	heading(p, text);
}

/* ---- what differs ---- */

static void in_region(const struct page *p, const struct mv_region *r, uint64_t address)
{
	char name[1024];
	uint64_t offset = address - r->start;

	if (r->name && r->name[0] == '/')
		offset += r->offset;
	fprintf(p->out, "  in %s+0x%llx %s", r->name ? base_name(clean(r->name, name, sizeof(name))) : "anonymous memory",
		(unsigned long long)offset, r->perms);
}

static void dump(const struct page *p, const char *who, uint64_t offset, const uint8_t *bytes, unsigned known)
{
	unsigned i;

	fprintf(p->out, "  %-10s %8llu  ", who, (unsigned long long)offset);
	for (i = 0; i < SHOWN; i++) {
		if (i < known)
			fprintf(p->out, "%02x ", bytes[i]);
		else
			fputs("   ", p->out);
	}
	fputs(" |", p->out);
	for (i = 0; i < known; i++)
		fputc(bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : '.', p->out);
	fputs("|\n", p->out);
}

static void pointers(const struct page *p, const char *name)
{
	struct mv_pointer found[MV_POINTERS_MAX];
	unsigned i, n = mv_report_pointers(p->r, found, MV_POINTERS_MAX);

	for (i = 0; i < n; i++) {
		const struct mv_pointer *q = &found[i];

		if (q->is_arg)
			fprintf(p->out, "  argument %u is a pointer\n", q->arg + 1);
		else
			fprintf(p->out, "  behind argument %u, at byte %llu: a pointer%s\n", q->arg + 1, (unsigned long long)q->offset,
				q->digits ? " in digits" : "");
		fprintf(p->out, "  %-10s   0x%llx", "leader", (unsigned long long)q->leader);
		if (q->leader_region)
			in_region(p, q->leader_region, q->leader);
		fprintf(p->out, "\n  %-10s   0x%llx", name, (unsigned long long)q->variant);
		in_region(p, q->variant_region, q->variant);
		fputc('\n', p->out);
	}
}

static void difference(const struct page *p)
{
	const struct mv_verdict *v = &p->r->verdict;
	unsigned known = v->known < sizeof(v->leader_bytes) ? v->known : (unsigned)sizeof(v->leader_bytes);
	unsigned first = mv_verdict_first_byte(v);
	char name[32], a[160], b[160];

	snprintf(name, sizeof(name), "variant %u", v->variant);
	heading(p, "what differs");
	switch (v->difference) {
	case MV_DIFF_ARG:
	case MV_DIFF_LENGTH:
	case MV_DIFF_RESULT:
		snprintf(a, sizeof(a), "0x%llx", (unsigned long long)v->leader_value);
		snprintf(b, sizeof(b), "0x%llx", (unsigned long long)v->variant_value);
		if (v->difference == MV_DIFF_RESULT) {
			mv_describe_result(&v->leader_call, (int64_t)v->leader_value, a, sizeof(a));
			mv_describe_result(&v->leader_call, (int64_t)v->variant_value, b, sizeof(b));
		}
		fprintf(p->out, "  %-10s %22s  (%lld)\n", "leader", a, (long long)v->leader_value);
		fprintf(p->out, "  %-10s %22s  (%lld)\n", name, b, (long long)v->variant_value);
		break;
	case MV_DIFF_BYTES:
		if (!known)
			fprintf(p->out, "  the bytes behind argument %u; they are too long to have been kept\n",
				v->arg + 1);
		break;
	case MV_DIFF_FAULT:
		fprintf(p->out, "  whether the memory behind argument %u can be read\n", v->arg + 1);
		break;
	case MV_DIFF_ABSENT:
		fprintf(p->out, "  %s made no call in time, or has ended\n", name);
		break;
	default:
		fprintf(p->out, "  which call is made\n");
	}
	if (known > first) {
		unsigned shown = known - first < SHOWN ? known - first : SHOWN;

		dump(p, "leader", v->offset, v->leader_bytes + first, shown);
		dump(p, name, v->offset, v->variant_bytes + first, shown);
	}
	pointers(p, name);
}

/* ---- calls ---- */

static void where(const struct page *p, const struct mv_snapshot *s, uint64_t address)
{
	const struct mv_region *r = mv_region_at(s, address);

	if (!address || !s || !s->nregions)
		return;
	if (r)
		in_region(p, r, address);
	else
		fputs("  not mapped", p->out);
}

static void one_call(const struct page *p, const char *who, const struct mv_call *call, const struct mv_snapshot *s)
{
	char text[256];
	unsigned i, nargs = mv_call_nargs(call);

	fprintf(p->out, "  %-10s %s\n", who, mv_describe_call(call, NULL, text, sizeof(text)));
	if (call->nr >= MV_TABLE_SIZE)
		return;
	for (i = 0; i < nargs; i++) {
		if (!mv_call_arg_is_address(call, i) || !call->args[i])
			continue;
		fprintf(p->out, "  %-10s   argument %u: 0x%llx", "", i + 1, (unsigned long long)call->args[i]);
		where(p, s, call->args[i]);
		fputc('\n', p->out);
	}
}

/* What its record in the stream holds. */
static void forgotten_call(const struct page *p, const struct mv_call *call)
{
	const struct mv_snapshot *leader = mv_report_snapshot(p->r, p->r->leader);
	char text[256];

	fprintf(p->out, "  %-10s %s\n", "leader", mv_describe_compared(call, text, sizeof(text)));
	if (leader)
		fprintf(p->out, "  %-10s   as compared: it is not among the leader's last %u calls any more\n", "",
			leader->nhistory);
	else
		fprintf(p->out, "  %-10s   as compared: the leader's thread has ended\n", "");
}

static void calls(const struct page *p)
{
	const struct mv_verdict *v = &p->r->verdict;
	char name[32];

	snprintf(name, sizeof(name), "variant %u", v->variant);
	heading(p, "calls");
	if (p->r->leader_call_gone)
		forgotten_call(p, &v->leader_call);
	else
		one_call(p, "leader", &v->leader_call, mv_report_snapshot(p->r, p->r->leader));
	if (v->difference == MV_DIFF_ABSENT)
		fprintf(p->out, "  %-10s did not arrive\n", name);
	else
		one_call(p, name, &v->variant_call, mv_report_snapshot(p->r, p->r->verdict.variant));
}

/* ---- one thread ---- */

static void history(const struct page *p, const struct mv_snapshot *s)
{
	unsigned i, n = s->nhistory < MV_HISTORY_MAX ? s->nhistory : MV_HISTORY_MAX;
	char text[256], result[64];

	if (!n)
		return;
	fprintf(p->out, "  last calls\n");
	for (i = 0; i < n; i++) {
		const struct mv_history *h = &s->history[i];

		mv_describe_call(&h->call, s->history_name[i], text, sizeof(text));
		fprintf(p->out, "    %s = %s\n", text,
			h->done ? mv_describe_result(&h->call, h->result, result, sizeof(result)) : "?");
	}
}

static void frames(const struct page *p, const struct mv_snapshot *s)
{
	unsigned i;
	char text[1024];

	if (!s->nframes)
		return;
	fprintf(p->out, "  backtrace\n");
	for (i = 0; i < s->nframes; i++) {
		const struct mv_frame *f = &s->frames[i];

		fprintf(p->out, "    #%-2u 0x%012llx in ", i, (unsigned long long)f->pc);
		if (f->symbol)
			fprintf(p->out, "%s+0x%llx", clean(f->symbol, text, sizeof(text)),
				(unsigned long long)f->offset);
		else
			fputs("??", p->out);
		if (f->module)
			fprintf(p->out, " (%s+0x%llx)", base_name(clean(f->module, text, sizeof(text))),
				(unsigned long long)f->module_offset);
		fputc('\n', p->out);
	}
}

static void registers(const struct page *p, const struct mv_snapshot *s)
{
	const struct user_regs_struct *r = &s->regs;
	const struct { const char *name; unsigned long long value; } list[] = {
		{ "rip", r->rip }, { "rsp", r->rsp }, { "rbp", r->rbp }, { "flags", r->eflags },
		{ "rax", r->rax }, { "rbx", r->rbx }, { "rcx", r->rcx }, { "rdx", r->rdx },
		{ "rsi", r->rsi }, { "rdi", r->rdi }, { "r8", r->r8 }, { "r9", r->r9 },
		{ "r10", r->r10 }, { "r11", r->r11 }, { "r12", r->r12 }, { "r13", r->r13 },
		{ "r14", r->r14 }, { "r15", r->r15 }, { "fs", r->fs_base }, { "call", r->orig_rax },
	};
	unsigned i;

	if (!r->rip && !r->rsp)
		return;
	fprintf(p->out, "  registers\n");
	for (i = 0; i < sizeof(list) / sizeof(*list); i++)
		fprintf(p->out, "%s%-5s %016llx%s", i % 4 ? "  " : "    ", list[i].name, list[i].value,
			i % 4 == 3 ? "\n" : "");
}

/* Mappings of one name that follow each other are one line; what is between them shows as a gap in the addresses. */
static void regions(const struct page *p, const struct mv_snapshot *s)
{
	unsigned i, j;
	char text[1024];

	if (!s->nregions)
		return;
	fprintf(p->out, "  memory\n");
	for (i = 0; i < s->nregions; i = j) {
		const char *name = s->regions[i].name ? s->regions[i].name : "";

		for (j = i + 1; j < s->nregions && !strcmp(s->regions[j].name ? s->regions[j].name : "", name) &&
				s->regions[j].start == s->regions[j - 1].end; j++)
			;
		fprintf(p->out, "    %012llx-%012llx %9lluK %s", (unsigned long long)s->regions[i].start,
			(unsigned long long)s->regions[j - 1].end,
			(unsigned long long)(s->regions[j - 1].end - s->regions[i].start) / 1024,
			*name ? clean(name, text, sizeof(text)) : "anonymous");
		for (; i < j; i++)
			fprintf(p->out, " %s", s->regions[i].perms);
		fputc('\n', p->out);
	}
}

/* ---- other builds ---- */

static void lines(const struct page *p, const char *title, const char *text)
{
	char line[1024], shown[4096];

	if (!text)
		return;
	heading(p, title);
	for (; *text; text += *text == '\n') {
		size_t n = strcspn(text, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)(n < sizeof(line) ? n : sizeof(line) - 1), text);
		fprintf(p->out, "  %s\n", clean(line, shown, sizeof(shown)));
		text += n;
	}
}

/* ---- public ---- */

void mv_report_text(FILE *out, const struct mv_report *r, bool colour)
{
	const struct page p = { out, r, colour };
	const struct mv_snapshot *s;
	char line[1024];

	mv_verdict_line(&r->verdict, line, sizeof(line));
	fprintf(out, colour ? "\033[1;31mmvarmor: %s\033[0m\n" : "mvarmor: %s\n", line);
	if (r->command)
		fprintf(out, "  command    %s\n", clean(r->command, line, sizeof(line)));
	fprintf(out, "  variants   %u\n", r->variants);
	if (r->policy[0])
		fprintf(out, "  policy     %s\n", clean(r->policy, line, sizeof(line)));
	if (r->number && r->succeeded)
		fprintf(out, "  divergence %u of this run, which goes on without the leader (variant %u): variant %u leads now\n",
			r->number, r->leader, r->verdict.variant);
	else if (r->number && r->dropped)
		fprintf(out, "  divergence %u of this run, which goes on without variant %u\n", r->number, r->verdict.variant);
	else if (r->number)
		fprintf(out, "  divergence %u of this run, which ends\n", r->number);
	if (r->hint)
		fprintf(out, "  hint       %s\n", r->hint);
	lines(&p, "what the variant reports", r->words);
	lines(&p, "rules for other builds", r->rules);
	if (r->verdict.kind == MV_VERDICT_DIVERGENCE && r->verdict.difference != MV_DIFF_BREACH &&
	    r->verdict.difference != MV_DIFF_ORDER && r->verdict.difference != MV_DIFF_REPORT) {
		difference(&p);
		calls(&p);
	}
	for (s = r->snapshots; s < r->snapshots + r->nsnapshots; s++) {
		variant_heading(&p, s);
		history(&p, s);
		frames(&p, s);
		registers(&p, s);
		regions(&p, s);
	}
	fflush(out);
}
