/* mvarmor run: from the command line to mv_supervise() and back to an exit status. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/options.h"

#define NOTICES_MAX 16
#define HIGH_FD 100	/* our descriptors go here or above, out of the program's way */

/* Notices found before it is known where messages go. */
static char *notices[NOTICES_MAX];
static unsigned nnotices;

static void keep_notice(const char *text)
{
	if (nnotices < NOTICES_MAX && (notices[nnotices] = strdup(text)))
		nnotices++;
}

static void help(void)
{
	printf("Usage: mvarmor run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
	       "\n"
	       "Runs PROGRAM as several diversified variants that act as one, and stops them when they disagree.\n"
	       "Options end at PROGRAM or at \"--\".\n"
	       "\n"
	       "Options:\n");
	mv_options_help(stdout, MV_CMD_RUN);
	printf("\n"
	       "Every option has an environment variable of its name, such as MVARMOR_VARIANTS or MVARMOR_STATUS_FD;\n"
	       "the names of the original MvArmor work too (see mvarmor(1)).\n"
	       "\n"
	       "Exit status: the program's own, or death by the signal that killed it; %d (or --divergence-status) after a\n"
	       "divergence that ended it (under --on-divergence report: any), %d if the program needs what mvarmor does not\n"
	       "support, %d if mvarmor itself failed, %d if the program cannot be executed, %d if it was not found.\n",
	       MV_STATUS_DIVERGENCE, MV_STATUS_UNSUPPORTED, MV_STATUS_FAILURE, MV_STATUS_NOT_EXECUTABLE,
	       MV_STATUS_NOT_FOUND);
}

/* A descriptor of ours that the program neither inherits nor meets; fd itself is closed unless it is a standard one. */
static int take_away(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (high < 0)
		high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (high >= 0 && fd > STDERR_FILENO)
		close(fd);
	return high;
}

static int take_status_fd(struct mv_settings *s)
{
	int flags = fcntl(s->status_fd, F_GETFL);

	if (flags < 0)
		return mv_cli_error("--status-fd %d: %s; open it for mvarmor, as in %d>status.json", s->status_fd,
				    strerror(errno), s->status_fd);
	if ((flags & O_ACCMODE) == O_RDONLY)
		return mv_cli_error("--status-fd %d: it is open for reading only", s->status_fd);

	int fd = take_away(s->status_fd);

	if (fd < 0)
		return mv_cli_error("--status-fd %d: cannot duplicate it: %s", s->status_fd, strerror(errno));
	s->status_fd = fd;
	return 0;
}

/* Where messages go: NULL after an error that has been told. */
static FILE *open_log(const struct mv_settings *s)
{
	int fd = s->output ? open(s->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666) : STDERR_FILENO;
	FILE *log = NULL;

	if (fd < 0) {
		mv_cli_error("cannot open %s for messages: %s", s->output, strerror(errno));
		return NULL;
	}

	/* Without a standard error there is nowhere to write, but the program may run. */
	if (!s->output && fcntl(fd, F_GETFD) < 0)
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	int high = fd >= 0 ? take_away(fd) : -1;

	if (high >= 0)
		log = fdopen(high, "w");
	if (!log)
		mv_cli_error("cannot open %s for messages: %s", s->output ? s->output : "standard error", strerror(errno));
	else
		setvbuf(log, NULL, _IOLBF, 0);
	return log;
}

/* A report that cannot be written should be known before there is something to report. */
static int check_report(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? strndup(path, slash > path ? (size_t)(slash - path) : 1) : strdup(".");
	int ret = access(path, W_OK);

	if (ret < 0 && errno == ENOENT && directory)
		ret = access(directory, W_OK | X_OK);
	free(directory);
	return ret < 0 ? mv_cli_error("cannot write the report to %s: %s", path, strerror(errno)) : 0;
}

static bool want_colour(const struct mv_settings *s, FILE *log)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	if (s->colour != MV_COLOUR_AUTO)
		return s->colour == MV_COLOUR_ALWAYS;
	return isatty(fileno(log)) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

