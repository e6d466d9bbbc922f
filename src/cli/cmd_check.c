#include <jansson.h>
#include <stdlib.h>
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/probe.h"

static void help(void)
{
	printf("Usage: mvarmor check [--json]\n"
	       "\n"
	       "Tries what mvarmor run needs on this machine, and says what to do about what is missing.  Exit status 0 if\n"
	       "run can work, 1 if not.  Nothing is changed.\n"
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
	printf("%-8s %s: %s\n", f->ok ? "ok" : p->needed ? "MISSING" : "limited", p->title, f->found);
	if (f->ok)
		return;
	printf("         so: %s\n", p->consequence);
	printf("         cure: %s\n", cure(p, f));
}

static json_t *as_json(const struct mv_probe *p, const struct mv_finding *f)
{
	json_t *entry = json_pack("{s:s, s:s, s:b, s:b, s:s}", "name", p->name, "title", p->title, "ok", (int)f->ok, "needed",
				  (int)p->needed, "found", f->found);

	if (entry && !f->ok) {
		json_object_set_new(entry, "consequence", json_string(p->consequence));
		json_object_set_new(entry, "cure", json_string(cure(p, f)));
	}
	return entry;
}

int mv_cmd_check(int argc, char **argv)
{
	struct mv_settings s;
	char error[320];
	json_t *checks = json_array();
	bool works = true;

	mv_options_defaults(&s);

	int rest = mv_options_parse(&s, MV_CMD_CHECK, argc, argv, error, sizeof(error));

	if (rest < 0)
		return mv_cli_error("%s", error);
	if (s.help) {
		help();
		return mv_cli_finish(0);
	}
	if (rest < argc)
		return mv_cli_error("check takes no arguments, but '%s' was given", argv[rest]);
	for (unsigned i = 0; i < mv_nprobes; i++) {
		struct mv_finding f;

		mv_probe_run(&mv_probes[i], &f);
		if (mv_probes[i].needed && !f.ok)
			works = false;
		if (s.json)
			json_array_append_new(checks, as_json(&mv_probes[i], &f));
		else
			print_text(&mv_probes[i], &f);
	}
	if (s.json) {
		json_t *all = json_pack("{s:b, s:o}", "works", (int)works, "checks", checks);

		if (!all || json_dumpf(all, stdout, JSON_INDENT(2)) < 0)
			return mv_cli_error("cannot write JSON");
		putchar('\n');
		json_decref(all);
	} else {
		json_decref(checks);
		printf("\nmvarmor run %s on this machine.\n", works ? "can work" : "cannot work");
	}
	return mv_cli_finish(works ? 0 : 1);
}
