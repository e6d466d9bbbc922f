/*
 * The ptrace front-end's loop: wait for a stop, handle it, let whoever waited for that go on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/log.h"
#include "engine/table.h"
#include "pt.h"

/* Signal handlers have nothing but globals to talk to. */
static volatile sig_atomic_t ticked, told_to_end;
static struct { volatile sig_atomic_t sig, from; } sent[16];
static volatile sig_atomic_t nsent;

static const int forwarded[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH };
#define NFORWARDED (sizeof(forwarded) / sizeof(*forwarded))

void pt_fail(struct pt *pt, int code, const char *format, ...)
{
	char text[200];
	va_list ap;

	if (pt->failed)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	mv_error_set(pt->err, code, "%s", text);
	pt->failed = true;
}

static void on_tick(int sig)
{
	(void)sig;
	ticked = 1;
}

/*
 * What somebody sends to us is meant for the program.  What the terminal sends, it sends to the program too.  The loop does
 * the rest; the timer wakes it if it was just about to sleep.
 */
static void on_forwarded(int sig, siginfo_t *info, void *context)
{
	struct itimerval soon = { .it_interval = { 0, PT_HOLD_MS * 1000 }, .it_value = { 0, 1000 } };

	(void)context;
	if (sig == SIGINT || sig == SIGQUIT || sig == SIGTERM)
		told_to_end = 1;
	if (info->si_code > 0 || nsent == (int)(sizeof(sent) / sizeof(*sent)))
		return;
	sent[nsent].sig = sig;
	sent[nsent].from = info->si_pid;
	nsent = nsent + 1;
	setitimer(ITIMER_REAL, &soon, NULL);
}

static void catch_signals(struct sigaction saved[NFORWARDED + 2])
{
	struct sigaction child;
	struct sigaction forward = { .sa_sigaction = on_forwarded, .sa_flags = SA_SIGINFO };
	struct sigaction tick = { .sa_handler = on_tick };

	for (size_t i = 0; i < NFORWARDED; i++) {
		sigaction(forwarded[i], NULL, &saved[i]);
		if (saved[i].sa_handler != SIG_IGN)
			sigaction(forwarded[i], &forward, NULL);
	}
	sigaction(SIGALRM, &tick, &saved[NFORWARDED]);
	/* The loop waits for stops: a signal for each of them is only work for the kernel. */
	sigaction(SIGCHLD, NULL, &saved[NFORWARDED + 1]);
	child = saved[NFORWARDED + 1];
	child.sa_flags |= SA_NOCLDSTOP;
	sigaction(SIGCHLD, &child, NULL);
}

static void restore_signals(const struct sigaction saved[NFORWARDED + 2])
{
	struct itimerval off = { 0 };

	setitimer(ITIMER_REAL, &off, NULL);
	for (size_t i = 0; i < NFORWARDED; i++)
		sigaction(forwarded[i], &saved[i], NULL);
	sigaction(SIGALRM, &saved[NFORWARDED], NULL);
	sigaction(SIGCHLD, &saved[NFORWARDED + 1], NULL);
}

static uint64_t bit(int sig)
{
	return (uint64_t)1 << (sig & 63);
}

/*
 * To the program's first process, or to all that are left when that is gone.  One that has been killed and not been waited
 * for takes signals and loses them.
 */
static void send_on(struct pt *pt, int sig)
{
	if (!pt->root_gone) {
		pt->owed |= bit(sig);
		kill(pt->variants[pt->leader].root, sig);
		return;
	}
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next)
		if (pt_leads(t) && t->tid == t->process->tgid)
			kill(t->tid, sig);
}

