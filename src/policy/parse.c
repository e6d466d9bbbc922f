/*
 * The parser of policy files.  A file is lines of words:
 *
 *	base NAME				start from a built-in policy; must come first
 *	lockstep|relaxed|unchecked TARGET...	set the level of calls
 *	deny TARGET... [ERRNO]			calls that fail
 *
 * TARGET is a call's name, group:NAME or all, each with @KIND[,KIND...] if only some kinds of descriptors are meant.
 * "#" starts a comment.  Later lines win.  What no line names is relaxed.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <multivar/policy.h>
#include "engine/table.h"
#include "policy/nearest.h"

#define NO_DESCRIPTOR 0xff
#define ERRNO_MAX 133
#define ALL_KINDS ((1u << MV_POLICY_FDKINDS) - 1)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct word {
	const char *text;
	size_t len;
};

struct parser {
	const char *file;
	unsigned line;
	const char *at, *end;		/* what is left of the line */
	bool any;			/* a directive has been seen */
	struct mv_policy *out;
	struct mv_policy_error *err;
};

struct name_value {
	const char *name;
	unsigned value;
};

static const struct name_value groups[] = {
	{ "exec", MV_GROUP_EXEC }, { "privilege", MV_GROUP_PRIVILEGE }, { "output", MV_GROUP_OUTPUT },
	{ "files", MV_GROUP_FILES }, { "network", MV_GROUP_NETWORK }, { "memory", MV_GROUP_MEMORY },
	{ "signal", MV_GROUP_SIGNAL },
};

static const struct name_value kinds[] = {
	{ "file", MV_FDKIND_FILE }, { "socket", MV_FDKIND_SOCKET }, { "pipe", MV_FDKIND_PIPE },
	{ "tty", MV_FDKIND_TTY }, { "other", MV_FDKIND_OTHER },
};

static const struct name_value directives[] = {
	{ "base", 0 }, { "lockstep", MV_LEVEL_LOCKSTEP }, { "relaxed", MV_LEVEL_RELAXED },
	{ "unchecked", MV_LEVEL_UNCHECKED }, { "deny", MV_LEVEL_DENY },
};

_Static_assert(MV_TABLE_SIZE <= MV_POLICY_CALLS, "a policy has room for every call");
_Static_assert(MV_FDKIND_MAX <= MV_POLICY_FDKINDS, "a policy has room for every kind");

static int parse_text(const char *file, const char *text, size_t len, struct mv_policy *out, struct mv_policy_error *err);

__attribute__((format(printf, 2, 3)))
static int fail(struct parser *p, const char *format, ...)
{
	va_list args;

	snprintf(p->err->file, sizeof(p->err->file), "%s", mv_policy_text(p->file) ? "(built in)" : p->file);
	p->err->line = p->line;
	va_start(args, format);
	vsnprintf(p->err->text, sizeof(p->err->text), format, args);
	va_end(args);
	return -1;
}

/* A word as messages show it: bounded, and nothing in it that would upset a terminal. */
static const char *show(struct word w, char buf[48])
{
	size_t n = w.len < 40 ? w.len : 40;

	for (size_t i = 0; i < n; i++)
		buf[i] = w.text[i] >= ' ' && w.text[i] <= '~' ? w.text[i] : '?';
	strcpy(buf + n, n < w.len ? "..." : "");
	return buf;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool next_word(struct parser *p, struct word *w)
{
	while (p->at < p->end && is_blank(*p->at))
		p->at++;
	if (p->at == p->end || *p->at == '#')
		return false;
	w->text = p->at;
	while (p->at < p->end && !is_blank(*p->at) && *p->at != '#')
		p->at++;
	w->len = (size_t)(p->at - w->text);
	return true;
}

static bool word_is(struct word w, const char *name)
{
	return strlen(name) == w.len && memcmp(name, w.text, w.len) == 0;
}

static const struct name_value *find(const struct name_value *table, size_t n, struct word w)
{
	for (size_t i = 0; i < n; i++)
		if (word_is(w, table[i].name))
			return &table[i];
	return NULL;
}

/* "unknown WHAT 'WORD' (known: ...; did you mean ...?)" for the short tables. */
static int fail_unknown(struct parser *p, const char *what, struct word w, const struct name_value *table, size_t n)
{
	struct mv_nearest near = { .word = w.text, .len = w.len };
	char shown[48], known[120] = "";
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		mv_nearest_offer(&near, table[i].name);
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", table[i].name);
	}
	if (near.best)
		return fail(p, "unknown %s '%s': did you mean %s? (known: %s)", what, show(w, shown), near.best, known);
	return fail(p, "unknown %s '%s' (known: %s)", what, show(w, shown), known);
}

