/*
 * test: timeout=60 corners
 *
 * What a handler does to every call that waits, with SA_RESTART and without: end it, or let it go on.  Many at the same time, each
 * in a process of its own, which a child signals, and later kills.
 */
#include <linux/futex.h>
#include <mqueue.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include "check.h"

#define SIGNAL_AFTER 250
#define KILL_AFTER 1000		/* the signal */
#define TIMEOUT 10		/* seconds, of calls that have one: later */
#define AT_ONCE 20

static const struct timespec timeout = { TIMEOUT, 0 };
static volatile sig_atomic_t ticks;
static int fds[2], full[2], s[2], semaphore, queue, full_queue, locked;
static char block[4096];
static struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

static void fill(int fd)
{
	NEED(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	NEED(fcntl(fd, F_SETFL, 0) == 0);
}

static void no_prepare(void) { }
static void make_pipe(void) { NEED(pipe(fds) == 0); }
static void make_pair(void) { NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0); }
static void make_full(void) { NEED(pipe(full) == 0); fill(full[1]); }
static void make_full_pair(void) { make_pair(); fill(s[0]); }

static void make_timed(void)
{
	struct timeval tv = { TIMEOUT, 0 };

	make_pair();
	NEED(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
}

static void make_ipc(void)
{
	struct { long type; char text[4096]; } m = { .type = 1 };

	semaphore = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	full_queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	NEED(semaphore >= 0 && queue >= 0 && full_queue >= 0);
	while (msgsnd(full_queue, &m, sizeof(m.text), IPC_NOWAIT) == 0)
		;
}

static void remove_ipc(void)
{
	NEED(semctl(semaphore, 0, IPC_RMID) == 0 && msgctl(queue, IPC_RMID, NULL) == 0 && msgctl(full_queue, IPC_RMID, NULL) == 0);
}

static void make_listener(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0" };

	s[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	NEED(s[0] >= 0 && bind(s[0], (struct sockaddr *)&a, sizeof(sa_family_t)) == 0 && listen(s[0], 1) == 0);
}

/* Whose queue is full: connect waits. */
static void make_full_listener(void)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);

	make_listener();
	NEED(listen(s[0], 0) == 0 && getsockname(s[0], (struct sockaddr *)&a, &len) == 0);
	s[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	NEED(s[1] >= 0 && connect(s[1], (struct sockaddr *)&a, len) == 0);
	s[1] = socket(AF_UNIX, SOCK_STREAM, 0);
}

static void make_lock(void)
{
	char name[] = "lock.XXXXXX";

	locked = mkstemp(name);
	NEED(locked >= 0);
	NEED(pipe(fds) == 0);
	if (fork() == 0) {
		int other = open(name, O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		NEED(flock(other, LOCK_EX) == 0 && fcntl(other, F_SETLK, &whole) == 0);
		send_byte(fds[1]);
		pause();
		_exit(0);
	}
	wait_byte(fds[0]);
}

static long do_read(void) { char c; return read(fds[0], &c, 1); }
static long do_readv(void) { char c; struct iovec v = { &c, 1 }; return readv(fds[0], &v, 1); }
static long do_write(void) { return write(full[1], block, sizeof(block)); }
static long do_splice(void) { make_pair(); return splice(fds[0], NULL, s[1], NULL, 1, 0); }
static long do_tee(void) { make_full(); return tee(fds[0], full[1], 1, 0); }
static long do_recv(void) { char c; return recv(s[0], &c, 1, 0); }
static long do_recvmsg(void) { char c; struct iovec v = { &c, 1 }; struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 }; return recvmsg(s[0], &m, 0); }
static long do_send(void) { return send(s[0], block, sizeof(block), 0); }
static long do_accept(void) { return accept(s[0], NULL, NULL); }
static long do_poll(void) { struct pollfd p = { .fd = fds[0], .events = POLLIN }; return poll(&p, 1, TIMEOUT * 1000); }
static long do_ppoll(void) { struct pollfd p = { .fd = fds[0], .events = POLLIN }; return ppoll(&p, 1, &timeout, NULL); }
static long do_nanosleep(void) { return nanosleep(&timeout, NULL); }
static long do_pause(void) { return pause(); }
static long do_semop(void) { struct sembuf b = { 0, -1, 0 }; return semop(semaphore, &b, 1); }
static long do_semtimedop(void) { struct sembuf b = { 0, -1, 0 }; return semtimedop(semaphore, &b, 1, &timeout); }
static long do_flock(void) { return flock(locked, LOCK_EX); }
static long do_setlkw(void) { return fcntl(locked, F_SETLKW, &whole); }
static long do_ofd_setlkw(void) { struct flock l = whole; return fcntl(locked, F_OFD_SETLKW, &l); }

static long do_connect(void)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);

	NEED(getsockname(s[0], (struct sockaddr *)&a, &len) == 0);
	return connect(s[1], (struct sockaddr *)&a, len);
}

static long do_clock_nanosleep(void)
{
	errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &timeout, NULL);
	return errno ? -1 : 0;
}

static long do_absolute_nanosleep(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += TIMEOUT;
	errno = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL);
	return errno ? -1 : 0;
}

static long do_select(void)
{
	struct timeval tv = { TIMEOUT, 0 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	return select(fds[0] + 1, &set, NULL, NULL, &tv);
}

static long do_pselect(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	return pselect(fds[0] + 1, &set, NULL, NULL, &timeout, NULL);
}

static long do_epoll_wait(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);

	NEED(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &ev) == 0);
	return epoll_wait(ep, &ev, 1, TIMEOUT * 1000);
}