static void forward(struct pt *pt)
{
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	for (int i = 0; i < nsent; i++) {
		struct pt_task *from = pt_task_find(pt, sent[i].from);

		/* What the program sends to its own process group has reached it already. */
		if (!from || !pt_leads(from))
			send_on(pt, sent[i].sig);
	}
	nsent = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/* ---- ends ---- */

static void root_ended(struct pt *pt, int status)
{
	struct mv_outcome *o = pt->session->outcome;

	pt->root_gone = true;
	o->kind = WIFEXITED(status) ? MV_OUTCOME_EXITED : MV_OUTCOME_SIGNALED;
	o->status = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
	o->core = WIFSIGNALED(status) && WCOREDUMP(status);
	for (int sig = 1; sig < 64; sig++)
		if (pt->owed & bit(sig))
			send_on(pt, sig);
	pt->owed = 0;
}

/* A leader's process was killed: its twins come to where it was, and no further. */
static void kill_twins(struct pt *pt, uint32_t id)
{
	for (unsigned v = 0; v < pt->nvariants; v++) {
		struct pt_task *twin = pt_is_out(pt, v) && !(pt->changing >> v & 1) ? NULL : pt_task_twin(pt, v, id);

		if (v == pt->leader || (pt_is_out(pt, v) && !(pt->changing >> v & 1)))
			continue;
		if (twin)
			pt_outlive(twin);
		else
			pt_doom(pt, v, id);	/* not made yet: its parent is behind the leader */
	}
}

static bool recovers(const struct pt *pt)
{
	return pt->session->options->recovery != MV_RECOVER_KILL;
}

static void killed_from_outside(struct pt *pt, unsigned variant, pid_t tgid, int sig)
{
	char text[120];

	snprintf(text, sizeof(text), "variant %u (process %d) was killed from outside by signal %d", variant, tgid, sig);
	mv_run_fail(pt->run, MV_VERDICT_FAILURE, text);
}

void pt_on_end(struct pt_task *t, int status)
{
	struct pt *pt = t->pt;
	bool killed = WIFSIGNALED(status), last = t->process->threads == 1, expected = t->process->expected_death;
	unsigned variant = t->variant;
	pid_t tgid = t->process->tgid, tid = t->tid;
	uint32_t id = t->id;
	bool outside;

	mv_log(MV_LOG_PROCESS, "variant %u: thread %d of process %d ends, status %#x", variant, tid, tgid, status);
	/* Any other signal than SIGKILL a follower has been given by us. */
	outside = variant != pt->leader && killed && last && !expected && !pt_is_out(pt, variant) && WTERMSIG(status) == SIGKILL &&
		  pt_task_twin(pt, pt->leader, t->id);
	if (outside && recovers(pt))
		pt->mode->absent(t, "it was killed from outside");
	pt->mode->on_gone(t, killed ? WTERMSIG(status) : 0);
	pt_task_free(t);
	pt->moved = true;
	if (outside && !recovers(pt))
		killed_from_outside(pt, variant, tgid, WTERMSIG(status));
	if (variant != pt->leader)
		return;
	if (killed && last && !expected)
		kill_twins(pt, id);
	if (tid == pt->variants[variant].root && last)
		root_ended(pt, status);
}

/* ---- dispatch ---- */

/* After an exec of a thread that was not the first: it takes over the first one's number, all others are gone. */
static struct pt_task *exec_task(struct pt *pt, struct pt_task *t, pid_t former)
{
	struct pt_task *other, *next, *self = pt_task_find(pt, former);

	if (!self)
		self = t;
	HASH_ITER(hh, pt->tasks, other, next) {
		if (other == self || other->process != self->process)
			continue;
		pt->mode->on_gone(other, 0);
		pt_task_free(other);
	}
	if (self->tid != self->process->tgid) {
		HASH_DEL(pt->tasks, self);
		self->tid = self->process->tgid;
		HASH_ADD_INT(pt->tasks, tid, self);
	}
	return self;
}

static pid_t event_tid(const struct pt_task *t)
{
	unsigned long message = 0;

	ptrace(PTRACE_GETEVENTMSG, t->tid, 0, &message);
	return (pid_t)message;
}

static void on_event(struct pt_task *t, int event, int sig)
{
	switch (event) {
	case PTRACE_EVENT_SECCOMP:
		t->pt->mode->on_seccomp(t);
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		t->pt->mode->on_clone(t, event_tid(t));
		break;
	case PTRACE_EVENT_EXEC:
		t->pt->mode->on_exec(exec_task(t->pt, t, event_tid(t)));
		break;
	case PTRACE_EVENT_STOP:
		t->pt->mode->on_stop(t, sig);
		break;
	default:
		pt_resume(t, PTRACE_CONT, 0);
	}
}

static void on_signal(struct pt_task *t, int sig)
{
	if (t->process->tgid == t->pt->variants[t->pt->leader].root)
		t->pt->owed &= ~bit(sig);
	if (sig != SIGTRAP || !pt_spin_hit(t))
		t->pt->mode->on_signal(t, sig);
}

static void on_stop(struct pt_task *t, int status)
{
	if (status >> 16)
		on_event(t, status >> 16, WSTOPSIG(status));
	else if (WSTOPSIG(status) == (SIGTRAP | 0x80))
		t->pt->mode->on_exit(t);
	else
		on_signal(t, WSTOPSIG(status));
}

void pt_dispatch(struct pt *pt, pid_t tid, int status)
{
	struct pt_task *t = pt_task_find(pt, tid);

	if (!WIFSTOPPED(status)) {
		if (t)
			pt_on_end(t, status);
		else
			pt_stray_take(pt, tid);
		return;
	}
	if (!t) {
		pt_stray_add(pt, tid);	/* a new thread that is faster than the event of its creation */
		return;
	}
	/* Whatever it stops for takes the place of the stop that PTRACE_INTERRUPT asked for. */
	t->interrupting = false;
	if (t->rests || pt_task_is_out(t)) {
		t->at = PT_AT_EVENT;	/* it goes nowhere, unless its variant is cleared */
		t->kept = true;
		t->status = status;
		return;
	}
	on_stop(t, status);
}

void pt_take_kept(struct pt_task *t)
{
	t->kept = false;
	on_stop(t, t->status);
}

static bool going_on(const struct pt *pt)
{
	return pt->tasks && !pt->failed && mv_run_verdict(pt->run)->kind == MV_VERDICT_NONE;
}

static void loop(struct pt *pt)
{
	while (going_on(pt)) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		pt_forget_pages(pt);
		if (tid > 0) {
			pt_dispatch(pt, tid, status);
			pt->moved = true;
			pt->stops++;
		}
		if (tid < 0 && errno != EINTR)
			pt_fail(pt, errno, "cannot wait for the variants");
		if (nsent)
			forward(pt);
		if (ticked) {
			ticked = 0;
			pt->mode->tick(pt);
		}
		pt_recover(pt);
		while (pt->moved && going_on(pt)) {
			pt->moved = false;
			pt->mode->retry(pt);
			pt_recover(pt);
		}
	}
}

