/* What the public API says about the built-in policies. */
#include <string.h>
#include <multivar/policy.h>
#include "policy/builtin.h"

#define BUILTINS_MAX 16
#define ABOUT_MAX 160

static const struct mv_policy_builtin *find(const char *name)
{
	for (unsigned i = 0; i < mv_policy_nbuiltins; i++)
		if (strcmp(mv_policy_builtins[i].name, name) == 0)
			return &mv_policy_builtins[i];
	return NULL;
}

const char *const *mv_policy_names(void)
{
	/* Every caller writes the same values: no lock is needed. */
	static const char *names[BUILTINS_MAX + 1];

	for (unsigned i = 0; i < mv_policy_nbuiltins && i < BUILTINS_MAX; i++)
		names[i] = mv_policy_builtins[i].name;
	return names;
}

const char *mv_policy_text(const char *name)
{
	const struct mv_policy_builtin *b = find(name);

	return b ? b->text : NULL;
}

const char *mv_policy_about(const char *name)
{
	static char about[BUILTINS_MAX][ABOUT_MAX];
	const struct mv_policy_builtin *b = find(name);

	if (!b || b - mv_policy_builtins >= BUILTINS_MAX)
		return NULL;

	/* The first line without "# "; embed.py has checked that it is one. */
	const char *line = b->text + 2;
	size_t len = strcspn(line, "\n");
	char *copy = about[b - mv_policy_builtins];

	if (len >= ABOUT_MAX)
		len = ABOUT_MAX - 1;
	memcpy(copy, line, len);
	copy[len] = '\0';
	return copy;
}