/* 0, or 126 or 127: can name be executed as the path it is? */
static int check_executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? MV_STATUS_NOT_FOUND : MV_STATUS_NOT_EXECUTABLE;
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : MV_STATUS_NOT_EXECUTABLE;
}

/* What can be told about the program before going to the background, where nobody sees the exit status. */
static int check_program(const char *name)
{
	const char *path = getenv("PATH");
	int found = MV_STATUS_NOT_FOUND;

	if (strchr(name, '/'))
		return check_executable(name);
	for (path = path ? path : "/bin:/usr/bin"; ; path++) {
		size_t len = strcspn(path, ":");
		char full[4096];

		if (snprintf(full, sizeof(full), "%.*s/%s", len ? (int)len : 1, len ? path : ".", name) < (int)sizeof(full)) {
			int status = check_executable(full);

			if (status == 0)
				return 0;
			if (status == MV_STATUS_NOT_EXECUTABLE)
				found = status;
		}
		path += len;
		if (!*path)
			return found;
	}
}

/* Go to the background; the parent ends here.  0 or an exit status after an error that has been told. */
static int detach(const char *program)
{
	int status = check_program(program);

	if (status == MV_STATUS_NOT_FOUND)
		mv_cli_error("%s: program not found", program);
	else if (status)
		mv_cli_error("%s: not executable", program);
	if (status)
		return status;

	pid_t pid = fork();

	if (pid < 0)
		return mv_cli_error("--detach: cannot fork: %s", strerror(errno));
	if (pid > 0)
		_exit(0);
	setsid();
	/* Reading the terminal from a session without one fails; standard output stays where the user put it. */
	if (isatty(STDIN_FILENO)) {
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (null >= 0) {
			dup2(null, STDIN_FILENO);
			close(null);
		}
	}
	return 0;
}

/* A library of ours as it was built beside us, or as it is installed; malloc()ed.  NULL after an error that has been told. */
static char *find_library(const char *option, const char *name, const char *built, const char *installed)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - strlen(built) - 1);
	char *slash;

	path[n > 0 ? n : 0] = 0;
	slash = strrchr(path, '/');
	if (slash) {
		strcpy(slash + 1, built);
		if (access(path, R_OK) == 0 && !strpbrk(path, ": "))
			return strdup(path);	/* ld.so would take such a path for two */
	}
	if (access(installed, R_OK) == 0)
		return strdup(installed);
	mv_cli_error("%s: there is no %s, neither %s nor %s: %s", option, name, path, installed, strerror(errno));
	return NULL;
}

/* 0, or an exit status after an error that has been told. */
static int find_libraries(struct mv_settings *s)
{
	bool parallel = s->threads == MV_THREADS_PARALLEL && s->variants > 1;
	char *sync = NULL, *heap = NULL, *both;

	if (parallel && !(sync = find_library("--threads=parallel", "libmvsync", MV_SYNC_BUILT, MV_SYNC_INSTALLED)))
		return MV_STATUS_FAILURE;
	if (s->heap != MV_HEAP_OFF && !(heap = find_library("--heap", "libmvheap", MV_HEAP_BUILT, MV_HEAP_INSTALLED)))
		return MV_STATUS_FAILURE;
	s->preload = sync ? sync : heap;
	if (!sync || !heap)
		return 0;
	if (asprintf(&both, "%s:%s", sync, heap) < 0)
		return mv_cli_error("out of memory");
	s->preload = both;
	return 0;
}

