/* How mvarmor ends: like the program, or with a status of its own that says why not (design.md section 16). */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "cli/cli.h"

/* The program has ended by itself, but after divergences that are to be told. */
static bool tells(const struct mv_outcome *outcome)
{
	return outcome->research && outcome->divergences &&
	       (outcome->kind == MV_OUTCOME_EXITED || outcome->kind == MV_OUTCOME_SIGNALED);
}

int mv_exit_status(const struct mv_outcome *outcome, const struct mv_error *err, int divergence_status)
{
	if (tells(outcome))
		return divergence_status;
	switch (outcome->kind) {
	case MV_OUTCOME_EXITED:
		return outcome->status & 0xff;
	case MV_OUTCOME_SIGNALED:
		return 128 + outcome->status;
	case MV_OUTCOME_DIVERGENCE:
		return divergence_status;
	case MV_OUTCOME_UNSUPPORTED:
		return MV_STATUS_UNSUPPORTED;
	case MV_OUTCOME_FAILED:
		break;
	}
	return err->status ? err->status : MV_STATUS_FAILURE;
}

_Noreturn void mv_exit_as(const struct mv_outcome *outcome, const struct mv_error *err, int divergence_status)
{
	int status = mv_exit_status(outcome, err, divergence_status);

	fflush(NULL);
	if (outcome->kind == MV_OUTCOME_SIGNALED && !tells(outcome)) {
		/* Never a core of our own: it could overwrite the program's. */
		struct rlimit none = { 0, 0 };
		sigset_t set;

		setrlimit(RLIMIT_CORE, &none);
		signal(outcome->status, SIG_DFL);
		sigemptyset(&set);
		sigaddset(&set, outcome->status);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		raise(outcome->status);
		/* Still here: init of a PID namespace, or a signal that does not kill. */
	}
	_exit(status);
}

static json_t *describe(const struct mv_outcome *outcome, const struct mv_error *err, int exit_status)
{
	switch (outcome->kind) {
	case MV_OUTCOME_EXITED:
		return json_pack("{s:s, s:i}", "kind", "exited", "status", outcome->status);
	case MV_OUTCOME_SIGNALED:
		return json_pack("{s:s, s:i, s:s?, s:b, s:i}", "kind", "signaled", "signal", outcome->status, "name",
				 sigabbrev_np(outcome->status), "core", (int)outcome->core, "status", exit_status);
	case MV_OUTCOME_DIVERGENCE:
		return json_pack("{s:s, s:i, s:s%}", "kind", "divergence", "status", exit_status, "line", outcome->line,
				 strnlen(outcome->line, sizeof(outcome->line)));
	case MV_OUTCOME_UNSUPPORTED:
		return json_pack("{s:s, s:i, s:s%}", "kind", "unsupported", "status", exit_status, "line", outcome->line,
				 strnlen(outcome->line, sizeof(outcome->line)));
	case MV_OUTCOME_FAILED:
		break;
	}
	return json_pack("{s:s, s:i, s:s}", "kind", "failed", "status", exit_status, "line", err->text);
}

/* jansson takes valid UTF-8 only; a line that quotes a program's bytes may not be. */
static void make_ascii(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			*text = '?';
}

int mv_exit_write_status(int fd, const struct mv_outcome *outcome, const struct mv_error *err, int divergence_status)
{
	struct mv_outcome o = *outcome;
	struct mv_error e = *err;

	o.line[sizeof(o.line) - 1] = '\0';
	make_ascii(o.line);
	make_ascii(e.text);

	json_t *json = describe(&o, &e, mv_exit_status(outcome, err, divergence_status));
	if (outcome->divergences)
		json_object_set_new(json, "divergences", json_integer(outcome->divergences));
	if (outcome->restarts)
		json_object_set_new(json, "restarts", json_integer(outcome->restarts));

	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0, done = 0;
	int ret = text ? 0 : -ENOMEM;

	if (text)
		text[len++] = '\n';	/* in the place of the NUL: the length is known */
	while (!ret && done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			ret = -errno;
	}
	free(text);
	json_decref(json);
	return ret;
}
