/*
 * Open files on their way from the leader to the followers: taken out of the leader with pidfd_getfd, put into a follower
 * with the seccomp notification's ADDFD, so that neither side needs any permission or path.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "pt.h"

/* A file opened with O_PATH cannot be handed over; the same file opened for reading can. */
static int presentable(int file)
{
	char path[32];
	int again;

	if (!(fcntl(file, F_GETFL) & O_PATH))
		return file;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	again = open(path, O_RDONLY | O_CLOEXEC);
	if (again < 0)
		return file;
	close(file);
	return again;
}

/* Whatever maps it shared gets memory of its own. */
static bool is_zero(int file)
{
	struct stat st;

	return !fstat(file, &st) && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 5);
}

static bool writable(int file)
{
	return (fcntl(file, F_GETFL) & O_ACCMODE) == O_RDWR;
}

/* A follower that only looks must not be able to change its mind by mprotect(). */
static int for_looks(int file)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	again = writable(file) ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	if (again < 0)
		return file;
	close(file);
	return again;
}

/* A file of which there is no shadow is a memfd, of which each variant has its own at that number. */
static int prepare_copy(struct pt *pt, struct pt_export *e, const struct mv_share *share)
{
	off_t end;

	e->copied.from = share->offset;
	e->copied.len = share->len;
	e->copied.to = share->fd;
	e->shadow = pt_shadow_find(pt, e->fd);
	if (e->shadow)
		pt_shadow_ref(e->shadow);
	else if (share->how & MV_SHARE_IF_SHADOWED)
		return -EBADF;
	e->copied.sized = share->how & MV_SHARE_SIZED;
	if (share->offset == UINT64_MAX) {
		end = lseek(e->fd, 0, SEEK_CUR);
		if (end < 0 || (uint64_t)end < share->len)
			return -EBADF;
		e->copied.from = (uint64_t)end - share->len;
		e->copied.moves = true;
	}
	return 0;
}

static bool same_file(int a, int b)
{
	struct stat one, other;

	return fstat(a, &one) || fstat(b, &other) || (one.st_dev == other.st_dev && one.st_ino == other.st_ino);
}

/* The follower's own file. */
static int file_of(const struct pt_task *t, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, t->process->tgid, 0);
	int file = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	int err = errno;

	if (pidfd >= 0)
		close(pidfd);
	return file < 0 ? -err : file;
}

/* Where a descriptor is the leader's own after all there is nothing to do. */
static int copy_to_twin(const struct pt_task *t, const struct pt_export *e)
{
	int file = file_of(t, e->copied.to), r = 0;

	if (file < 0)
		return file;
	if (!same_file(file, e->fd)) {
		r = pt_shadow_copy(e->fd, file, e->copied.from, e->copied.len);
		if (!r && e->copied.moves && lseek(file, (off_t)(e->copied.from + e->copied.len), SEEK_SET) < 0)
			r = -errno;
	}
	close(file);
	return r;
}

