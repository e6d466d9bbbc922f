#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "engine/table.h"
#include "supervisor/describe.h"
#include "supervisor/words.h"

#define ERRNO_MAX 4095
#define SMALL 0x10000	/* numbers below are counts, ids and small flags: decimal; above flags and addresses: hex */

char *mv_describe_text(const char *in, bool ascii, char *text, size_t size)
{
	struct mv_words w = mv_words_in(text, size);
	const unsigned char *p;

	for (p = (const unsigned char *)in; *p; p++) {
		bool c1 = *p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;	/* some terminals obey these, too */

		if (*p < 0x20 || *p == 0x7f || c1 || (ascii && *p >= 0x80))
			mv_say(&w, "\\x%02x", *p);
		else
			mv_say(&w, "%c", *p);
	}
	return text;
}

char *mv_describe_signal(uint64_t sig, char *text, size_t size)
{
	struct mv_words w = mv_words_in(text, size);
	const char *name = sig < NSIG ? sigabbrev_np((int)sig) : NULL;

	if (name)
		mv_say(&w, "SIG%s", name);
	else if (sig >= (uint64_t)SIGRTMIN && sig <= (uint64_t)SIGRTMAX)
		mv_say(&w, "SIGRTMIN+%u", (unsigned)sig - (unsigned)SIGRTMIN);
	else
		mv_say(&w, "signal %llu", (unsigned long long)sig);
	return text;
}

/* ---- what the table knows ---- */

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
		if (mv_operand_there(o, call->args))
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
	const struct mv_desc *d = mv_lookup(call);

	return d && d->nargs <= MV_NARGS ? d->nargs : MV_NARGS;
}

bool mv_call_arg_is_address(const struct mv_call *call, unsigned arg)
{
	return !is_scalar(kind_of(mv_lookup(call), call, arg));
}

bool mv_call_arg_is_compared(const struct mv_call *call, unsigned arg)
{
	const struct mv_desc *d = mv_lookup(call);
	unsigned i;

	for (i = 0; d && i < d->nin; i++) {
		const struct mv_operand *o = &d->in[i];

		if (o->arg == arg && mv_operand_there(o, call->args))
			return o->kind != MV_KIND_IGN && is_scalar(o->kind);
	}
	return false;
}

/* ---- calls ---- */

static void say_number(struct mv_words *w, int64_t value, uint64_t bits)
{
	if (value > -SMALL && value < SMALL)
		mv_say(w, "%lld", (long long)value);
	else
		mv_say(w, "0x%llx", (unsigned long long)bits);
}

static void say_argument(struct mv_words *w, enum mv_kind kind, uint64_t value)
{
	switch (kind) {
	case MV_KIND_DFD:
		if ((int32_t)value == AT_FDCWD) {
			mv_say(w, "AT_FDCWD");
			break;
		}
		/* fall through */
	case MV_KIND_FD:
		mv_say(w, "%d", (int32_t)value);
		break;
	case MV_KIND_U32:
		say_number(w, (int32_t)value, (uint32_t)value);
		break;
	case MV_KIND_U64:
	case MV_KIND_IGN:
		say_number(w, (int64_t)value, value);
		break;
	default:
		mv_say(w, "0x%llx", (unsigned long long)value);
	}
}

enum style { STYLE_WHOLE, STYLE_BRIEF, STYLE_COMPARED };

/* "fcntl(F_GETFL)" is fcntl with its selector: the selector's name takes the place of that argument. */
static void say_call(struct mv_words *w, const struct mv_call *call, const char *name, enum style style, unsigned stop)
{
	const struct mv_desc *d = mv_lookup(call);
	unsigned i, nargs = mv_call_nargs(call), sel = MV_NARGS;
	const char *paren;
	char number[32], sig[32];

	if (call->nr == MV_PSEUDO_FAULT) {
		mv_say(w, "%s (code %d)", mv_describe_signal(call->args[0], sig, sizeof(sig)), (int32_t)call->args[1]);
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
	mv_say(w, "%.*s(", paren ? (int)(paren - name) : (int)strlen(name), name);
	for (i = 0; i < nargs; i++) {
		enum mv_kind kind = kind_of(d, call, i);

		if (i)
			mv_say(w, ", ");
		if (style == STYLE_BRIEF && (i >= stop || (i != sel && !is_small(kind)))) {
			mv_say(w, "...");
			break;
		}
		if (i == sel)
			mv_say(w, "%.*s", (int)strcspn(paren + 1, ")"), paren + 1);
		else if (style == STYLE_COMPARED && !mv_call_arg_is_compared(call, i))
			mv_say(w, "...");
		else
			say_argument(w, kind, call->args[i]);
	}
	mv_say(w, ")");
}

char *mv_describe_call(const struct mv_call *call, const char *name, char *text, size_t size)
{
	struct mv_words w = mv_words_in(text, size);

	say_call(&w, call, name, STYLE_WHOLE, MV_NARGS);
	return text;
}

char *mv_describe_compared(const struct mv_call *call, char *text, size_t size)
{
	struct mv_words w = mv_words_in(text, size);

	say_call(&w, call, NULL, STYLE_COMPARED, MV_NARGS);
	return text;
}

char *mv_describe_brief(const struct mv_call *call, unsigned stop, char *text, size_t size)
{
	struct mv_words w = mv_words_in(text, size);

	say_call(&w, call, NULL, STYLE_BRIEF, stop);
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
	struct mv_words w = mv_words_in(text, size);
	const struct mv_desc *d = mv_lookup(call);

	if (result < 0 && result >= -ERRNO_MAX) {
		const char *name = strerrorname_np((int)-result);

		if (!name)
			name = restart_name((int)-result);
		if (name)
			mv_say(&w, "-%s", name);
		else
			mv_say(&w, "%lld", (long long)result);
	} else if (d && d->ret == MV_RET_ADDR) {
		mv_say(&w, "0x%llx", (unsigned long long)result);
	} else {
		say_number(&w, result, (uint64_t)result);
	}
	return text;
}
