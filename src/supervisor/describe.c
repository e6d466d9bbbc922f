#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include "engine/table.h"
#include "supervisor/describe.h"
#include "supervisor/report.h"

#define ERRNO_MAX 4095
#define SMALL 0x10000	/* numbers below are counts, ids and small flags: decimal; above flags and addresses: hex */

/* A string that grows up to a limit. */
struct words {
	char *text;
	size_t size, len;
};

static struct words words_in(char *text, size_t size)
{
	text[0] = 0;
	return (struct words){ text, size, 0 };
}

static __attribute__((format(printf, 2, 3))) void say(struct words *w, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(w->text + w->len, w->size - w->len, format, ap);
	va_end(ap);
	if (n < 0)
		w->text[w->len] = 0;
	else
		w->len = (size_t)n < w->size - w->len ? w->len + (size_t)n : w->size - 1;
}

char *mv_describe_text(const char *in, bool ascii, char *text, size_t size)
{
	struct words w = words_in(text, size);
	const unsigned char *p;

	for (p = (const unsigned char *)in; *p; p++) {
		bool c1 = *p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;	/* some terminals obey these, too */

		if (*p < 0x20 || *p == 0x7f || c1 || (ascii && *p >= 0x80))
			say(&w, "\\x%02x", *p);
		else
			say(&w, "%c", *p);
	}
	return text;
}

char *mv_describe_signal(uint64_t sig, char *text, size_t size)
{
	struct words w = words_in(text, size);
	const char *name = sig < NSIG ? sigabbrev_np((int)sig) : NULL;

	if (name)
		say(&w, "SIG%s", name);
	else if (sig >= (uint64_t)SIGRTMIN && sig <= (uint64_t)SIGRTMAX)
		say(&w, "SIGRTMIN+%u", (unsigned)sig - (unsigned)SIGRTMIN);
	else
		say(&w, "signal %llu", (unsigned long long)sig);
	return text;
}

/* ---- what the table knows ---- */

static const struct mv_desc *row_of(const struct mv_call *call)
{
	const struct mv_desc *d;
	unsigned i;

	if (call->nr < MV_TABLE_SIZE)
		d = &mv_table[call->nr];
	else if (call->nr >= MV_PSEUDO_BASE && call->nr < MV_PSEUDO_END)
		d = &mv_pseudo_table[call->nr - MV_PSEUDO_BASE];
	else
		return NULL;
	if (d->cls == MV_CLASS_NONE || !d->name)
		return NULL;
	if (d->sel_arg < MV_NARGS) {
		uint32_t selector = (uint32_t)call->args[d->sel_arg];

		for (i = 0; i < d->nsubs; i++)
			if (selector >= d->subs[i].selector && selector <= d->subs[i].selector_last)
				return &d->subs[i];
	}
	return d;
}

static bool holds(const struct mv_operand *o, const struct mv_call *call)
{
	uint64_t value = o->cond_arg < MV_NARGS ? call->args[o->cond_arg] : 0;

	switch (o->cond) {
	case MV_COND_ANY:
		return value & o->cond_mask;
	case MV_COND_NONE:
		return !(value & o->cond_mask);
	case MV_COND_EQ:
		return (uint32_t)value == o->cond_mask;
	default:
		return true;
	}
}

/* What argument arg is in this call; MV_KIND_IGN if the table does not say. */
static enum mv_kind kind_of(const struct mv_desc *d, const struct mv_call *call, unsigned arg)
{
	enum mv_kind otherwise = MV_KIND_IGN;
	unsigned i;

	if (!d)
		return MV_KIND_IGN;
	for (i = 0; i < d->nin; i++) {
		const struct mv_operand *o = &d->in[i];

		if (o->arg != arg || o->kind == MV_KIND_IGN)
			continue;
		if (holds(o, call))
			return o->kind;
		otherwise = o->kind;	/* not looked at in this call, but what it looks like is known */
	}
	for (i = 0; i < d->nout; i++)
		if (d->out[i].arg == arg)
			return MV_KIND_PTR;
	return otherwise;
}

static bool is_small(enum mv_kind kind)
{
	return kind == MV_KIND_U32 || kind == MV_KIND_FD || kind == MV_KIND_DFD;
}

static bool is_scalar(enum mv_kind kind)
{
	return kind == MV_KIND_IGN || kind == MV_KIND_U64 || is_small(kind);
}

unsigned mv_call_nargs(const struct mv_call *call)
{
	const struct mv_desc *d = row_of(call);

	return d && d->nargs <= MV_NARGS ? d->nargs : MV_NARGS;
}

bool mv_call_arg_is_address(const struct mv_call *call, unsigned arg)
{
	return !is_scalar(kind_of(row_of(call), call, arg));
}

/* ---- calls ---- */

static void say_number(struct words *w, int64_t value, uint64_t bits)
{
	if (value > -SMALL && value < SMALL)
		say(w, "%lld", (long long)value);
	else
		say(w, "0x%llx", (unsigned long long)bits);
}