/* In the place of the file there is something that nobody can do anything with. */
static int copied(const struct pt_task *t, const struct pt_export *e)
{
	int own = e->shadow ? pt_shadow_own(e->shadow, t->variant) : -1, r, fd;
	struct stat st;

	if (e->copied.sized)
		r = own < 0 || (!fstat(e->fd, &st) && !ftruncate(own, st.st_size)) ? 0 : -errno;
	else
		r = own < 0 ? copy_to_twin(t, e) : pt_shadow_copy(e->fd, own, e->copied.from, e->copied.len);
	if (r)
		return r;
	fd = open("/dev/null", O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* What the twins get, and what the engine must know of it. */
static int prepare(struct pt *pt, struct pt_export *e, const struct mv_share *share, uint64_t *kind)
{
	int r;

	*kind = 0;
	if (share->how & MV_SHARE_COPIED)
		return prepare_copy(pt, e, share);
	r = pt_shadow_of(pt, e->fd, share, &e->shadow);
	if (e->shadow) {
		pt_shadow_ref(e->shadow);
		*kind = MV_HANDLE_SHADOW;
	} else if (share->how & MV_SHARE_WRITTEN) {
		*kind = is_zero(e->fd) ? MV_HANDLE_SHADOW : MV_HANDLE_COPY;
	} else if (share->how & MV_SHARE_MAPPED) {
		e->fd = for_looks(e->fd);
	}
	return r;
}

static void export_free(struct pt_export *e)
{
	if (e->shadow)
		pt_shadow_unref(e->shadow);
	if (e->fd >= 0)
		close(e->fd);
	free(e);
}

/* Of a process that has ended since, one where nothing is found. */
static int open_process(const struct pt_task *t, uint32_t number)
{
	const struct pt_task *of = pt_task_twin(t->pt, t->variant, number);
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d", of ? of->tid : 0);
	fd = open(of ? path : "/proc/tty", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A directory that the thread's paths start from. */
static int open_directory(const struct pt_task *t, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", t->process->tgid, t->tid, name);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The twins may have it; *handle is its name with kind in it. */
static void enlist(struct pt *pt, struct pt_export *e, uint64_t kind, uint64_t *handle)
{
	e->handle = *handle = ++pt->handles | kind;
	e->wanted = ((1u << pt->nvariants) - 1) & ~(1u << pt->leader) & ~pt->dropped;
	if (e->wanted)
		HASH_ADD(hh, pt->exports, handle, sizeof(e->handle), e);
	else
		export_free(e);
}

static int export_process(struct pt_task *t, uint32_t number, uint64_t *handle)
{
	struct pt_export *e;

	if (!pt_task_twin(t->pt, t->variant, number))
		return -EBADF;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->fd = -1;
	e->process = number;
	enlist(t->pt, e, 0, handle);
	return 0;
}

int pt_export(void *task, const struct mv_share *share, uint64_t *handle)
{
	struct pt_task *t = task;
	struct pt *pt = t->pt;
	struct pt_export *e;
	uint64_t kind;
	int file, r;

	if (share->fd == MV_EXPORT_PROCESS)
		return export_process(t, (uint32_t)share->offset, handle);
	if (t->process->pidfd < 0)
		t->process->pidfd = (int)syscall(SYS_pidfd_open, t->process->tgid, 0);
	if (t->process->pidfd < 0)
		return -errno;
	if (share->fd == MV_EXPORT_ROOT || share->fd == MV_EXPORT_CWD)
		file = open_directory(t, share->fd == MV_EXPORT_ROOT ? "root" : "cwd");
	else
		file = (int)syscall(SYS_pidfd_getfd, t->process->pidfd, share->fd, 0);
	if (file < 0)
		return -errno;
	e = calloc(1, sizeof(*e));
	if (!e) {
		close(file);
		return -ENOMEM;
	}
	e->fd = presentable(file);
	r = prepare(pt, e, share, &kind);
	if (r)
		export_free(e);
	else
		enlist(pt, e, kind, handle);
	return r;
}

int pt_import_source(struct pt_task *t, const struct mv_step *step)
{
	const char *own = mv_proc_file(step->handle);
	struct pt *pt = t->pt;
	struct pt_export *e;
	int fd;

	if (own) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/%s", t->process->tgid, own);
		if (pt->mode->proc_copy && !strcmp(own, "maps"))
			return pt->mode->proc_copy(pt, path);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	HASH_FIND(hh, pt->exports, &step->handle, sizeof(step->handle), e);
	if (!e)
		return -ENOENT;
	if (e->process)
		return open_process(t, e->process);
	if (e->copied.len || e->copied.sized)
		return copied(t, e);
	if (e->shadow)
		return pt_shadow_open(e->shadow, t->variant, writable(e->fd));
	fd = fcntl(e->fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

static void imported(struct pt *pt, struct pt_export *e, unsigned variant)
{
	e->wanted &= ~(1u << variant);
	if (e->wanted)
		return;
	HASH_DEL(pt->exports, e);
	export_free(e);
}

void pt_import_done(struct pt_task *t, const struct mv_step *step)
{
	struct pt *pt = t->pt;
	struct pt_export *e;

	HASH_FIND(hh, pt->exports, &step->handle, sizeof(step->handle), e);
	if (e)
		imported(pt, e, t->variant);
}

void pt_exports_drop(struct pt *pt, unsigned variant)
{
	struct pt_export *e, *next;

	HASH_ITER(hh, pt->exports, e, next)
		imported(pt, e, variant);
	pt_shadows_drop(pt, variant);
}

/* Our own timer must not get between. */
static int own_ioctl(int fd, unsigned long request, void *arg)
{
	int result;

	do
		result = ioctl(fd, request, arg);
	while (result < 0 && errno == EINTR);
	return result;
}

/* Has the thread stopped elsewhere, or died?  What the kernel has to tell of it is left for the loop. */
static bool turned_away(pid_t tid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)tid, &info, WEXITED | WSTOPPED | WNOWAIT | WNOHANG | __WALL) || info.si_pid;
}

/* The thread is on its way to the wait for its file.  What no mask keeps off can hold it up there: a stop, its death. */
static enum pt_import arrives(struct pt_task *t, struct seccomp_notif *req)
{
	struct pollfd p = { .fd = t->pt->variants[t->variant].listener, .events = POLLIN };
	long deadline = (long)t->pt->session->options->deadline_ms;
	struct timespec start;

	pt_now(&start);
	for (;;) {
		if (poll(&p, 1, 10) == 1 && p.revents & POLLIN && !own_ioctl(p.fd, SECCOMP_IOCTL_NOTIF_RECV, req))
			return PT_IMPORT_SERVED;
		if (turned_away(t->tid))
			return PT_IMPORT_TURNED_AWAY;
		if (deadline && pt_ms_since(&start) >= deadline) {
			errno = ETIMEDOUT;
			return PT_IMPORT_FAILED;
		}
	}
}

/*
 * File and answer at once, which spares the thread a wake-up (Linux 5.14).  What gets us out of the wait for the thread to take it
 * takes the file back, but not the answer, which is then 0.  Signals can be kept off; who stops us, freezes our cgroup or suspends
 * the machine cannot.  -1, errno EINVAL: an older kernel.
 */
static int add_and_answer(int listener, struct seccomp_notif_addfd add)
{
	sigset_t all, old;
	int added, e;

	add.flags |= SECCOMP_ADDFD_FLAG_SEND;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	added = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	e = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = e;
	return added;
}

static struct seccomp_notif_addfd give(uint64_t id, int file, int fd, bool cloexec)
{
	struct seccomp_notif_addfd add = { .id = id, .srcfd = (uint32_t)file, .newfd_flags = cloexec ? O_CLOEXEC : 0 };

	if (fd >= 0) {
		add.flags = SECCOMP_ADDFD_FLAG_SETFD;
		add.newfd = (uint32_t)fd;
	}
	return add;
}

/* First the file, then the answer. */
static enum pt_import add_then_answer(int listener, struct seccomp_notif_addfd add, int *fd)
{
	struct seccomp_notif_resp resp = { .id = add.id };
	int added = own_ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);

	if (added < 0)
		resp.error = -errno;
	else
		resp.val = *fd = added;
	if (!own_ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp))
		return PT_IMPORT_SERVED;
	return errno == ENOENT ? PT_IMPORT_TURNED_AWAY : PT_IMPORT_FAILED;
}

/* A frozen thread leaves the wait without a stop, and comes back with another request. */
enum pt_import pt_hand_over(struct pt_task *t, int file, int *fd, bool cloexec)
{
	int listener = t->pt->variants[t->variant].listener;
	enum pt_import r;

	do {
		struct seccomp_notif req = { 0 };

		r = arrives(t, &req);
		if (r != PT_IMPORT_SERVED)
			return r;
		r = add_then_answer(listener, give(req.id, file, *fd, cloexec), fd);
	} while (r == PT_IMPORT_TURNED_AWAY);
	return r;
}

enum pt_import pt_import_serve(struct pt_task *t, const struct mv_step *step, int file)
{
	int listener = t->pt->variants[t->variant].listener, fd = step->fd;
	enum pt_import r;

	t->lost = false;
	do {
		struct seccomp_notif req = { 0 };
		struct seccomp_notif_addfd add;

		r = arrives(t, &req);
		if (r != PT_IMPORT_SERVED)
			return r;
		add = give(req.id, file, fd, step->cloexec);
		t->lost = false;
		if (add_and_answer(listener, add) >= 0)
			return PT_IMPORT_SERVED;
		/* Made again after a stop of ours, the call finds the request answered, or gone. */
		t->lost = errno == EINPROGRESS || errno == ENOENT;
		r = t->lost ? PT_IMPORT_TURNED_AWAY : add_then_answer(listener, add, &fd);
	} while (r == PT_IMPORT_TURNED_AWAY);
	return r;
}

bool pt_import_again(const struct pt_task *t, int64_t result)
{
	return PT_RESTARTS(result) || (t->lost && !result);
}

void pt_exports_free(struct pt *pt)
{
	struct pt_export *e, *next;

	HASH_ITER(hh, pt->exports, e, next) {
		HASH_DEL(pt->exports, e);
		export_free(e);
	}
	pt_shadows_free(pt);
}