static unsigned inherited_kind(int fd)
{
	static const struct { mode_t mode; unsigned kind; } kinds[] = {
		{ S_IFSOCK, MV_FDKIND_SOCKET }, { S_IFIFO, MV_FDKIND_PIPE }, { S_IFCHR, MV_FDKIND_TTY }, { S_IFREG, MV_FDKIND_FILE },
	};

	unsigned kind = MV_FDKIND_OTHER;
	struct stat st;

	if (fstat(fd, &st) || fcntl(fd, F_GETFD) & FD_CLOEXEC)
		return MV_FDKIND_NONE;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if ((st.st_mode & S_IFMT) == kinds[i].mode)
			kind = kinds[i].kind;
	return kind;
}

static int find_inherited(struct pt *pt)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;

	if (!dir)
		return mv_error_set(pt->err, errno, "cannot list the open files");
	while ((e = readdir(dir))) {
		int fd = e->d_name[0] == '.' ? -1 : atoi(e->d_name);

		if (fd >= 0 && fd < PT_FDS_MAX)
			pt->inherited[fd] = (uint8_t)inherited_kind(fd);
	}
	closedir(dir);
	return 0;
}

static void inherited_descriptors(struct pt *pt)
{
	for (int fd = 0; fd < PT_FDS_MAX; fd++)
		for (struct pt_task *t = pt->tasks; pt->inherited[fd] && t; t = t->hh.next)
			if (mv_process_fd(mv_thread_process(t->thread), fd, pt->inherited[fd]))
				pt_fail(pt, ENOMEM, "cannot start");
}