static void say_argument(struct words *w, enum mv_kind kind, uint64_t value)
{
	switch (kind) {
	case MV_KIND_DFD:
		if ((int32_t)value == AT_FDCWD) {
			say(w, "AT_FDCWD");
			break;
		}
		/* fall through */
	case MV_KIND_FD:
		say(w, "%d", (int32_t)value);
		break;
	case MV_KIND_U32:
		say_number(w, (int32_t)value, (uint32_t)value);
		break;
	case MV_KIND_U64:
	case MV_KIND_IGN:
		say_number(w, (int64_t)value, value);
		break;
	default:
		say(w, "0x%llx", (unsigned long long)value);
	}
}

/* "fcntl(F_GETFL)" is fcntl with its selector: the selector's name takes the place of that argument. */
static void say_call(struct words *w, const struct mv_call *call, const char *name, bool brief, unsigned stop)
{
	const struct mv_desc *d = row_of(call);
	unsigned i, nargs = mv_call_nargs(call), sel = MV_NARGS;
	const char *paren;
	char number[32], sig[32];

	if (call->nr == MV_PSEUDO_FAULT) {
		say(w, "%s (code %d)", mv_describe_signal(call->args[0], sig, sizeof(sig)), (int32_t)call->args[1]);
		return;
	}
	if (!name || !*name)
		name = mv_call_name(call);
	if (!d) {
		snprintf(number, sizeof(number), "syscall_%u", call->nr);
		name = number;
	}
	paren = strchr(name, '(');
	if (paren && call->nr < MV_TABLE_SIZE)
		sel = mv_table[call->nr].sel_arg;
	say(w, "%.*s(", paren ? (int)(paren - name) : (int)strlen(name), name);
	for (i = 0; i < nargs; i++) {
		enum mv_kind kind = kind_of(d, call, i);

		if (i)
			say(w, ", ");
		if (brief && (i >= stop || (i != sel && !is_small(kind)))) {
			say(w, "...");
			break;
		}
		if (i == sel)
			say(w, "%.*s", (int)strcspn(paren + 1, ")"), paren + 1);
		else
			say_argument(w, kind, call->args[i]);
	}
	say(w, ")");
}

char *mv_describe_call(const struct mv_call *call, const char *name, char *text, size_t size)
{
	struct words w = words_in(text, size);

	say_call(&w, call, name, false, MV_NARGS);
	return text;
}

char *mv_describe_brief(const struct mv_call *call, unsigned stop, char *text, size_t size)
{
	struct words w = words_in(text, size);

	say_call(&w, call, NULL, true, stop);
	return text;
}

/* Codes the kernel keeps to itself, and so does libc; a history may show them. */
static const char *restart_name(int code)
{
	switch (code) {
	case 512: return "ERESTARTSYS";
	case 513: return "ERESTARTNOINTR";
	case 514: return "ERESTARTNOHAND";
	case 516: return "ERESTART_RESTARTBLOCK";
	default: return NULL;
	}
}

char *mv_describe_result(const struct mv_call *call, int64_t result, char *text, size_t size)
{
	struct words w = words_in(text, size);
	const struct mv_desc *d = row_of(call);

	if (result < 0 && result >= -ERRNO_MAX) {
		const char *name = strerrorname_np((int)-result);

		if (!name)
			name = restart_name((int)-result);
		if (name)
			say(&w, "-%s", name);
		else
			say(&w, "%lld", (long long)result);
	} else if (d && d->ret == MV_RET_ADDR) {
		say(&w, "0x%llx", (unsigned long long)result);
	} else {
		say_number(&w, result, (uint64_t)result);
	}
	return text;
}

/* ---- verdicts ---- */

const char *mv_verdict_kind_name(uint32_t kind)
{
	static const char *const names[] = {
		[MV_VERDICT_NONE] = "none",
		[MV_VERDICT_DIVERGENCE] = "divergence",
		[MV_VERDICT_UNSUPPORTED] = "unsupported",
		[MV_VERDICT_FAILURE] = "failure",
	};

	return kind < sizeof(names) / sizeof(*names) ? names[kind] : "unknown";
}

const char *mv_difference_name(uint32_t difference)
{
	static const char *const names[] = {
		[MV_DIFF_NR] = "call",
		[MV_DIFF_ARG] = "argument",
		[MV_DIFF_BYTES] = "bytes",
		[MV_DIFF_LENGTH] = "length",
		[MV_DIFF_FAULT] = "fault",
		[MV_DIFF_RESULT] = "result",
		[MV_DIFF_ABSENT] = "absent",
		[MV_DIFF_SIGNAL] = "signal",
		[MV_DIFF_BREACH] = "breach",
	};

	return difference < sizeof(names) / sizeof(*names) ? names[difference] : "unknown";
}

unsigned mv_verdict_first_byte(const struct mv_verdict *v)
{
	unsigned i, known = v->known < sizeof(v->leader_bytes) ? v->known : (unsigned)sizeof(v->leader_bytes);

	for (i = 0; i < known && v->leader_bytes[i] == v->variant_bytes[i]; i++)
		;
	return i;
}

