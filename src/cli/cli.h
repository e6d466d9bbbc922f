/* The commands of mvarmor.  Each returns the exit status. */
#ifndef MV_CLI_CLI_H
#define MV_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>
#include "supervisor/supervisor.h"

enum {
	MV_STATUS_DIVERGENCE = 86,	/* the default of --divergence-status */
	MV_STATUS_UNSUPPORTED = 87,
	MV_STATUS_FAILURE = 125,	/* ours, also for wrong usage */
	MV_STATUS_NOT_EXECUTABLE = 126,
	MV_STATUS_NOT_FOUND = 127,
};

/* argc and argv without the program's and the command's name. */
int mv_cmd_run(int argc, char **argv, char **envp);
int mv_cmd_check(int argc, char **argv);
int mv_cmd_policies(int argc, char **argv);

/* "mvarmor: " and the text on standard error; returns MV_STATUS_FAILURE. */
int mv_cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Flush standard output; returns status, or MV_STATUS_FAILURE with a message if it could not be written. */
int mv_cli_finish(int status);

/* ---- arena.c ---- */

/* Bytes for the arena: what was asked for; for 0 as much as limits of memory and files leave room for, 512 MiB to 4 GiB. */
size_t mv_cli_arena(size_t asked);

/* ---- stack.c ---- */

/* run(argc, argv) with a stack that is large enough for it, whatever RLIMIT_STACK is. */
int mv_cli_with_stack(int (*run)(int argc, char **argv), int argc, char **argv);

/* ---- restart.c ---- */

/*
 * mv_supervise(), again and again while a divergence ends the run, but at most max times again.  The outcome is the last run's,
 * but for its counts, which are those of all.  Changes the options: every run has a seed and reports of its own.
 */
int mv_run_restarting(struct mv_run_options *options, unsigned max, struct mv_outcome *outcome, struct mv_error *err);

/* ---- exit_status.c ---- */

/* The exit status an outcome asks for; signals as 128 + signal. */
int mv_exit_status(const struct mv_outcome *outcome, const struct mv_error *err, int divergence_status);
/* End this process as outcome says: by the same signal, if it was one.  Does not return. */
_Noreturn void mv_exit_as(const struct mv_outcome *outcome, const struct mv_error *err, int divergence_status);
/* One line of JSON about the outcome to fd; 0 or -errno. */
int mv_exit_write_status(int fd, const struct mv_outcome *outcome, const struct mv_error *err, int divergence_status);

/* ---- load_policy.c ---- */

/* A built-in policy or a file.  0, or -1 with error filled. */
int mv_load_policy(const char *name, struct mv_policy *out, char *error, size_t size);

#endif
