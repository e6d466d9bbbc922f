/*
 * One run from start to end: find the program, make the engine's run, hand both to the front-end, tell what came of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "frontend/frontend.h"
#include "builds.h"
#include "report.h"
#include "supervisor.h"
#include "verdict.h"

#define IMAGES ((size_t)32 << 20)	/* what a front-end may append to the arena */

/* What auto would rather have comes first; the last one needs no more than all do. */
static const struct mv_frontend *const frontends[] = { &mv_frontend_inproc, &mv_frontend_ptrace };

/* NULL with *err filled. */
static const struct mv_frontend *choose_frontend(const struct mv_run_options *o, struct mv_error *err)
{
	bool any = !strcmp("auto", o->frontend);

	mv_error_set(err, 0, "no front-end is called %s", o->frontend);
	for (size_t i = 0; i < sizeof(frontends) / sizeof(*frontends); i++) {
		const struct mv_frontend *f = frontends[i];

		if (!any && strcmp(f->name, o->frontend))
			continue;
		if (!f->lacks || !f->lacks(o, err))
			return f;
		if (any)
			mv_log(MV_LOG_NOTICE, "front-end %s cannot run here: %s (see mvarmor check)", f->name, err->text);
	}
	return NULL;
}

/* The file that execvp() would run: 0, or -1 with *err and its status as a shell has it. */
static int find_program(const char *name, char path[4096], struct mv_error *err)
{
	const char *p = getenv("PATH"), *end;
	struct stat st;
	int found = 0;

	if (strchr(name, '/')) {
		snprintf(path, 4096, "%s", name);
		if (!access(path, X_OK) && !stat(path, &st) && S_ISREG(st.st_mode))
			return 0;
		mv_error_set(err, stat(path, &st) ? errno : EACCES, "cannot run %s", name);
		err->status = err->code == ENOENT || err->code == ENOTDIR ? 127 : 126;
		return -1;
	}
	for (p = p ? p : "/usr/local/bin:/usr/bin:/bin"; *name; p = end + 1) {
		end = strchrnul(p, ':');
		snprintf(path, 4096, "%.*s%s%s", (int)(end - p), p, end > p ? "/" : "", name);
		if (!stat(path, &st) && S_ISREG(st.st_mode)) {
			if (!access(path, X_OK))
				return 0;
			found = EACCES;
		}
		if (!*end)
			break;
	}
	mv_error_set(err, found, found ? "cannot run %s" : "%s: command not found", name);
	err->status = found ? 126 : 127;
	return -1;
}