static long do_futex(void)
{
	int word = 0;

	return syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static long do_futex_timed(void)
{
	int word = 0;

	return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &timeout, NULL, 0);
}

static long do_sem_wait(void)
{
	sem_t sem;

	sem_init(&sem, 0, 0);
	return sem_wait(&sem);
}

static long do_msgrcv(void)
{
	struct { long type; char text[16]; } m;

	return msgrcv(queue, &m, sizeof(m.text), 0, 0);
}

static long do_msgsnd(void)
{
	struct { long type; char text[4096]; } m = { .type = 1 };

	return msgsnd(full_queue, &m, sizeof(m.text), 0);
}

static long do_wait4(void)
{
	int status;

	return wait4(-1, &status, 0, NULL);
}

static long do_waitid(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED);
}

static long do_sigtimedwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return sigtimedwait(&set, NULL, &timeout);
}

static long do_sigsuspend(void)
{
	sigset_t set;

	sigemptyset(&set);
	return sigsuspend(&set);
}

static long do_eventfd(void)
{
	eventfd_t value;

	return eventfd_read(eventfd(0, 0), &value);
}

static long do_timerfd(void)
{
	uint64_t n;
	struct itimerspec its = { .it_value = { TIMEOUT, 0 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	NEED(timerfd_settime(fd, 0, &its, NULL) == 0);
	return read(fd, &n, sizeof(n));
}

static long do_inotify(void)
{
	char buf[512];
	int fd = inotify_init1(0);

	return read(fd, buf, sizeof(buf));
}

static long do_signalfd(void)
{
	struct signalfd_siginfo info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return read(signalfd(-1, &set, 0), &info, sizeof(info));
}

static long do_open_fifo(void)
{
	char name[32];

	snprintf(name, sizeof(name), "fifo.%d", getpid());
	NEED(mkfifo(name, 0600) == 0);
	return open(name, O_RDONLY);
}

static const struct {
	const char *name;
	void (*prepare)(void);
	long (*call)(void);
} calls[] = {
#define CALL(prepare, call) { #call, prepare, do_##call }
	CALL(make_pipe, read), CALL(make_pipe, readv), CALL(make_full, write), CALL(make_pipe, splice), CALL(make_pipe, tee),
	CALL(make_pair, recv), CALL(make_pair, recvmsg), CALL(make_full_pair, send),
	{ "recv with a time-out", make_timed, do_recv },
	CALL(make_listener, accept), CALL(make_full_listener, connect),
	CALL(make_pipe, poll), CALL(make_pipe, ppoll), CALL(make_pipe, select), CALL(make_pipe, pselect),
	CALL(make_pipe, epoll_wait),
	CALL(no_prepare, nanosleep), CALL(no_prepare, clock_nanosleep), CALL(no_prepare, absolute_nanosleep), CALL(no_prepare, pause),
	CALL(no_prepare, futex), CALL(no_prepare, futex_timed), CALL(no_prepare, sem_wait),
	CALL(no_prepare, semop), CALL(no_prepare, semtimedop), CALL(no_prepare, msgrcv), CALL(no_prepare, msgsnd),
	CALL(no_prepare, wait4), CALL(no_prepare, waitid),
	CALL(no_prepare, sigtimedwait), CALL(no_prepare, sigsuspend),
	CALL(no_prepare, eventfd), CALL(no_prepare, timerfd), CALL(no_prepare, inotify), CALL(no_prepare, signalfd),
	CALL(no_prepare, open_fifo),
	CALL(make_lock, flock), CALL(make_lock, setlkw), CALL(make_lock, ofd_setlkw),
};
#define NCALLS (sizeof(calls) / sizeof(calls[0]))

static int interrupted(unsigned i, int flags)
{
	pid_t me = getpid();
	int ready[2];
	long r;

	on_signal(SIGUSR1, tick, flags);
	NEED(pipe(ready) == 0);
	calls[i].prepare();
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		wait_byte(ready[0]);
		sleep_ms(SIGNAL_AFTER);
		kill(me, SIGUSR1);
		sleep_ms(KILL_AFTER);
		kill(me, SIGKILL);
		_exit(0);
	}
	send_byte(ready[1]);
	errno = 0;
	r = calls[i].call();
	return r == -1 ? errno : ticks ? 254 : 255;
}

static void batch(unsigned first, unsigned end, int flags)
{
	pid_t pids[NCALLS];

	for (unsigned i = first; i < end; i++) {
		pids[i] = fork();
		NEED(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(interrupted(i, flags));
	}
	for (unsigned i = first; i < end; i++) {
		int status, left;
		const char *what;

		NEED(waitpid(pids[i], &status, 0) == pids[i]);
		left = WEXITSTATUS(status);
		if (WIFSIGNALED(status))
			what = WTERMSIG(status) == SIGKILL ? "goes on" : "killed";
		else
			what = left == 255 ? "ends, no signal" : left == 254 ? "ends, after the signal" : strerrorname_np(left);
		printf("%s%s: %s\n", calls[i].name, flags ? ", SA_RESTART" : "", what);
	}
	while (wait(NULL) > 0)
		;
}

int main(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	make_ipc();
	for (unsigned i = 0; i < NCALLS; i += AT_ONCE) {
		unsigned end = i + AT_ONCE < NCALLS ? i + AT_ONCE : NCALLS;

		batch(i, end, 0);
		batch(i, end, SA_RESTART);
	}
	remove_ipc();
	return 0;
}
