/*
 * The parser of rules for other builds.  A file is lines of words:
 *
 *	base NAME				take over a built-in rule set
 *	allow follower|leader CALL... [file PATH] [limit N]
 *	report FD				what the follower alone writes there is its report
 *
 * "#" starts a comment.  CALL must be one whose effects stay inside of the variant (flag "contained" of the table).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <multivar/rules.h>
#include "engine/table.h"
#include "policy/builtin.h"
#include "policy/nearest.h"

#define WORDS_MAX 64
#define LINE_MAX_ 1024
#define SETS_MAX 16

struct parser {
	const char *file;
	unsigned line;
	unsigned depth;
	struct mv_rules *out;
	struct mv_policy_error *err;
};

static int parse_text(struct parser *p, const char *text, size_t len);

__attribute__((format(printf, 2, 3)))
static int fail(struct parser *p, const char *format, ...)
{
	va_list args;

	snprintf(p->err->file, sizeof(p->err->file), "%s", p->file);
	p->err->line = p->line;
	va_start(args, format);
	vsnprintf(p->err->text, sizeof(p->err->text), format, args);
	va_end(args);
	for (char *c = p->err->text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return -1;
}

static bool is_contained(const struct mv_desc *d)
{
	for (unsigned i = 0; i < d->nsubs; i++)
		if (d->subs[i].flags & MV_DESC_CONTAINED)
			return true;
	return d->flags & MV_DESC_CONTAINED;
}

/* Its number, or -1 after an error. */
static int find_call(struct parser *p, const char *name)
{
	struct mv_nearest near = { .word = name, .len = strlen(name) };

	for (int nr = 0; nr < MV_TABLE_SIZE; nr++) {
		const struct mv_desc *d = &mv_table[nr];

		if (!d->name)
			continue;
		if (strcmp(d->name, name)) {
			mv_nearest_offer(&near, d->name);
			continue;
		}
		if (d->cls == MV_CLASS_LOCAL)
			return fail(p, "%s needs no rule: it is never compared", name);
		if (!is_contained(d))
			return fail(p, "%s cannot be allowed: its effects do not stay inside of the variant that makes it", name);
		return nr;
	}
	return near.best ? fail(p, "unknown system call '%.40s': did you mean %s?", name, near.best)
			 : fail(p, "unknown system call '%.40s'", name);
}

static int add(struct parser *p, const struct mv_rule *rule)
{
	if (p->out->count == MV_RULES_MAX)
		return fail(p, "more than %u rules", MV_RULES_MAX);
	p->out->rule[p->out->count++] = *rule;
	return 0;
}

static int number(struct parser *p, const char *what, const char *word, unsigned long max, uint32_t *out)
{
	char *end = NULL;
	unsigned long n = word && *word >= '0' && *word <= '9' ? strtoul(word, &end, 10) : 0;

	if (!end || *end || n > max)
		return fail(p, "%s takes a number up to %lu, not '%.40s'", what, max, word ? word : "");
	*out = (uint32_t)n;
	return 0;
}

static int parse_allow(struct parser *p, char **words, unsigned n)
{
	struct mv_rule rule = { .line = p->depth ? 0 : p->line };
	unsigned last = n;

	if (n < 3)
		return fail(p, "allow whom and what? (allow follower|leader CALL... [file PATH] [limit N])");
	if (!strcmp(words[1], "leader"))
		rule.who = MV_RULE_LEADER;
	else if (strcmp(words[1], "follower"))
		return fail(p, "'%.40s' is neither follower nor leader", words[1]);
	if (last >= 5 && !strcmp(words[last - 2], "limit")) {
		if (number(p, "limit", words[last - 1], 1000000000, &rule.limit))
			return -1;
		if (!rule.limit)
			return fail(p, "limit 0 would allow nothing: leave the rule out");
		last -= 2;
	}
	if (last >= 5 && !strcmp(words[last - 2], "file")) {
		if (strlen(words[last - 1]) >= sizeof(rule.path))
			return fail(p, "the path is longer than %zu bytes", sizeof(rule.path) - 1);
		if (rule.who == MV_RULE_LEADER)
			return fail(p, "a rule for the leader names no file: what it opens all must have");
		strcpy(rule.path, words[last - 1]);
		last -= 2;
	}
	for (unsigned i = 2; i < last; i++) {
		int nr = find_call(p, words[i]);

		if (nr < 0)
			return -1;
		if (rule.who == MV_RULE_LEADER && mv_table[nr].ret == MV_RET_FD)
			return fail(p, "%s cannot be the leader's alone: the descriptors of all must have the same numbers", words[i]);
		if (mv_table[nr].ret == MV_RET_FD && !rule.path[0])
			return fail(p, "%s needs a file: allow follower %s file PATH", words[i], words[i]);
		rule.nr = (uint16_t)nr;
		if (add(p, &rule))
			return -1;
	}
	return 0;
}

