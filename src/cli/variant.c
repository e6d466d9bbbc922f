/* --variant K=PATH[,env=NAME=VALUE][,arg=ARG][,rules=RULES]: another build of the program as variant K. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cli/cli.h"
#include "cli/options.h"

#define FILE_MAX (1u << 20)

/* The next part of the value, without its comma, where two commas stand for one; NULL at the end or without memory. */
static char *next_part(const char **at)
{
	const char *p = *at;
	char *part = p ? malloc(strlen(p) + 1) : NULL, *to = part;

	if (!part)
		return NULL;
	for (; *p && (*p != ',' || p[1] == ','); p++) {
		*to++ = *p;
		p += *p == ',';
	}
	*to = 0;
	*at = *p ? p + 1 : NULL;
	return part;
}

static int load_rules(const char *name, struct mv_rules *out, char *why, size_t size)
{
	const char *builtin = mv_rules_text(name);
	struct mv_policy_error e = { .line = 0 };
	int ret = -1;
	FILE *file;
	char *text;
	size_t n;

	if (builtin)
		return mv_rules_parse(name, builtin, strlen(builtin), out, &e);
	file = fopen(name, "re");
	if (!file) {
		snprintf(why, size, "cannot read rules %s: %s (built in are build, allocator, asan, ubsan)", name, strerror(errno));
		return -1;
	}
	text = malloc(FILE_MAX);
	n = text ? fread(text, 1, FILE_MAX, file) : 0;
	if (!text || ferror(file))
		snprintf(why, size, "cannot read rules %s: %s", name, strerror(errno));
	else if (n == FILE_MAX)
		snprintf(why, size, "rules %s are longer than %u bytes", name, FILE_MAX - 1);
	else if (mv_rules_parse(name, text, n, out, &e))
		snprintf(why, size, "%s:%u: %s", e.file, e.line, e.text);
	else
		ret = 0;
	free(text);
	fclose(file);
	return ret;
}

static int take_key(struct mv_build *b, unsigned k, char *part, const char **rules, char *why, size_t size)
{
	if (!strncmp(part, "env=", 4)) {
		const char *equals = strchr(part + 4, '=');

		if (!equals || equals == part + 4)
			snprintf(why, size, "'%s': a setting of the environment is env=NAME=VALUE", part);
		else if (b->nenv == MV_BUILD_WORDS)
			snprintf(why, size, "more than %u settings of the environment", MV_BUILD_WORDS);
		else
			b->env[b->nenv++] = part + 4;
	} else if (!strncmp(part, "arg=", 4)) {
		if (b->nargs == MV_BUILD_WORDS)
			snprintf(why, size, "more than %u arguments", MV_BUILD_WORDS);
		else
			b->args[b->nargs++] = part + 4;
	} else if (!strncmp(part, "rules=", 6)) {
		if (!k)
			snprintf(why, size, "rules belong to followers: what they make otherwise than the leader");
		else if (*rules)
			snprintf(why, size, "rules are given twice: start a file with base NAME to have both");
		else
			*rules = part + 6;
	} else {
		snprintf(why, size, "unknown key '%s' (known: env=NAME=VALUE, arg=ARG, rules=RULES; a comma in a value is written ,,)", part);
	}
	return *why ? -1 : 0;
}

int mv_parse_variant(struct mv_settings *s, const struct mv_option *o, const char *value, char *why, size_t size)
{
	const char *equals = strchr(value, '='), *rules = NULL, *at;
	char *end = NULL, *part;
	unsigned long k = *value >= '0' && *value <= '9' ? strtoul(value, &end, 10) : 0;
	struct mv_build *b;

	(void)o;
	*why = 0;
	if (!end || end != equals) {
		snprintf(why, size, "'%s' is not K=PATH[,KEY=VALUE]..., K the number of a variant", value);
		return -1;
	}
	if (k >= MV_VARIANTS_MAX) {
		snprintf(why, size, "there is no variant %lu: the last one can be %u", k, MV_VARIANTS_MAX - 1);
		return -1;
	}
	b = &s->builds[k];
	if (b->path) {
		snprintf(why, size, "variant %lu is given twice", k);
		return -1;
	}
	at = equals + 1;
	b->path = next_part(&at);
	if (!b->path || !*b->path) {
		snprintf(why, size, "variant %lu has no path", k);
		return -1;
	}
	while ((part = next_part(&at)))
		if (take_key(b, (unsigned)k, part, &rules, why, size))
			return -1;
	b->rules = calloc(1, sizeof(*b->rules));
	if (!b->rules) {
		snprintf(why, size, "out of memory");
		return -1;
	}
	return load_rules(rules ? rules : "build", b->rules, why, size);
}

int mv_check_variants(const struct mv_settings *s, char *error, size_t size)
{
	for (unsigned k = s->variants; k < MV_VARIANTS_MAX; k++)
		if (s->builds[k].path) {
			snprintf(error, size, "--variant %u=%s: there are %u variants, 0 to %u (see -n)", k, s->builds[k].path,
				 s->variants, s->variants - 1);
			return -1;
		}
	return 0;
}
