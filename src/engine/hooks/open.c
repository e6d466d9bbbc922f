/*
 * open, openat, openat2, creat: the leader opens, followers plant placeholders; files of /proc that describe the process
 * itself are each variant's own.
 */
#include "engine/internal.h"

#define NR_OPEN 2
#define NR_CLOSE 3
#define NR_CREAT 85
#define NR_OPENAT 257
#define NR_DUP3 292
#define NR_OPENAT2 437
#define NR_MKDIR 83
#define O_CLOEXEC_ 02000000

/* AUX_PROC: index into own_files + 1; AUX_EACH: is one of each_files; AUX_OF: ... of a process by number, and where in the path its name is << 32 */
enum { AUX_PLANT, AUX_PROC, AUX_EACH, AUX_OF };

/*
 * What a program reads to find its way in its own address space.  smaps and the like are read for their sums, which must
 * agree: there the leader answers for all.
 */
static const char *const own_files[] = { "maps", "auxv" };
/* What is written to a user namespace, which each variant has for itself: all open theirs, and write. */
static const char *const each_files[] = { "uid_map", "gid_map", "projid_map", "setgroups" };
/* Ways to read and write memory past the engine. */
static const char *const denied_files[] = { "mem", "pagemap", "clear_refs" };

const char *mv_proc_file(uint64_t handle)
{
	uint64_t i = handle - MV_HANDLE_PROC;

	return handle >= MV_HANDLE_PROC && i < sizeof(own_files) / sizeof(*own_files) ? own_files[i] : NULL;
}

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* If path starts with prefix, what follows. */
static const char *after(const char *path, const char *prefix)
{
	while (*prefix)
		if (*path++ != *prefix++)
			return NULL;
	return path;
}

/* A decimal number and a slash: what follows, else NULL. */
static const char *after_any_number(const char *p, uint64_t *n)
{
	*n = 0;
	if (*p < '1' || *p > '9')
		return NULL;
	for (; *p >= '0' && *p <= '9' && *n <= UINT32_MAX; p++)
		*n = *n * 10 + (unsigned)(*p - '0');
	return *p == '/' && *n <= UINT32_MAX ? p + 1 : NULL;
}

static const char *after_number(const char *p, uint32_t value)
{
	uint64_t n;

	p = after_any_number(p, &n);
	return p && n == value ? p : NULL;
}

/* The name inside the process's own /proc directory, or NULL if path is something else. */
static const char *own_proc_name(const struct mv_thread *t, const char *path)
{
	const char *p = after(path, "/proc/"), *name;

	if (!p)
		return NULL;
	name = after(p, "self/");
	if (!name)
		name = after(p, "thread-self/");
	if (!name)
		name = after_number(p, t->process->pid);
	if (name && after(name, "task/")) {
		p = after_number(name + 5, t->tid);
		name = p ? p : name;
	}
	return name;
}

static bool is_each_file(const char *name)
{
	for (unsigned i = 0; i < sizeof(each_files) / sizeof(*each_files); i++)
		if (same(name, each_files[i]))
			return true;
	return false;
}

/* Is it such a file of the process that has this number?  To the kernel that is the leader's. */
static void look_for_number(struct mv_thread *t, const char *path)
{
	const char *p = after(path, "/proc/");
	uint64_t n;

	p = p ? after_any_number(p, &n) : NULL;
	if (p && is_each_file(p))
		t->aux[AUX_OF] = n | (uint64_t)(p - path) << 32;
}

static uint64_t path_of(const struct mv_thread *t)
{
	return t->call.args[t->call.nr == NR_OPEN || t->call.nr == NR_CREAT ? 0 : 1];
}

static int prepare(struct mv_thread *t)
{
	char path[64];
	const char *name;

	if (mv_peek_str(t, path_of(t), path, sizeof(path)) < 0)
		return 0;	/* too long to be one of ours, or a fault that the kernel will find */
	look_for_number(t, path);
	name = own_proc_name(t, path);
	if (!name)
		return 0;
	for (unsigned i = 0; i < sizeof(denied_files) / sizeof(*denied_files); i++)
		if (same(name, denied_files[i]))
			return -EACCES;
	for (unsigned i = 0; i < sizeof(own_files) / sizeof(*own_files); i++)
		if (same(name, own_files[i]))
			t->aux[AUX_PROC] = i + 1;
	t->aux[AUX_EACH] = after(path, "/proc/self/") && is_each_file(name);
	return 0;
}

#define O_WRONLY_ 01u
#define O_TRUNC_ 01000u
#define O_CREAT_ 0100u
#define O_EXCL_ 0200u

/* mkstemp: whoever makes a new file under a name that must not exist yet may have drawn that name. */
static void reconcile(struct mv_thread *t, const struct mv_record *rec, const void *payload)
{
	bool first = t->call.nr == NR_OPEN;
	uint64_t flags = t->call.args[first ? 1 : 2];

	if (t->call.nr != NR_CREAT && t->call.nr != NR_OPENAT2 && flags & O_CREAT_ && flags & O_EXCL_)
		mv_adopt_temporary_name(t, rec, payload, first ? 0 : 1);
}