static int make_run(const struct mv_run_options *o, struct mv_session *s, void **arena, struct mv_error *err)
{
	struct mv_config c = {
		.variants = o->variants, .ring_records = o->ring_records, .ring_bytes = 512 * 1024,
		.layout = o->layout, .turns = o->turns && o->variants > 1, .turns_shared = o->turns_shared,
		.turns_all = o->turns_all, .parallel = o->parallel && o->variants > 1, .policy = o->policy, .heap = o->heap,
		.slab_max = o->slab_max, .slab_pad = o->slab_pad,
		.heap_fill = o->heap_fill, .spare = o->recovery != MV_RECOVER_KILL,
	};
	int fd = memfd_create("mvarmor-arena", MFD_CLOEXEC);

	for (unsigned v = 1; v < o->variants; v++)
		c.rules[v] = o->builds[v].path ? o->builds[v].rules : NULL;
	if (o->have_seed)
		c.seed[0] = o->seed;
	else if (getrandom(c.seed, sizeof(c.seed), 0) != sizeof(c.seed))
		return mv_error_set(err, errno, "cannot get random bytes");
	/* A small arena gets small streams. */
	while (c.ring_bytes > 16384 && c.ring_bytes > o->arena_size / 64)
		c.ring_bytes /= 2;
	if (fd < 0 || ftruncate(fd, (off_t)o->arena_size)) {
		mv_error_set(err, errno, "cannot make an arena of %zu bytes", o->arena_size);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*arena = mmap(NULL, o->arena_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	s->arena = fd;
	s->arena_at = *arena;
	if (*arena == MAP_FAILED)
		return mv_error_set(err, errno, "cannot map an arena of %zu bytes", o->arena_size);
	s->run = mv_run_new(*arena, o->arena_size, &c);
	for (unsigned v = 0; s->run && v < o->variants; v++)
		for (unsigned i = 0; i < o->builds[v].nenv; i++)
			mv_run_own_setting(s->run, o->builds[v].env[i]);
	if (!s->run) {
		munmap(*arena, o->arena_size);
		return mv_error_set(err, 0, "an arena of %zu bytes is too small (raise --arena)", o->arena_size);
	}
	return 0;
}

/* FILE, FILE.2, FILE.3; with .json at the end FILE.json, FILE.2.json. */
static void write_report(const struct mv_run_options *o, const struct mv_report *r, unsigned number)
{
	size_t n = strlen(o->report_path);
	bool json = n > 5 && !strcmp(o->report_path + n - 5, ".json");
	char *path = NULL;
	FILE *f = NULL;

	if (number > 1 && asprintf(&path, "%.*s.%u%s", (int)(json ? n - 5 : n), o->report_path, number, json ? ".json" : "") < 0)
		path = NULL;
	if (number == 1 || path)
		f = fopen(path ? path : o->report_path, "we");
	if (!f || (json ? mv_report_json(f, r) : (mv_report_text(f, r, false), 0)))
		fprintf(o->log, "mvarmor: cannot write the report to %s: %s\n", path ? path : o->report_path, strerror(errno));
	if (f)
		fclose(f);
	free(path);
}

/* What the run was, one line, for the report. */
static char *command_line(char *const *argv)
{
	size_t size = 1;
	char *line;

	for (char *const *a = argv; *a; a++)
		size += strlen(*a) + 1;
	line = calloc(1, size);
	for (char *const *a = argv; line && *a; a++) {
		strcat(line, *a);
		if (a[1])
			strcat(line, " ");
	}
	return line;
}

static char *words(const struct mv_run *run)
{
	size_t len;
	const char *text = mv_run_report(run, &len);

	return strndup(text, len);
}

/* Everything but verdict and snapshots is filled here; r is empty afterwards. */
static void tell(struct mv_session *s)
{
	const struct mv_run_options *o = s->options;
	struct mv_report *r = &s->report;

	r->command = command_line(o->argv);
	r->variants = o->variants;
	r->number = o->recovery == MV_RECOVER_KILL ? 0 : s->outcome->divergences;
	r->words = r->verdict.difference == MV_DIFF_REPORT ? words(s->run) : NULL;
	r->rules = mv_rules_used(s->run);
	r->hint = mv_verdict_hint(&r->verdict, mv_run_racing(s->run));
	snprintf(r->policy, sizeof(r->policy), "%s", o->policy->name);
	mv_report_text(o->log, r, o->colour);
	fflush(o->log);
	if (o->report_path)
		write_report(o, r, o->reports_before + ++s->outcome->reports);
	mv_report_free(r);
	memset(r, 0, sizeof(*r));
}

static void tell_dropped(struct mv_session *s)
{
	s->report.dropped = true;
	tell(s);
}

/* How often each rule was used: what is told at the end of every run that has rules. */
static void log_rules(const struct mv_run *run)
{
	char *all = mv_rules_used(run), *save = NULL;

	for (char *line = all ? strtok_r(all, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
		mv_log(MV_LOG_RULES, "%s", line);
	free(all);
}

static void conclude(struct mv_session *s, struct mv_error *err)
{
	const struct mv_verdict *v = mv_run_verdict(s->run);
	const struct mv_run_options *o = s->options;
	struct mv_report *r = &s->report;

	if (v->kind == MV_VERDICT_NONE)
		return;
	if (o->recovery == MV_RECOVER_KILL && v->kind == MV_VERDICT_DIVERGENCE)
		s->outcome->divergences++;
	if (v->kind == MV_VERDICT_FAILURE) {
		s->outcome->kind = MV_OUTCOME_FAILED;
		mv_error_set(err, 0, "%s", v->text);
		return;
	}
	if (!r->snapshots)
		r->verdict = *v;
	s->outcome->kind = v->kind == MV_VERDICT_DIVERGENCE ? MV_OUTCOME_DIVERGENCE : MV_OUTCOME_UNSUPPORTED;
	mv_verdict_line(&r->verdict, s->outcome->line, sizeof(s->outcome->line));
	tell(s);
}

int mv_supervise(const struct mv_run_options *o, struct mv_outcome *outcome, struct mv_error *err)
{
	const struct mv_frontend *frontend;
	struct mv_session s = { .options = o, .outcome = outcome, .tell = tell_dropped };
	char path[4096];
	void *arena = NULL;
	int result;

	memset(outcome, 0, sizeof(*outcome));
	outcome->kind = MV_OUTCOME_FAILED;
	outcome->research = o->recovery == MV_RECOVER_REPORT;
	if (find_program(o->argv[0], path, err) || mv_builds_check(o, err))
		return -1;
	if (access("/proc/self/status", R_OK))
		return mv_error_set(err, errno, "/proc is not mounted (mount -t proc proc /proc)");
	s.path = path;
	mv_log_setup(o->log, o->log_domains);
	frontend = choose_frontend(o, err);
	if (!frontend)
		return -1;
	if (mv_limits_raise(&s.limits, o->arena_size + IMAGES, err))
		return -1;
	if (make_run(o, &s, &arena, err)) {
		mv_limits_restore(&s.limits, 0);
		return -1;
	}
	result = frontend->run(&s, err);
	if (result)
		outcome->kind = MV_OUTCOME_FAILED;
	else
		conclude(&s, err);
	log_rules(s.run);
	mv_report_free(&s.report);
	munmap(arena, o->arena_size);
	close(s.arena);
	mv_limits_restore(&s.limits, 0);
	return outcome->kind == MV_OUTCOME_FAILED ? result ? result : -1 : 0;
}
