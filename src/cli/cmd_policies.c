#include "cli/cli.h"
#include "cli/options.h"

static void help(void)
{
	printf("Usage: mvarmor policies [NAME|FILE]\n"
	       "\n"
	       "Without a name, lists the built-in policies; with one, prints its text, which may serve as a start for a\n"
	       "policy file of your own (mvarmor run --policy FILE).  With a file, looks for errors in it.\n"
	       "\n"
	       "Options:\n");
	mv_options_help(stdout, MV_CMD_POLICIES);
}

static int print_one(const char *name)
{
	const char *text = mv_policy_text(name);
	struct mv_policy checked;
	char error[320];

	if (!text) {
		if (mv_load_policy(name, &checked, error, sizeof(error)) < 0)
			return mv_cli_error("%s", error);
		printf("%s: no errors\n", name);
		return mv_cli_finish(0);
	}
	fputs(text, stdout);
	return mv_cli_finish(0);
}

int mv_cmd_policies(int argc, char **argv)
{
	struct mv_settings s;
	char error[320];

	mv_options_defaults(&s);

	int rest = mv_options_parse(&s, MV_CMD_POLICIES, argc, argv, error, sizeof(error));

	if (rest < 0)
		return mv_cli_error("%s", error);
	if (s.help) {
		help();
		return mv_cli_finish(0);
	}
	if (argc - rest > 1)
		return mv_cli_error("one name at a time, but '%s' follows '%s'", argv[rest + 1], argv[rest]);
	if (argc > rest)
		return print_one(argv[rest]);

	for (const char *const *name = mv_policy_names(); *name; name++)
		printf("%-14s %s\n", *name, mv_policy_about(*name));
	return mv_cli_finish(0);
}