static int parse_report(struct parser *p, char **words, unsigned n)
{
	struct mv_rule rule = { .who = MV_RULE_REPORT, .line = p->depth ? 0 : p->line };
	uint32_t fd;

	if (n != 2)
		return fail(p, "report takes one descriptor");
	if (number(p, "report", words[1], 1023, &fd))
		return -1;
	rule.fd = (int32_t)fd;
	return add(p, &rule);
}

static int parse_base(struct parser *p, char **words, unsigned n)
{
	struct parser inner = { .file = "(built in)", .depth = p->depth + 1, .out = p->out, .err = p->err };
	const char *text = n == 2 ? mv_rules_text(words[1]) : NULL;
	char known[100] = "";
	size_t used = 0;

	if (text && p->depth < SETS_MAX)
		return parse_text(&inner, text, strlen(text));
	for (const char *const *name = mv_rules_names(); *name && used < sizeof(known); name++)
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "", *name);
	return fail(p, "base takes the name of a built-in rule set (%s)", known);
}

static int parse_line(struct parser *p, char *line)
{
	char *words[WORDS_MAX], *save = NULL;
	unsigned n = 0;

	line[strcspn(line, "#")] = 0;
	for (char *w = strtok_r(line, " \t\r", &save); w; w = strtok_r(NULL, " \t\r", &save)) {
		if (n == WORDS_MAX)
			return fail(p, "more than %u words", WORDS_MAX);
		words[n++] = w;
	}
	if (!n)
		return 0;
	if (!strcmp(words[0], "allow"))
		return parse_allow(p, words, n);
	if (!strcmp(words[0], "report"))
		return parse_report(p, words, n);
	if (!strcmp(words[0], "base"))
		return parse_base(p, words, n);
	return fail(p, "unknown directive '%.40s' (known: base, allow, report)", words[0]);
}

static int parse_text(struct parser *p, const char *text, size_t len)
{
	const char *end = text + len;
	char line[LINE_MAX_];

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((newline ? newline : end) - text);

		p->line++;
		if (n >= sizeof(line))
			return fail(p, "the line is longer than %zu bytes", sizeof(line) - 1);
		if (memchr(text, '\0', n))
			return fail(p, "not a text file: it has a zero byte");
		memcpy(line, text, n);
		line[n] = 0;
		if (parse_line(p, line))
			return -1;
		text += n + 1;
	}
	return 0;
}

int mv_rules_parse(const char *file, const char *text, size_t len, struct mv_rules *out, struct mv_policy_error *err)
{
	struct parser p = { .file = file, .out = out, .err = err };
	const char *slash = strrchr(file, '/');

	memset(out, 0, sizeof(*out));
	memset(err, 0, sizeof(*err));
	snprintf(out->name, sizeof(out->name), "%s", slash ? slash + 1 : file);
	return parse_text(&p, text, len);
}

/* ---- the built-in ones ---- */

const char *const *mv_rules_names(void)
{
	/* Every caller writes the same values: no lock is needed. */
	static const char *names[SETS_MAX + 1];

	for (unsigned i = 0; i < mv_rules_nbuiltins && i < SETS_MAX; i++)
		names[i] = mv_rules_builtins[i].name;
	return names;
}

const char *mv_rules_text(const char *name)
{
	for (unsigned i = 0; i < mv_rules_nbuiltins; i++)
		if (!strcmp(mv_rules_builtins[i].name, name))
			return mv_rules_builtins[i].text;
	return NULL;
}
