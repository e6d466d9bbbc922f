/* Words for verdicts. */
#include <string.h>
#include "engine/table.h"
#include "supervisor/describe.h"
#include "supervisor/verdict.h"
#include "supervisor/words.h"

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
		[MV_DIFF_ORDER] = "order",
		[MV_DIFF_REPORT] = "report",
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

static void say_signal(struct mv_words *w, const struct mv_verdict *v)
{
	const struct mv_call *l = &v->leader_call, *o = &v->variant_call;
	char a[160], b[160];

	if (l->nr == MV_PSEUDO_FAULT && o->nr == MV_PSEUDO_FAULT) {
		mv_describe_signal(l->args[0], a, sizeof(a));
		mv_describe_signal(o->args[0], b, sizeof(b));
		if (l->args[0] != o->args[0])
			mv_say(w, "the leader got %s, variant %u got %s", a, v->variant, b);
		else
			mv_say(w, "the leader got %s with code %d, variant %u with code %d", a, (int32_t)l->args[1],
			    v->variant, (int32_t)o->args[1]);
	} else if (l->nr == MV_PSEUDO_FAULT) {
		mv_say(w, "the leader got %s, variant %u calls %s", mv_describe_signal(l->args[0], a, sizeof(a)),
		    v->variant, mv_describe_brief(o, MV_NARGS, b, sizeof(b)));
	} else {
		mv_say(w, "variant %u got %s where the leader calls %s", v->variant,
		    mv_describe_signal(o->args[0], a, sizeof(a)), mv_describe_brief(l, MV_NARGS, b, sizeof(b)));
	}
}

static void say_bytes(struct mv_words *w, const struct mv_verdict *v)
{
	unsigned i = mv_verdict_first_byte(v);

	mv_say(w, "argument %u differs", v->arg + 1);
	/* Long inputs are compared by hash: then it is not known where. */
	if (i < v->known && i < sizeof(v->leader_bytes))
		mv_say(w, " at byte %llu (leader 0x%02x, variant %u 0x%02x)", (unsigned long long)v->offset,
		    v->leader_bytes[i], v->variant, v->variant_bytes[i]);
}

static void say_divergence(struct mv_words *w, const struct mv_verdict *v)
{
	const struct mv_call *call = &v->leader_call;
	unsigned long long l = v->leader_value, o = v->variant_value;
	char a[160], b[160], text[sizeof(v->text) * 4];

	if (v->difference == MV_DIFF_BREACH) {
		mv_say(w, "%s", mv_describe_text(v->text, false, text, sizeof(text)));
		return;
	}
	if (v->difference == MV_DIFF_ORDER) {
		mv_say(w, "a thread of variant %u %s", v->variant, mv_describe_text(v->text, false, text, sizeof(text)));
		return;
	}
	if (v->difference == MV_DIFF_REPORT) {
		mv_say(w, "variant %u reports: %s", v->variant, mv_describe_text(v->text, false, text, sizeof(text)));
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
		mv_say(w, "leader calls %s, variant %u calls %s", a, v->variant,
		    mv_describe_brief(&v->variant_call, MV_NARGS, b, sizeof(b)));
		return;
	case MV_DIFF_ABSENT:
		mv_say(w, "variant %u did not arrive at %s", v->variant, a);
		if (v->text[0])
			mv_say(w, " (%s)", mv_describe_text(v->text, false, text, sizeof(text)));
		return;
	default:
		break;
	}
	mv_say(w, "%s: ", a);
	switch (v->difference) {
	case MV_DIFF_BYTES:
		say_bytes(w, v);
		break;
	case MV_DIFF_ARG:
		mv_say(w, "argument %u differs (leader 0x%llx, variant %u 0x%llx)", v->arg + 1, l, v->variant, o);
		break;
	case MV_DIFF_LENGTH:
		mv_say(w, "length of argument %u differs (leader %llu, variant %u %llu)", v->arg + 1, l, v->variant, o);
		break;
	case MV_DIFF_FAULT:
		if (l)
			mv_say(w, "argument %u is readable in the leader and not in variant %u", v->arg + 1, v->variant);
		else
			mv_say(w, "argument %u is readable in variant %u and not in the leader", v->arg + 1, v->variant);
		break;
	case MV_DIFF_RESULT:
		mv_say(w, "result differs (leader %s, variant %u %s)", mv_describe_result(call, (int64_t)l, a, sizeof(a)),
		    v->variant, mv_describe_result(call, (int64_t)o, b, sizeof(b)));
		break;
	default:
		mv_say(w, "variant %u differs", v->variant);
	}
}

char *mv_verdict_line(const struct mv_verdict *v, char *text, size_t size)
{
	struct mv_words w = mv_words_in(text, size);
	char clean[sizeof(v->text) * 4];

	mv_describe_text(v->text, false, clean, sizeof(clean));
	switch (v->kind) {
	case MV_VERDICT_DIVERGENCE:
		mv_say(&w, "divergence: ");
		say_divergence(&w, v);
		break;
	case MV_VERDICT_UNSUPPORTED:
		mv_say(&w, "unsupported: %s", clean);
		break;
	case MV_VERDICT_FAILURE:
		mv_say(&w, "%s", clean);
		break;
	default:
		mv_say(&w, "no verdict");
	}
	return text;
}

const char *mv_verdict_hint(const struct mv_verdict *v, uint32_t racing)
{
	if (v->kind != MV_VERDICT_DIVERGENCE || v->difference == MV_DIFF_BREACH || v->difference == MV_DIFF_ORDER ||
	    v->difference == MV_DIFF_REPORT)
		return NULL;
	if (racing & MV_RACING_FORK && racing & MV_RACING_WAITS)
		return "processes of this run wait for each other in memory that they share, in an order of each variant's own: "
		       "--turns=shared gives them one";
	if (racing & MV_RACING_FORK)
		return "processes of this run share memory that they write to, in an order of each variant's own: if the program "
		       "depends on it, --turns=shared gives them one";
	if (racing & MV_RACING_WAITS && racing & MV_RACING_OTHERS)
		return "a process of this run waits for others in memory that they have come to share by a name, in an order of each "
		       "variant's own: --turns=variant gives them one";
	return NULL;
}