static void say_signal(struct words *w, const struct mv_verdict *v)
{
	const struct mv_call *l = &v->leader_call, *o = &v->variant_call;
	char a[160], b[160];

	if (l->nr == MV_PSEUDO_FAULT && o->nr == MV_PSEUDO_FAULT) {
		mv_describe_signal(l->args[0], a, sizeof(a));
		mv_describe_signal(o->args[0], b, sizeof(b));
		if (l->args[0] != o->args[0])
			say(w, "the leader got %s, variant %u got %s", a, v->variant, b);
		else
			say(w, "the leader got %s with code %d, variant %u with code %d", a, (int32_t)l->args[1],
			    v->variant, (int32_t)o->args[1]);
	} else if (l->nr == MV_PSEUDO_FAULT) {
		say(w, "the leader got %s, variant %u calls %s", mv_describe_signal(l->args[0], a, sizeof(a)),
		    v->variant, mv_describe_brief(o, MV_NARGS, b, sizeof(b)));
	} else {
		say(w, "variant %u got %s where the leader calls %s", v->variant,
		    mv_describe_signal(o->args[0], a, sizeof(a)), mv_describe_brief(l, MV_NARGS, b, sizeof(b)));
	}
}

static void say_bytes(struct words *w, const struct mv_verdict *v)
{
	unsigned i = mv_verdict_first_byte(v);

	say(w, "argument %u differs", v->arg + 1);
	/* Long inputs are compared by hash: then it is not known where. */
	if (i < v->known && i < sizeof(v->leader_bytes))
		say(w, " at byte %llu (leader 0x%02x, variant %u 0x%02x)", (unsigned long long)v->offset,
		    v->leader_bytes[i], v->variant, v->variant_bytes[i]);
}

static void say_divergence(struct words *w, const struct mv_verdict *v)
{
	const struct mv_call *call = &v->leader_call;
	unsigned long long l = v->leader_value, o = v->variant_value;
	char a[160], b[160], text[sizeof(v->text) * 4];

	if (v->difference == MV_DIFF_BREACH) {
		say(w, "%s", mv_describe_text(v->text, false, text, sizeof(text)));
		return;
	}
	if (v->difference == MV_DIFF_SIGNAL ||
	    (v->difference == MV_DIFF_NR && (call->nr == MV_PSEUDO_FAULT || v->variant_call.nr == MV_PSEUDO_FAULT))) {
		say_signal(w, v);
		return;
	}
	mv_describe_brief(call, v->difference == MV_DIFF_ARG ? v->arg : MV_NARGS, a, sizeof(a));
	switch (v->difference) {
	case MV_DIFF_NR:
		say(w, "leader calls %s, variant %u calls %s", a, v->variant,
		    mv_describe_brief(&v->variant_call, MV_NARGS, b, sizeof(b)));
		return;
	case MV_DIFF_ABSENT:
		say(w, "variant %u did not arrive at %s", v->variant, a);
		if (v->text[0])
			say(w, " (%s)", mv_describe_text(v->text, false, text, sizeof(text)));
		return;
	default:
		break;
	}
	say(w, "%s: ", a);
	switch (v->difference) {
	case MV_DIFF_BYTES:
		say_bytes(w, v);
		break;
	case MV_DIFF_ARG:
		say(w, "argument %u differs (leader 0x%llx, variant %u 0x%llx)", v->arg + 1, l, v->variant, o);
		break;
	case MV_DIFF_LENGTH:
		say(w, "length of argument %u differs (leader %llu, variant %u %llu)", v->arg + 1, l, v->variant, o);
		break;
	case MV_DIFF_FAULT:
		if (l)
			say(w, "argument %u is readable in the leader and not in variant %u", v->arg + 1, v->variant);
		else
			say(w, "argument %u is readable in variant %u and not in the leader", v->arg + 1, v->variant);
		break;
	case MV_DIFF_RESULT:
		say(w, "result differs (leader %s, variant %u %s)", mv_describe_result(call, (int64_t)l, a, sizeof(a)),
		    v->variant, mv_describe_result(call, (int64_t)o, b, sizeof(b)));
		break;
	default:
		say(w, "variant %u differs", v->variant);
	}
}

char *mv_verdict_line(const struct mv_verdict *v, char *text, size_t size)
{
	struct words w = words_in(text, size);
	char clean[sizeof(v->text) * 4];

	mv_describe_text(v->text, false, clean, sizeof(clean));
	switch (v->kind) {
	case MV_VERDICT_DIVERGENCE:
		say(&w, "divergence: ");
		say_divergence(&w, v);
		break;
	case MV_VERDICT_UNSUPPORTED:
		say(&w, "unsupported: %s", clean);
		break;
	case MV_VERDICT_FAILURE:
		say(&w, "%s", clean);
		break;
	default:
		say(&w, "no verdict");
	}
	return text;
}
