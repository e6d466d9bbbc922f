/* Policies by name or from files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/cli.h"
#include "policy/nearest.h"

#define FILE_MAX (1u << 20)

static int unknown(const char *name, char *error, size_t size)
{
	struct mv_nearest near = { .word = name, .len = strlen(name) };
	char known[160] = "";
	size_t used = 0;

	for (const char *const *n = mv_policy_names(); *n && used < sizeof(known); n++) {
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "", *n);
		mv_nearest_offer(&near, *n);
	}
	snprintf(error, size, "unknown policy '%s'%s%s%s (known: %s, or the path of a policy file)", name,
		 near.best ? ": did you mean " : "", near.best ? near.best : "", near.best ? "?" : "", known);
	return -1;
}

static int parse(const char *name, const char *text, size_t len, struct mv_policy *out, char *error, size_t size)
{
	struct mv_policy_error err;

	if (mv_policy_parse(name, text, len, out, &err) == 0)
		return 0;
	if (err.line)
		snprintf(error, size, "%s:%u: %s", err.file, err.line, err.text);
	else
		snprintf(error, size, "%s: %s", err.file, err.text);
	return -1;
}

int mv_load_policy(const char *name, struct mv_policy *out, char *error, size_t size)
{
	const char *builtin = mv_policy_text(name);

	if (builtin)
		return parse(name, builtin, strlen(builtin), out, error, size);

	FILE *file = fopen(name, "re");

	if (!file) {
		/* What looks like a path was meant as one. */
		if (errno == ENOENT && !strchr(name, '/') && !strchr(name, '.'))
			return unknown(name, error, size);
		snprintf(error, size, "cannot read policy file %s: %s", name, strerror(errno));
		return -1;
	}

	char *text = malloc(FILE_MAX + 1);
	size_t len = text ? fread(text, 1, FILE_MAX + 1, file) : 0;
	int ret = -1;

	if (!text || ferror(file))
		snprintf(error, size, "cannot read policy file %s: %s", name, strerror(errno));
	else if (len > FILE_MAX)
		snprintf(error, size, "policy file %s is longer than %u bytes", name, FILE_MAX);
	else
		ret = parse(name, text, len, out, error, size);
	free(text);
	fclose(file);
	return ret;
}