static int run(struct mv_settings *s, const struct mv_policy *policy, char **argv, char **envp, FILE *log)
{
	struct mv_run_options options = {
		.variants = s->variants,
		.frontend = s->frontend,
		.policy = policy,
		.layout = (enum mv_layout_mode)s->layout,
		.turns = s->threads == MV_THREADS_TURNS,
		.turns_shared = s->turns == MV_TURNS_SHARED, .turns_all = s->turns == MV_TURNS_VARIANT,
		.parallel = s->threads == MV_THREADS_PARALLEL,
		.same_at_random = s->same_at_random,
		.own_random = s->random,
		.no_keys = s->pku,
		.heap = (enum mv_heap_mode)s->heap,
		.preload = s->preload,
		.slab_max = s->slab_max,
		.slab_pad = s->slab_pad,
		.heap_fill = s->heap_fill,
		.recovery = (enum mv_recovery)s->on_divergence,
		.have_seed = s->have_seed,
		.seed = s->seed,
		.arena_size = mv_cli_arena(s->arena),
		.ring_records = s->ring,
		.deadline_ms = s->deadline_ms,
		.report_path = s->report,
		.log = log,
		.colour = want_colour(s, log),
		.log_domains = s->log_domains,
		.argv = argv,
		.envp = envp,
	};
	struct mv_outcome outcome = { .kind = MV_OUTCOME_FAILED };
	struct mv_error err = { 0 };

	memcpy(options.builds, s->builds, sizeof(options.builds));
	if (mv_run_restarting(&options, s->restart, &outcome, &err) < 0)
		outcome.kind = MV_OUTCOME_FAILED;
	/* Nobody may be left to read what we still have to say; our own end must say how the program ended. */
	signal(SIGPIPE, SIG_IGN);
	if (outcome.kind == MV_OUTCOME_FAILED)
		fprintf(log, "mvarmor: %s\n", err.text);
	if (s->status_fd >= 0) {
		int ret = mv_exit_write_status(s->status_fd, &outcome, &err, (int)s->divergence_status);

		if (ret < 0)
			fprintf(log, "mvarmor: cannot write to --status-fd: %s\n", strerror(-ret));
	}
	mv_exit_as(&outcome, &err, (int)s->divergence_status);
}

int mv_cmd_run(int argc, char **argv, char **envp)
{
	struct mv_settings s;
	struct mv_policy *policy = malloc(sizeof(*policy));
	char error[320];

	mv_options_defaults(&s);
	if (!policy)
		return mv_cli_error("out of memory");

	int rest = mv_options_environment(&s, envp, keep_notice, error, sizeof(error));

	if (rest == 0)
		rest = mv_options_parse(&s, MV_CMD_RUN, argc, argv, error, sizeof(error));
	if (rest < 0)
		return mv_cli_error("%s", error);
	if (s.help) {
		help();
		return mv_cli_finish(0);
	}
	if (rest == argc)
		return mv_cli_error("no program given; as in: mvarmor run -- PROGRAM ARGUMENTS");
	if (!*argv[rest])
		return mv_cli_error("the program's name is empty");
	if (s.on_divergence == MV_RECOVER_VOTE && s.variants < 3)
		return mv_cli_error("--on-divergence vote: of %u variants none is a majority; use -n 3 or more, or drop", s.variants);
	if (s.on_divergence == MV_RECOVER_VOTE && s.threads == MV_THREADS_PARALLEL)
		return mv_cli_error("--on-divergence vote: with --threads=parallel no follower can take the leader's place; use drop");
	if (mv_check_variants(&s, error, sizeof(error)) < 0)
		return mv_cli_error("%s", error);
	if (mv_load_policy(s.policy, policy, error, sizeof(error)) < 0)
		return mv_cli_error("%s", error);
	if (find_libraries(&s))
		return MV_STATUS_FAILURE;
	if (s.report && check_report(s.report))
		return MV_STATUS_FAILURE;
	if (s.status_fd >= 0) {
		int status = take_status_fd(&s);

		if (status)
			return status;
	}

	char **clean = mv_options_clean_environment(envp);
	FILE *log = clean ? open_log(&s) : NULL;

	if (!clean)
		return mv_cli_error("out of memory");
	if (!log)
		return MV_STATUS_FAILURE;
	mv_log_setup(log, s.log_domains);
	for (unsigned i = 0; i < nnotices; i++)
		mv_log(MV_LOG_NOTICE, "%s", notices[i]);
	if (s.detach && !s.foreground) {
		int status = detach(argv[rest]);

		if (status)
			return status;
	}
	return run(&s, policy, argv + rest, clean, log);
}