/* What is sent meanwhile waits, here and in the children, until both can deal with it: half of all this cannot be interrupted. */
static int launch_all(struct pt *pt)
{
	int result = 0;
	sigset_t held;

	sigemptyset(&held);
	for (size_t i = 0; i < NFORWARDED; i++)
		sigaddset(&held, forwarded[i]);
	sigprocmask(SIG_BLOCK, &held, &pt->mask);
	for (unsigned v = 0; v < pt->nvariants && !result; v++)
		result = pt_launch(pt, v, pt->err);
	sigprocmask(SIG_SETMASK, &pt->mask, NULL);
	return result;
}

static int start(struct pt *pt)
{
	int result = launch_all(pt);

	if (result)
		return result;
	if (!pt->mode->engine_inside)
		inherited_descriptors(pt);
	for (struct pt_task *t = pt->tasks; t; t = t->hh.next)
		pt_resume(t, PTRACE_CONT, 0);
	return 0;
}

int pt_choose_secret(struct pt *pt)
{
	const struct mv_run_options *o = pt->session->options;

	pt->secret[0] = o->seed;
	if (getrandom(&pt->cookie, sizeof(pt->cookie), 0) != sizeof(pt->cookie) ||
	    (!o->have_seed && getrandom(pt->secret, sizeof(pt->secret), 0) != sizeof(pt->secret)))
		return mv_error_set(pt->err, errno, "cannot get random bytes");
	return 0;
}

int pt_run(struct pt *pt)
{
	struct sigaction saved[NFORWARDED + 2];
	int result;

	for (unsigned v = 0; v < pt->nvariants; v++)
		pt->variants[v] = (struct pt_variant){ .listener = -1, .control = -1 };
	result = find_inherited(pt);
	if (result)
		return result;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pt_counter_probe(pt);
	nsent = 0;
	told_to_end = 0;
	catch_signals(saved);
	result = start(pt);
	pt_tick_fast(pt);
	if (!result) {
		/*
		 * The variants may not read the time stamp counter, and switching between a thread that may and one that may
		 * not writes a control register, which costs more than all the rest of a stop on a virtual machine.
		 */
		prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
		loop(pt);
		prctl(PR_SET_TSC, PR_TSC_ENABLE);
	}
	pt_affinity_end(pt);
	if (!result && !pt->failed && mv_run_verdict(pt->run)->kind != MV_VERDICT_NONE)
		pt_snapshots(pt);
	pt_kill_all(pt);
	restore_signals(saved);
	pt->session->outcome->told_to_end = told_to_end;
	return result ? result : pt->failed ? -1 : 0;
}

static uint64_t pt_set(const struct pt_task *t)
{
	return t->thread ? mv_thread_set(t->thread) : 0;
}

static bool pt_in_program(struct pt_task *t)
{
	return t->thread && !mv_thread_in_call(t->thread) && !t->inject_sig && !t->held && !t->return_ip && pt_get_regs(t) &&
	       (int64_t)t->regs.orig_rax < 0;
}

static const struct pt_mode engine_here = {
	.filter = pt_filter, .first = pt_first, .on_seccomp = pt_on_entry, .on_exit = pt_on_exit, .on_clone = pt_on_clone,
	.on_exec = pt_on_exec, .on_signal = pt_on_signal, .on_stop = pt_on_stop, .on_gone = pt_on_gone, .on_ended = pt_on_ended,
	.retry = pt_retry_parked, .tick = pt_tick, .progress = pt_progress, .absent = pt_absent,
	.standing = pt_standing, .history = pt_history, .look = pt_look,
	.set = pt_set, .in_program = pt_in_program, .spin = pt_spin, .set_free = pt_set_free,
	.stands = pt_stands, .is_quiet = pt_is_quiet, .rests = pt_rests, .meets = pt_meets, .files = pt_files, .call_at = pt_call_at, .again = pt_again,
};

static int run(struct mv_session *session, struct mv_error *err)
{
	struct pt pt = { .mode = &engine_here, .session = session, .run = session->run,
			 .nvariants = session->options->variants, .err = err };
	int r = pt_choose_secret(&pt);

	if (r)
		return r;
	pt_answer_start(&pt);
	pt_affinity_start(&pt);
	return pt_run(&pt);
}

const struct mv_frontend mv_frontend_ptrace = { .name = "ptrace", .run = run };
