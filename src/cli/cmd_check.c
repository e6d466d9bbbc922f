#include <jansson.h>
#include <stdlib.h>
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/probe.h"

/* In the order in which auto takes them. */
static const struct { const char *name; unsigned bit; } frontends[] = {
	{ "inproc", MV_NEEDED_BY_INPROC },
	{ "ptrace", MV_NEEDED_BY_PTRACE },
};
#define NFRONTENDS (sizeof(frontends) / sizeof(frontends[0]))

static void help(void)
{
	printf("Usage: mvarmor check [--json]\n"
	       "\n"
	       "Tries what mvarmor run needs on this machine, and says what to do about what is missing.  Exit status 0 if\n"
	       "run can work, by one front-end at least, 1 if not.  Nothing is changed.\n"
	       "\n"
	       "Options:\n");
	mv_options_help(stdout, MV_CMD_CHECK);
}

static const char *cure(const struct mv_probe *p, const struct mv_finding *f)
{
	return f->cure[0] ? f->cure : p->cure;
}

static void print_text(const struct mv_probe *p, const struct mv_finding *f)
{
	printf("%-8s %s: %s\n", f->ok ? "ok" : p->needed_by == MV_NEEDED_BY_ALL ? "MISSING" : "limited", p->title, f->found);
	if (f->ok)
		return;
	printf("         so: %s\n", p->consequence);
	printf("         cure: %s\n", cure(p, f));
}

static json_t *as_json(const struct mv_probe *p, const struct mv_finding *f)
{
	json_t *needed_by = json_array(), *entry;

	for (unsigned i = 0; i < NFRONTENDS; i++)
		if (p->needed_by & frontends[i].bit)
			json_array_append_new(needed_by, json_string(frontends[i].name));
	entry = json_pack("{s:s, s:s, s:b, s:o, s:s}", "name", p->name, "title", p->title, "ok", (int)f->ok, "needed_by", needed_by,
			  "found", f->found);

	if (entry && !f->ok) {
		json_object_set_new(entry, "consequence", json_string(p->consequence));
		json_object_set_new(entry, "cure", json_string(cure(p, f)));
	}
	return entry;
}

/* Run all probes, and tell of each; the bits of the front-ends that cannot work. */
static unsigned probe_all(json_t *checks)
{
	unsigned lacking = 0;

	for (unsigned i = 0; i < mv_nprobes; i++) {
		struct mv_finding f;

		mv_probe_run(&mv_probes[i], &f);
		if (!f.ok)
			lacking |= mv_probes[i].needed_by;
		if (checks)
			json_array_append_new(checks, as_json(&mv_probes[i], &f));
		else
			print_text(&mv_probes[i], &f);
	}
	return lacking;
}

/* What auto is; NULL if none can work. */
static const char *chosen(unsigned lacking)
{
	for (unsigned i = 0; i < NFRONTENDS; i++)
		if (!(lacking & frontends[i].bit))
			return frontends[i].name;
	return NULL;
}

static int finish_json(json_t *checks, unsigned lacking)
{
	json_t *works = json_object(), *all;

	for (unsigned i = 0; i < NFRONTENDS; i++)
		json_object_set_new(works, frontends[i].name, json_boolean(!(lacking & frontends[i].bit)));
	all = json_pack("{s:b, s:s?, s:o, s:o}", "works", chosen(lacking) != NULL, "auto", chosen(lacking), "frontends", works, "checks",
			checks);
	if (!all || json_dumpf(all, stdout, JSON_INDENT(2)) < 0)
		return mv_cli_error("cannot write JSON");
	putchar('\n');
	json_decref(all);
	return 0;
}

static void finish_text(unsigned lacking)
{
	const char *name = chosen(lacking);

	putchar('\n');
	for (unsigned i = 0; i < NFRONTENDS; i++)
		printf("front-end %s %s.\n", frontends[i].name, lacking & frontends[i].bit ? "cannot work" : "can work");
	if (name)
		printf("mvarmor run can work on this machine; its default is -f %s.\n", name);
	else
		printf("mvarmor run cannot work on this machine.\n");
}

int mv_cmd_check(int argc, char **argv)
{
	struct mv_settings s;
	char error[320];
	unsigned lacking;
	json_t *checks;
	int rest;

	mv_options_defaults(&s);
	rest = mv_options_parse(&s, MV_CMD_CHECK, argc, argv, error, sizeof(error));
	if (rest < 0)
		return mv_cli_error("%s", error);
	if (s.help) {
		help();
		return mv_cli_finish(0);
	}
	if (rest < argc)
		return mv_cli_error("check takes no arguments, but '%s' was given", argv[rest]);
	checks = s.json ? json_array() : NULL;
	lacking = probe_all(checks);
	if (!s.json)
		finish_text(lacking);
	else if (finish_json(checks, lacking))
		return MV_STATUS_FAILURE;
	return mv_cli_finish(chosen(lacking) ? 0 : 1);
}