static uint64_t flags_of(struct mv_thread *t)
{
	uint64_t flags;

	switch (t->call.nr) {
	case NR_CREAT:
		return O_CREAT_ | O_WRONLY_ | O_TRUNC_;
	case NR_OPEN:
		return t->call.args[1];
	case NR_OPENAT2:
		return mv_peek_all(t, t->call.args[2], &flags, 8) ? flags : 0;
	default:
		return t->call.args[2];
	}
}

static bool wants_cloexec(struct mv_thread *t)
{
	return flags_of(t) & O_CLOEXEC_;
}

/* The leader: are there twins of it that have such a file, too? */
static void collect(struct mv_thread *t)
{
	if (t->aux[AUX_OF])
		mv_export(t, &(struct mv_share){ .fd = MV_EXPORT_PROCESS, .offset = (uint32_t)t->aux[AUX_OF] }, &t->extra);
}

/*
 * The file of the twin, by its directory and what is behind the number in the path.  The directory takes the number that the file gets in the
 * end.  Who has ended meanwhile has none: then a placeholder does.
 */
static bool open_of_twin(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	uint64_t name = path_of(t) + (t->aux[AUX_OF] >> 32), dir = t->aux[AUX_EACH];
	uint64_t cloexec = wants_cloexec(t) ? O_CLOEXEC_ : 0;

	switch (t->step) {
	case 0:
		return mv_ask_import(step, t->extra, -1, true);
	case 1:
		t->aux[AUX_EACH] = dir = (uint64_t)last;
		t->own = last;
		return !is_error(last) && mv_ask(step, NR_OPENAT, dir, name, flags_of(t));
	case 2:
		t->own = last;
		if (is_error(last))
			return mv_ask(step, NR_CLOSE, dir, 0, 0);
		return mv_ask(step, NR_DUP3, (uint64_t)last, dir, cloexec);
	case 3:
		if (is_error(t->own)) {
			t->extra = 0;
			t->own = t->result;
			return mv_plant(t, &t->aux[AUX_PLANT], (int)t->result, cloexec, last, step);
		}
		return mv_ask(step, NR_CLOSE, (uint64_t)t->own, 0, 0);
	default:
		t->own = t->result;
		return mv_renumber(t, &t->aux[AUX_PLANT], (int)dir, (int)t->result, last, step);
	}
}

static bool follow(struct mv_thread *t, int64_t last, struct mv_step *step)
{
	if (t->extra)
		return open_of_twin(t, last, step);
	if (t->aux[AUX_EACH] && !t->aux[AUX_OF]) {
		if (!t->step)
			return mv_ask_own(t, step);
		if (t->step == 1)
			t->own = last;
		if (is_error(t->own) || mv_renumber(t, &t->aux[AUX_PLANT], (int)t->own, (int)t->result, last, step))
			return !is_error(t->own);
		t->own = t->result;
		return false;
	}
	t->own = t->result;
	if (t->aux[AUX_PROC]) {
		if (t->step) {
			t->own = last;
			return false;
		}
		return mv_ask_import(step, MV_HANDLE_PROC + t->aux[AUX_PROC] - 1, (int)t->result, wants_cloexec(t));
	}
	return mv_plant(t, &t->aux[AUX_PLANT], (int)t->result, wants_cloexec(t), last, step);
}

static void done(struct mv_thread *t)
{
	bool each = t->extra || (t->aux[AUX_EACH] && !t->aux[AUX_OF]);
	unsigned flags = t->aux[AUX_PROC] ? MV_FD_OWN : each ? MV_FD_TWIN | MV_FD_HELD : t->leads ? 0 : MV_FD_PLACEHOLDER;

	if (!is_error(t->result))
		mv_fd_set(t->process->files, t->result, (struct mv_fd){ .kind = MV_FDKIND_FILE, .flags = (uint8_t)flags });
	if (t->leads)
		mv_look_begin(t);
}

/* mkdtemp */
static void mkdir_reconcile(struct mv_thread *t, const struct mv_record *rec, const void *payload)
{
	bool first = t->call.nr == NR_MKDIR;

	if ((t->call.args[first ? 1 : 2] & 07777) == 0700)
		mv_adopt_temporary_name(t, rec, payload, first ? 0 : 1);
}

const struct mv_hook mv_hook_mkdir = { .reconcile = mkdir_reconcile };

const struct mv_hook mv_hook_open = { .prepare = prepare, .reconcile = reconcile, .collect = collect, .follow = follow, .done = done };

/* ---- utimensat: a time that is "now" or "leave it" has seconds that mean nothing ---- */

#define UTIME_NOW_ 0x3fffffff
#define UTIME_OMIT_ 0x3ffffffe

static void times_normalise(struct mv_thread *t)
{
	int64_t times[4];

	if (!t->call.args[2] || !mv_peek_all(t, t->call.args[2], times, sizeof(times)))
		return;
	for (unsigned i = 0; i < 4; i += 2)
		if (times[i + 1] == UTIME_NOW_ || times[i + 1] == UTIME_OMIT_)
			times[i] = 0;
	mv_blob_put(t->blob, times, sizeof(times), t->run->config.seed);
}

const struct mv_hook mv_hook_utimens = { .normalise = times_normalise };
