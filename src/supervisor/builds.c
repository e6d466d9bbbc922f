/*
 * Other builds of the program as variants: what can be told about them before anything starts, and which programs they stand
 * for.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "engine/table.h"
#include "supervisor/builds.h"

static int refuse(struct mv_error *err, unsigned variant, const char *path, int status, const char *why)
{
	mv_error_set(err, 0, "--variant %u=%s: %s", variant, path, why);
	err->status = status;
	return -1;
}

static int check(unsigned variant, const char *path, struct mv_error *err)
{
	struct stat st;
	Elf64_Ehdr e;
	ssize_t n;
	int fd;

	if (stat(path, &st))
		return refuse(err, variant, path, errno == ENOENT || errno == ENOTDIR ? 127 : 126, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(err, variant, path, 126, "not a file");
	if (access(path, X_OK))
		return refuse(err, variant, path, 126, "not executable");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return refuse(err, variant, path, 126, strerror(errno));
	n = read(fd, &e, sizeof(e));
	close(fd);
	if (n >= 2 && !memcmp(&e, "#!", 2))
		return refuse(err, variant, path, 126, "a script: a variant is another build of a program, name that");
	if (n < (ssize_t)sizeof(e) || memcmp(e.e_ident, ELFMAG, SELFMAG))
		return refuse(err, variant, path, 126, "not a program (no ELF file)");
	if (e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_machine != EM_X86_64)
		return refuse(err, variant, path, 126, "a program for another architecture than x86-64");
	return 0;
}

int mv_builds_check(const struct mv_run_options *o, struct mv_error *err)
{
	for (unsigned v = 0; v < o->variants; v++)
		if (o->builds[v].path && check(v, o->builds[v].path, err))
			return -1;
	return 0;
}

const char *mv_build_path(const struct mv_run_options *o, const char *program, unsigned variant)
{
	return o->builds[variant].path ? o->builds[variant].path : program;
}

char **mv_build_argv(const struct mv_run_options *o, unsigned variant)
{
	const struct mv_build *b = &o->builds[variant];
	size_t n = 0;
	char **argv;

	while (o->argv[n])
		n++;
	argv = calloc(n + b->nargs + 1, sizeof(*argv));
	if (!argv)
		return NULL;
	argv[0] = o->argv[0];
	for (unsigned i = 0; i < b->nargs; i++)
		argv[1 + i] = b->args[i];
	memcpy(argv + 1 + b->nargs, o->argv + 1, (n - 1) * sizeof(*argv));
	return argv;
}

static bool sets(const struct mv_build *b, const char *entry)
{
	for (unsigned i = 0; i < b->nenv; i++)
		if (!strncmp(b->env[i], entry, strcspn(b->env[i], "=") + 1))
			return true;
	return false;
}

char **mv_build_envp(const struct mv_run_options *o, unsigned variant)
{
	const struct mv_build *b = &o->builds[variant];
	size_t n = 0, kept = 0;
	char **envp;

	while (o->envp[n])
		n++;
	envp = calloc(n + b->nenv + 1, sizeof(*envp));
	if (!envp)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!sets(b, o->envp[i]))
			envp[kept++] = o->envp[i];
	memcpy(envp + kept, b->env, b->nenv * sizeof(*envp));
	return envp;
}

static bool same_file(const char *path, const struct stat *st)
{
	struct stat other;

	return path && !stat(path, &other) && other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

const char *mv_build_instead(const struct mv_run_options *o, const char *program, unsigned variant, const struct stat *st)
{
	bool ours = same_file(program, st);

	for (unsigned v = 0; v < o->variants && !ours; v++)
		ours = same_file(o->builds[v].path, st);
	return ours ? mv_build_path(o, program, variant) : NULL;
}

static void tell_rule(FILE *out, unsigned variant, const struct mv_rules *rules, const struct mv_rule *r)
{
	if (r->who == MV_RULE_REPORT)
		fprintf(out, "variant %u (%s): report %d", variant, rules->name, r->fd);
	else
		fprintf(out, "variant %u (%s): allow %s %s%s%s", variant, rules->name, r->who == MV_RULE_LEADER ? "leader" : "follower",
			mv_table[r->nr].name, r->path[0] ? " file " : "", r->path);
	if (r->limit)
		fprintf(out, " limit %u", r->limit);
	fprintf(out, ": %u\n", r->used);
}

char *mv_rules_used(const struct mv_run *run)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	for (unsigned v = 1; out && v < mv_run_variants(run); v++) {
		const struct mv_rules *rules = mv_run_rules(run, v);

		for (uint32_t i = 0; i < rules->count && i < MV_RULES_MAX; i++)
			if (rules->rule[i].used && rules->rule[i].nr < MV_TABLE_SIZE)
				tell_rule(out, v, rules, &rules->rule[i]);
	}
	if (out)
		fclose(out);
	if (text && !*text) {
		free(text);
		text = NULL;
	}
	return text;
}
