#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include "cli/cli.h"
#include "cli/options.h"
#include "policy/nearest.h"

int mv_cli_error(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for (char *p = line; *p; p++)
		if (*p == '\n')
			*p = ' ';
	fprintf(stderr, "mvarmor: %s\n", line);
	return MV_STATUS_FAILURE;
}

int mv_cli_finish(int status)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return mv_cli_error("cannot write to standard output: %s", strerror(errno));
	return status;
}

static void help(void)
{
	printf("Usage: mvarmor run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
	       "       mvarmor check [--json]\n"
	       "       mvarmor policies [NAME|FILE]\n"
	       "\n"
	       "Runs diversified copies of a program side by side and stops them when they disagree.\n"
	       "\n"
	       "Commands:\n"
	       "  run                       run a program; mvarmor run --help lists the options\n"
	       "  check                     what this machine allows, and what to do about the rest\n"
	       "  policies                  the built-in policies, the text of one, or the errors of a file\n"
	       "\n"
	       "Options:\n");
	mv_options_help(stdout, MV_CMD_MAIN);
}

static int main_options(int argc, char **argv)
{
	struct mv_settings s;
	char error[320];

	mv_options_defaults(&s);

	int rest = mv_options_parse(&s, MV_CMD_MAIN, argc, argv, error, sizeof(error));

	if (rest < 0)
		return mv_cli_error("%s", error);
	if (s.help)
		help();
	else if (s.version)
		printf("mvarmor %s\n", MV_VERSION);
	else if (s.man_options)
		mv_options_man(stdout);
	else if (s.bash_completion)
		mv_options_bash_completion(stdout);
	else
		return mv_cli_error("no command given; there are run, check and policies (mvarmor --help)");
	return mv_cli_finish(0);
}

static int command(int argc, char **argv)
{
	static const char *const commands[] = { "run", "check", "policies" };

	if (argc < 2 || argv[1][0] == '-')
		return main_options(argc > 0 ? argc - 1 : 0, argv + 1);
	if (strcmp(argv[1], "run") == 0)
		return mv_cmd_run(argc - 2, argv + 2, environ);
	if (strcmp(argv[1], "check") == 0)
		return mv_cmd_check(argc - 2, argv + 2);
	if (strcmp(argv[1], "policies") == 0)
		return mv_cmd_policies(argc - 2, argv + 2);

	struct mv_nearest near = { .word = argv[1], .len = strlen(argv[1]) };

	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		mv_nearest_offer(&near, commands[i]);
	if (near.best)
		return mv_cli_error("unknown command '%s': did you mean %s?", argv[1], near.best);
	return mv_cli_error("unknown command '%s'; to run a program: mvarmor run -- %s", argv[1], argv[1]);
}

int main(int argc, char **argv)
{
	return mv_cli_with_stack(command, argc, argv);
}
