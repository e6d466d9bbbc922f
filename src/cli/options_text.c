/* The options table as help text, manual page and completion. */
#include <stdlib.h>
#include <string.h>
#include <multivar/policy.h>
#include "cli/options.h"

#define INDENT 28
#define WIDTH 100

static bool shown(const struct mv_option *o, unsigned command)
{
	return !o->hidden && (o->commands & command);
}

/* Print words from column on, wrapped at WIDTH with a hanging indent. */
static void wrap(FILE *out, const char *text, int column)
{
	while (*text) {
		int len = (int)strcspn(text, " ");

		if (column > INDENT && column + 1 + len > WIDTH)
			column = fprintf(out, "\n%*s", INDENT, "") - 1;
		else if (column > INDENT)
			column += fprintf(out, " ");
		column += fprintf(out, "%.*s", len, text);
		text += len;
		text += *text == ' ';
	}
	fputc('\n', out);
}

/* The help sentence with what the table knows besides. */
static void describe(const struct mv_option *o, char *buf, size_t size)
{
	size_t used = (size_t)snprintf(buf, size, "%s", o->help);
	bool open = false;

	if (o->choices) {
		used += (size_t)snprintf(buf + used, size - used, " (");
		for (unsigned i = 0; o->choices[i]; i++)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? ", " : "", o->choices[i]);
		open = true;
	}
	if (o->deflt)
		used += (size_t)snprintf(buf + used, size - used, "%sdefault %s", open ? "; " : " (", o->deflt);
	if (open || o->deflt)
		snprintf(buf + used, size - used, ")");
}

void mv_options_help(FILE *out, unsigned command)
{
	for (unsigned i = 0; i < mv_noptions; i++) {
		const struct mv_option *o = &mv_options[i];
		char head[80], text[512], letter[] = "-x,";

		if (!shown(o, command))
			continue;
		letter[1] = o->letter;
		snprintf(head, sizeof(head), "  %3s --%s%s%s%s", o->letter ? letter : "", o->name,
			 o->optional ? "[=" : o->argument ? " " : "", o->argument ? o->argument : "", o->optional ? "]" : "");
		describe(o, text, sizeof(text));

		int column = fprintf(out, "%-*s", INDENT, head);

		if (column > INDENT)
			column = fprintf(out, "\n%*s", INDENT, "") - 1;
		wrap(out, text, column);
	}
}