static int fail_unknown_call(struct parser *p, struct word w)
{
	struct mv_nearest near = { .word = w.text, .len = w.len };
	const char *bracket = memchr(w.text, '(', w.len);
	char shown[48];

	if (bracket)
		return fail(p, "'%s': policies take calls as a whole: write %.*s", show(w, shown),
			    (int)(bracket - w.text < 32 ? bracket - w.text : 32), w.text);
	for (unsigned nr = 0; nr < MV_TABLE_SIZE; nr++)
		if (mv_table[nr].name)
			mv_nearest_offer(&near, mv_table[nr].name);
	for (size_t i = 0; i < COUNT(directives); i++)
		if (word_is(w, directives[i].name))
			return fail(p, "'%s' in the place of a call: one directive to a line", directives[i].name);
	if (near.best)
		return fail(p, "unknown system call '%s': did you mean %s?", show(w, shown), near.best);
	return fail(p, "unknown system call '%s' (known: x86-64 system calls by name, group:NAME, all)", show(w, shown));
}

/* "socket,pipe" into a mask over enum mv_fdkind. */
static int parse_kinds(struct parser *p, struct word list, unsigned *mask)
{
	*mask = 0;
	for (;;) {
		const char *comma = memchr(list.text, ',', list.len);
		struct word one = { list.text, comma ? (size_t)(comma - list.text) : list.len };
		const struct name_value *kind = find(kinds, COUNT(kinds), one);

		if (!kind)
			return fail_unknown(p, "descriptor kind", one, kinds, COUNT(kinds));
		*mask |= 1u << kind->value;
		if (!comma)
			return 0;
		list.len -= one.len + 1;
		list.text = comma + 1;
	}
}

/* -1: another errno is in force for other kinds of the same call, and there is room for one only. */
static int set_level(struct mv_policy *out, unsigned nr, unsigned mask, enum mv_level level, unsigned deny_errno)
{
	bool denied_elsewhere = false;

	for (unsigned k = 0; k < MV_POLICY_FDKINDS; k++)
		if (!(mask & 1u << k) && out->level[nr][k] == MV_LEVEL_DENY)
			denied_elsewhere = true;
	if (level == MV_LEVEL_DENY && denied_elsewhere && out->deny_errno[nr] != deny_errno)
		return -1;
	for (unsigned k = 0; k < MV_POLICY_FDKINDS; k++)
		if (mask & 1u << k)
			out->level[nr][k] = (uint8_t)level;
	if (level == MV_LEVEL_DENY)
		out->deny_errno[nr] = (uint16_t)deny_errno;
	return 0;
}

static int apply_target(struct parser *p, struct word w, enum mv_level level, unsigned deny_errno)
{
	static const char group_prefix[] = "group:";
	const char *sign = memchr(w.text, '@', w.len);
	struct word name = { w.text, sign ? (size_t)(sign - w.text) : w.len };
	const struct name_value *group = NULL;
	unsigned mask = ALL_KINDS, matches = 0, applied = 0;
	bool all = word_is(name, "all");
	char shown[48];

	if (sign && parse_kinds(p, (struct word){ sign + 1, w.len - name.len - 1 }, &mask) < 0)
		return -1;
	if (name.len >= sizeof(group_prefix) - 1 && memcmp(name.text, group_prefix, sizeof(group_prefix) - 1) == 0) {
		struct word tail = { name.text + sizeof(group_prefix) - 1, name.len - (sizeof(group_prefix) - 1) };

		group = find(groups, COUNT(groups), tail);
		if (!group)
			return fail_unknown(p, "group", tail, groups, COUNT(groups));
	}
	for (unsigned nr = 0; nr < MV_POLICY_CALLS; nr++) {
		const struct mv_desc *desc = nr < MV_TABLE_SIZE ? &mv_table[nr] : NULL;
		bool named = desc && desc->name;

		if (group ? !named || !(desc->groups & group->value) : !all && (!named || !word_is(name, desc->name)))
			continue;
		matches++;
		if (sign && (!named || desc->fd_arg == NO_DESCRIPTOR))
			continue;
		applied++;
		if (set_level(p->out, nr, mask, level, deny_errno) < 0)
			return fail(p, "%s is already denied with %s for other descriptors: one errno to a call",
				    named ? desc->name : "a call", strerrorname_np(p->out->deny_errno[nr]));
	}
	if (!matches && !group && !all)
		return fail_unknown_call(p, name);
	if (matches && !applied)
		return fail(p, "'%s': no descriptor tells kinds of this call apart: leave out what follows '@'", show(w, shown));
	return 0;
}

