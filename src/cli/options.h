/*
 * The one table of options: parsing, --help, the manual page, shell completion and environment names derive from it.
 *
 * Values come from the table's defaults, then the environment, then the command line; the later wins.
 */
#ifndef MV_CLI_OPTIONS_H
#define MV_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <multivar/multivar.h>
#include "supervisor/supervisor.h"

enum {	/* which commands an option belongs to */
	MV_CMD_MAIN = 1 << 0,		/* mvarmor without a command */
	MV_CMD_RUN = 1 << 1,
	MV_CMD_CHECK = 1 << 2,
	MV_CMD_POLICIES = 1 << 3,
};

enum mv_threads { MV_THREADS_FREE, MV_THREADS_TURNS, MV_THREADS_PARALLEL };
enum mv_turns { MV_TURNS_PROCESS, MV_TURNS_SHARED, MV_TURNS_VARIANT };
enum mv_colour { MV_COLOUR_AUTO, MV_COLOUR_ALWAYS, MV_COLOUR_NEVER };

/* What was asked for.  Strings belong to argv, the environment or the table. */
struct mv_settings {
	unsigned variants;
	const char *frontend;
	const char *policy;
	const char *output;		/* NULL: stderr */
	bool detach, foreground;
	const char *report;
	int status_fd;			/* -1: none */
	unsigned log_domains;
	unsigned layout;		/* enum mv_layout_mode */
	unsigned threads;		/* enum mv_threads */
	unsigned turns;			/* enum mv_turns */
	bool same_at_random;
	unsigned random;		/* 0 = the kernel's numbers, 1 = libraries' own */
	unsigned pku;			/* 0 = where there are protection keys, 1 = not */
	unsigned heap;			/* enum mv_heap_mode */
	const char *preload;		/* not an option: libraries that threads and heap ask for */
	unsigned slab_max, slab_pad;
	unsigned heap_fill;		/* 0 or 1 */
	struct mv_build builds[MV_VARIANTS_MAX];
	bool have_seed;
	uint64_t seed;
	unsigned ring;
	size_t arena;			/* bytes; 0 = auto */
	unsigned deadline_ms;
	unsigned divergence_status;
	unsigned on_divergence;		/* enum mv_recovery */
	unsigned restart;		/* times at most; 0: never */
	unsigned colour;		/* enum mv_colour */
	bool json;
	bool help, version, man_options, bash_completion;
};

#define MV_OPTION_ALIASES 2

struct mv_option {
	const char *name;		/* long name */
	char letter;			/* 0: none */
	unsigned commands;		/* MV_CMD_* */
	bool hidden;			/* not in help, manual and completion: for the build */
	const char *argument;		/* what the value is called; NULL: takes none */
	bool optional;			/* the value is given as --name=VALUE or not at all */
	const char *deflt;		/* parsed like a value; NULL: zero, or the parser's own */
	const char *aliases[MV_OPTION_ALIASES];	/* environment names besides MVARMOR_NAME */
	const char *help;		/* sentences without a full stop at the end */
	/* 0, or -1 with why filled: the value found and what would be right. */
	int (*parse)(struct mv_settings *s, const struct mv_option *o, const char *value, char *why, size_t size);
	size_t offset;			/* of the field in struct mv_settings */
	uint64_t min, max;		/* numbers */
	bool power_of_two;
	const char *limit;		/* numbers: what the limits are about, for messages; may be NULL */
	const char *const *choices;	/* words to choose from, NULL-terminated */
};

extern const struct mv_option mv_options[];
extern const unsigned mv_noptions;

/* Every value as the table has it. */
void mv_options_defaults(struct mv_settings *s);

/*
 * Take over what the environment says about run.  0, or -1 with error filled (naming the variable).  notice is called
 * for each variable that has no effect.
 */
int mv_options_environment(struct mv_settings *s, char *const *envp, void (*notice)(const char *text),
			   char *error, size_t size);

/* A copy of envp without our variables (array malloc()ed, strings shared); NULL when out of memory. */
char **mv_options_clean_environment(char *const *envp);

/*
 * Parse argv[0..argc) (no program or command name).  Options end at the first word that is none or after "--".  Returns
 * the index of the first such word (argc if there is none), or -1 with error filled.
 */
int mv_options_parse(struct mv_settings *s, unsigned command, int argc, char *const *argv, char *error, size_t size);

/* The environment name that derives from an option's name: MVARMOR_STATUS_FD.  Returns buf; size >= 64. */
char *mv_option_variable(const struct mv_option *o, char *buf, size_t size);

/* variant.c: the parser of --variant, and whether what was given fits the number of variants (0, or -1 with error filled). */
int mv_parse_variant(struct mv_settings *s, const struct mv_option *o, const char *value, char *why, size_t size);
int mv_check_variants(const struct mv_settings *s, char *error, size_t size);

/* options_text.c: the table as text. */
void mv_options_help(FILE *out, unsigned command);
void mv_options_man(FILE *out);			/* OPTIONS and ENVIRONMENT sections in scdoc's language */
void mv_options_bash_completion(FILE *out);

#endif