/* scdoc takes "_" and "*" for markup. */
static void man_escape(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("_*\\<>#", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void man_options_of(FILE *out, unsigned command)
{
	for (unsigned i = 0; i < mv_noptions; i++) {
		const struct mv_option *o = &mv_options[i];
		char text[512];

		if (!shown(o, command))
			continue;
		if (o->letter)
			fprintf(out, "*-%c*, ", o->letter);
		fprintf(out, "*--%s*", o->name);
		if (o->optional)
			fprintf(out, "[=_%s_]", o->argument);
		else if (o->argument)
			fprintf(out, " _%s_", o->argument);
		describe(o, text, sizeof(text));
		fprintf(out, "\n\t");
		man_escape(out, text);
		fprintf(out, ".\n\n");
	}
}

void mv_options_man(FILE *out)
{
	fprintf(out, "# OPTIONS\n\n## mvarmor run\n\n");
	man_options_of(out, MV_CMD_RUN);
	fprintf(out, "## mvarmor check\n\n");
	man_options_of(out, MV_CMD_CHECK);
	fprintf(out, "# ENVIRONMENT\n\nVariables are read before options, and options win. Flags take 1 or 0. All variables "
		"whose names begin with MVARMOR\\_ or MV\\_, and the others named here, are removed from the program's "
		"environment.\n\n");
	for (unsigned i = 0; i < mv_noptions; i++) {
		const struct mv_option *o = &mv_options[i];
		char derived[64];

		if (!shown(o, MV_CMD_RUN) || strcmp(o->name, "help") == 0)
			continue;
		fprintf(out, "*");
		man_escape(out, mv_option_variable(o, derived, sizeof(derived)));
		fprintf(out, "*");
		for (unsigned a = 0; a < MV_OPTION_ALIASES && o->aliases[a]; a++) {
			fprintf(out, ", *");
			man_escape(out, o->aliases[a]);
			fprintf(out, "*");
		}
		fprintf(out, "\n\tAs *--%s*.\n\n", o->name);
	}
}

static void completion_words(FILE *out, unsigned command)
{
	for (unsigned i = 0; i < mv_noptions; i++) {
		if (!shown(&mv_options[i], command))
			continue;
		if (mv_options[i].letter)
			fprintf(out, "-%c ", mv_options[i].letter);
		fprintf(out, "--%s ", mv_options[i].name);
	}
}

static void completion_case(FILE *out, const struct mv_option *o)
{
	fprintf(out, "\t\t");
	if (o->letter)
		fprintf(out, "-%c|", o->letter);
	fprintf(out, "--%s) ", o->name);
	if (o->choices) {
		fprintf(out, "words='");
		for (unsigned i = 0; o->choices[i]; i++)
			fprintf(out, i ? " %s" : "%s", o->choices[i]);
		fprintf(out, "' ;;\n");
	} else if (strcmp(o->argument, "POLICY") == 0) {
		fprintf(out, "words=$policies; files=1 ;;\n");
	} else if (strcmp(o->argument, "FILE") == 0) {
		fprintf(out, "files=1 ;;\n");
	} else if (strcmp(o->argument, "DOMAINS") == 0) {
		fprintf(out, "words='notice calls process signal boot all none' ;;\n");
	} else {
		fprintf(out, "return ;;\n");
	}
}

void mv_options_bash_completion(FILE *out)
{
	fprintf(out, "# Completion for mvarmor; generated from the options table by mvarmor --bash-completion.\n"
		"_mvarmor()\n{\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
		"\tlocal command=${COMP_WORDS[1]} words= files= i policies='");
	for (const char *const *name = mv_policy_names(); *name; name++)
		fprintf(out, "%s%s", *name, name[1] ? " " : "'\n");
	fprintf(out, "\n\tCOMPREPLY=()\n"
		"\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\twords='run check policies ");
	completion_words(out, MV_CMD_MAIN);
	fprintf(out, "'\n\telse case $command in\n\trun)\n"
		"\t\t# After the program's name its own completion is asked.\n"
		"\t\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
		"\t\t\tcase ${COMP_WORDS[i]} in\n"
		"\t\t\t--) _mvarmor_program $((i + 1)); return ;;\n\t\t\t");

	bool first = true;

	for (unsigned i = 0; i < mv_noptions; i++) {
		const struct mv_option *o = &mv_options[i];

		if (!shown(o, MV_CMD_RUN) || !o->argument || o->optional)
			continue;
		if (o->letter)
			fprintf(out, "%s-%c", first ? "" : "|", o->letter);
		fprintf(out, "%s--%s", first && !o->letter ? "" : "|", o->name);
		first = false;
	}
	fprintf(out, ") ((i++)) ;;\n\t\t\t-*) ;;\n"
		"\t\t\t*) _mvarmor_program $i; return ;;\n"
		"\t\t\tesac\n\t\tdone\n"
		"\t\tcase $prev in\n");
	for (unsigned i = 0; i < mv_noptions; i++)
		if (shown(&mv_options[i], MV_CMD_RUN) && mv_options[i].argument && !mv_options[i].optional)
			completion_case(out, &mv_options[i]);
	fprintf(out, "\t\t*)\n\t\t\tif [[ $cur == -* ]]; then words='");
	completion_words(out, MV_CMD_RUN);
	fprintf(out, "'\n\t\t\telse _mvarmor_program \"$COMP_CWORD\"; return\n\t\t\tfi ;;\n\t\tesac ;;\n\tcheck) words='");
	completion_words(out, MV_CMD_CHECK);
	fprintf(out, "' ;;\n\tpolicies) words=\"$policies ");
	completion_words(out, MV_CMD_POLICIES);
	fprintf(out, "\" ;;\n\tesac\n\tfi\n"
		"\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
		"\tif [ -n \"$files\" ]; then COMPREPLY+=($(compgen -f -- \"$cur\")); fi\n}\n\n"
		"# The program and its arguments begin at word $1.\n"
		"_mvarmor_program()\n{\n"
		"\tif declare -F _command_offset >/dev/null; then\n\t\t_command_offset \"$1\"\n"
		"\telif [ \"$COMP_CWORD\" -eq \"$1\" ]; then\n"
		"\t\tCOMPREPLY=($(compgen -c -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
		"\telse\n\t\tCOMPREPLY=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\"))\n\tfi\n}\n\n"
		"complete -F _mvarmor mvarmor\n");
}