/* errno of a word such as EPERM; 0 if it does not look like one, -1 if it is unknown. */
static int parse_errno(struct parser *p, struct word w)
{
	struct mv_nearest near = { .word = w.text, .len = w.len };
	char shown[48];

	if (w.text[0] != 'E')
		return 0;
	for (int e = 1; e <= ERRNO_MAX; e++) {
		const char *name = strerrorname_np(e);

		if (name && word_is(w, name))
			return e;
		if (name)
			mv_nearest_offer(&near, name);
	}
	return fail(p, "unknown errno '%s': did you mean %s?", show(w, shown), near.best ? near.best : "EPERM or ENOSYS");
}

static int parse_level(struct parser *p, struct word directive, enum mv_level level)
{
	const char *targets = p->at;
	unsigned ntargets = 0;
	int deny_errno = 0;
	struct word w;
	char shown[48];

	/* First look for the errno, which comes last but is needed for all targets. */
	while (next_word(p, &w)) {
		if (deny_errno)
			return fail(p, "'%s' after the errno: an errno ends the line", show(w, shown));
		if (level == MV_LEVEL_DENY)
			deny_errno = parse_errno(p, w);
		if (deny_errno < 0)
			return -1;
		if (!deny_errno)
			ntargets++;
	}
	if (!ntargets)
		return fail(p, "%s what? (calls by name, group:NAME, all)", show(directive, shown));
	p->at = targets;
	for (; ntargets > 0 && next_word(p, &w); ntargets--)
		if (apply_target(p, w, level, (unsigned)(deny_errno ? deny_errno : EPERM)) < 0)
			return -1;
	return 0;
}

static int parse_base(struct parser *p)
{
	struct word w, more;
	char shown[48];

	if (p->any)
		return fail(p, "base must come before all other lines: it would undo them");
	if (!next_word(p, &w))
		return fail(p, "base what? (the name of a built-in policy)");
	if (next_word(p, &more))
		return fail(p, "'%s' after the name: base takes one policy", show(more, shown));
	for (const char *const *name = mv_policy_names(); *name; name++)
		/* A built-in policy that starts from itself would never end. */
		if (word_is(w, *name) && strcmp(*name, p->file) != 0) {
			const char *text = mv_policy_text(*name);

			return parse_text(*name, text, strlen(text), p->out, p->err);
		}

	char known[100] = "";
	size_t used = 0;
	struct mv_nearest near = { .word = w.text, .len = w.len };

	for (const char *const *name = mv_policy_names(); *name && used < sizeof(known); name++) {
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "", *name);
		mv_nearest_offer(&near, *name);
	}
	if (near.best)
		return fail(p, "unknown base policy '%s': did you mean %s? (known: %s)", show(w, shown), near.best, known);
	return fail(p, "unknown base policy '%s' (known: %s)", show(w, shown), known);
}

static int parse_line(struct parser *p)
{
	struct word w;

	if (!next_word(p, &w))
		return 0;

	const struct name_value *d = find(directives, COUNT(directives), w);

	if (!d)
		return fail_unknown(p, "directive", w, directives, COUNT(directives));

	int ret = d == &directives[0] ? parse_base(p) : parse_level(p, w, (enum mv_level)d->value);

	p->any = true;
	return ret;
}

static int parse_text(const char *file, const char *text, size_t len, struct mv_policy *out, struct mv_policy_error *err)
{
	struct parser p = { .file = file, .out = out, .err = err };
	const char *end = text + len;

	if (memchr(text, '\0', len))
		return fail(&p, "not a text file: it has a zero byte");
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		p.line++;
		p.at = text;
		p.end = newline ? newline : end;
		if (parse_line(&p) < 0)
			return -1;
		text = p.end + 1;
		if (!newline)
			break;
	}
	return 0;
}

int mv_policy_parse(const char *file, const char *text, size_t len, struct mv_policy *out, struct mv_policy_error *err)
{
	const char *slash = strrchr(file, '/');

	memset(out, 0, sizeof(*out));
	memset(err, 0, sizeof(*err));
	snprintf(out->name, sizeof(out->name), "%s", slash ? slash + 1 : file);
	memset(out->level, MV_LEVEL_RELAXED, sizeof(out->level));
	return parse_text(file, text, len, out, err);
}
